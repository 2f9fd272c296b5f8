"""The real tox, nox, hatch, uv and coverage start the tests: `make test-tools`. Preparing their environments needs a network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from selfheal_ci.values import Green, Red
from tests.unit.runners.conftest import Project

GOOD, BAD = "tests/test_cart.py::test_empty", "tests/test_cart.py::test_one"
PYTHON = f"UV_PYTHON={sys.executable}"
FILES = {
    "cart.py": "def total(items):\n    return sum(item['price'] for item in items)\n",
    "tests/test_cart.py": (
        "from cart import total\n\n\ndef test_empty():\n    assert total([]) == 0\n\n\n"
        "def test_one():\n    assert total([{'cost': 3}]) == 3\n"
    ),
    "pyproject.toml": (
        '[project]\nname = "cart"\nversion = "1"\nrequires-python = ">=3.11"\n'
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[tool.uv]\npackage = false\n[dependency-groups]\ndev = ["pytest"]\n[tool.pytest.ini_options]\npythonpath = ["."]\n'
        '[tool.hatch.envs.default]\nskip-install = true\ndependencies = ["pytest"]\n'
        '[tool.hatch.envs.default.scripts]\nt = "pytest -q"\n'
    ),
    "tox.ini": (
        "[tox]\nenv_list = py, own, path\n[testenv]\nskip_install = true\ndeps = pytest\ncommands = pytest -q\n"
        "[testenv:own]\npass_env = FOO\n[testenv:path]\nset_env = PYTHONPATH = {toxinidir}\n"
    ),
    "noxfile.py": (
        "import nox\n\n\n@nox.session\ndef tests(session):\n    session.install('pytest')\n    session.run('pytest', '-q')\n"
    ),
}
TOOLS = {
    "tox": ("tox -q -e py --notest", "tox -q -e py --skip-pkg-install"),
    "tox-own-pass_env": ("tox -q -e own --notest", "tox -q -e own"),
    "tox-set_env-PYTHONPATH": ("tox -q -e path --notest", "tox -q -e path"),
    "tox-several": ("tox -q -e py,path --notest", "tox -q -e py,path"),
    "nox": ("nox --install-only", "nox --reuse-existing-virtualenvs --no-install"),
    "hatch": ("HATCH_DATA_DIR=.hatch hatch env create", "HATCH_DATA_DIR=.hatch hatch run t"),
    "uv": (f"{PYTHON} uv sync", f"{PYTHON} uv run --offline pytest -q"),
    "uv-frozen": (f"{PYTHON} uv sync", f"{PYTHON} uv run --frozen --offline --no-sync -- python -m pytest -q"),
    "pytest-cov": ("true", "pytest -q --cov --cov-fail-under=1"),
    "coverage": ("true", "coverage run -m pytest -q"),
}
UNTRACED = {"coverage"}  # somebody else traces


@pytest.mark.parametrize("tool", TOOLS)
def test_failures_are_tests_and_can_be_run_alone(tmp_path: Path, tool: str) -> None:
    project = Project(tmp_path / "tree", tmp_path / "aside")
    project.root.mkdir()
    for path, text in FILES.items():
        project.write(path, text)
    prepare, run = TOOLS[tool]
    subprocess.run(["sh", "-c", prepare], cwd=project.root, env=os.environ, check=True, timeout=600)

    whole, alone = project.run(run), project.run(run, {GOOD})

    assert isinstance(whole, Red)
    assert (whole.ids, GOOD in whole.passed) == (frozenset({BAD}), True), whole.run.output.text
    assert isinstance(alone, Green), alone.run.output.text
    assert GOOD in alone.passed
    assert BAD not in alone.passed
    lines = project.trace(run, {BAD}, {"cart.py"}).get(BAD, frozenset())
    assert lines == (frozenset() if tool in UNTRACED else {("cart.py", 2)})


def test_nothing_of_ours_is_in_the_coverage(tmp_path: Path) -> None:
    project = Project(tmp_path / "tree", tmp_path / "aside")
    project.root.mkdir()
    for path, text in FILES.items():
        project.write(path, text)

    result = project.run("coverage run -m pytest -q; coverage report; false")

    assert "selfheal" not in result.run.output.text
    assert "cart.py" in result.run.output.text
