"""What a person is told about failures that are no plain regression."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import Files, a_repository, git, put
from tests.e2e.test_heal import selfheal

CALC = "def add(a, b):\n    return a + b\n"
TEST = "from calc.core import add\n\n\ndef test_add():\n    assert add(2, 3) == 5\n"
STEP = '[steps.tests]\nrun = "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest -q"\n'
GREEN: Files = {"calc/__init__.py": "", "calc/core.py": CALC, "tests/test_core.py": TEST, ".selfheal.toml": STEP}


def kinds(told: dict[str, object]) -> dict[str, str]:
    return {failure["id"]: failure["kind"] for failure in told["failures"]}  # type: ignore[attr-defined]


def test_a_test_that_changed_its_mind_is_named_and_never_edited(tmp_path: Path) -> None:
    project = a_repository(tmp_path / "project", GREEN, {"tests/test_core.py": TEST.replace("== 5", "== 6")})

    ended = selfheal(project, "heal", "--no-model")

    assert (ended.exit_code, ended.told["status"]) == (1, "not_healed"), ended.stderr
    assert kinds(ended.told) == {"tests/test_core.py::test_add": "expectation_changed"}
    assert "the test expects something else than before" in ended.told["diagnosis"]["summary"]
    assert git(project, "status", "--porcelain", "--untracked-files=no") == ""


ORDER = "import calc.core\n\n\ndef test_rates():\n    calc.core.RATES.append(2)\n"
VICTIM = "import calc.core\n\n\ndef test_one_rate():\n    assert calc.core.RATES == [1]\n"


def test_what_a_test_leaves_behind_is_found_with_the_test_that_left_it(tmp_path: Path) -> None:
    core = "_KEPT = [1]\n\n\ndef __getattr__(name):\n    return list(_KEPT) if name == 'RATES' else None\n"
    shared = {"calc/core.py": "RATES = [1]\n"}
    more = {f"tests/test_b{number}.py": f"def test_{number}():\n    pass\n" for number in range(6)}
    green: Files = {**GREEN, "calc/core.py": core, "tests/test_core.py": ORDER, "tests/test_victim.py": VICTIM, **more}
    project = a_repository(tmp_path / "project", green, shared)

    ended = selfheal(project, "heal", "--no-model")

    assert kinds(ended.told) == {"tests/test_victim.py::test_one_rate": "order_dependent"}, ended.stderr
    summary = ended.told["diagnosis"]["summary"]
    assert "tests/test_victim.py::test_one_rate fails after tests/test_core.py::test_rates" in summary


def test_the_commit_that_broke_it_is_named_among_several(tmp_path: Path) -> None:
    project = a_repository(
        tmp_path / "project",
        GREEN,
        {"calc/core.py": "def add(a, b):\n    return a - b\n"},
        {"calc/more.py": "MORE = 1\n"},
        {"calc/core.py": '"""Sums."""\n\n\ndef add(a, b):\n    return a - b\n'},
    )

    ended = selfheal(project, "heal", "--no-model")

    assert ended.exit_code == 0, ended.stderr
    assert ended.told["source"]["base"]["attested_by"] == "guess"
    assert ended.told["diagnosis"]["culprit"]["commit"] == git(project, "rev-parse", "HEAD~2")
    assert [attempt["remedy"] for attempt in ended.told["attempts"]] == ["shrunk-revert"]


def test_tests_that_need_the_network_are_baseline_beside_a_regression(tmp_path: Path) -> None:
    network = "import socket\n\n\n" + "".join(
        f"def test_{name}():\n    socket.create_connection(('192.0.2.1', 80), 1)\n\n\n" for name in ("one", "two", "three")
    )
    project = a_repository(
        tmp_path / "project", {**GREEN, "tests/test_net.py": network}, {"calc/core.py": "def add(a, b):\n    return a - b\n"}
    )

    ended = selfheal(project, "heal", "--no-model")

    assert (ended.exit_code, ended.told["status"]) == (0, "healed"), ended.stderr
    found = kinds(ended.told)
    assert sorted(id_ for id_, kind in found.items() if kind == "baseline") == [
        "tests/test_net.py::test_one", "tests/test_net.py::test_three", "tests/test_net.py::test_two",
    ]  # fmt: skip
    assert found["tests/test_core.py::test_add"] == "regression"


FAILED = (
    '<testsuite><testcase classname="tests.test_core" name="test_add" file="tests/test_core.py">'
    '<failure message="assert 4 == 5"/></testcase></testsuite>'
)


def test_what_a_report_says_has_failed_and_passes_here_is_flaky(tmp_path: Path) -> None:
    project = a_repository(tmp_path / "project", {**GREEN, "reports/a.xml": FAILED})

    ended = selfheal(project, "heal", "--no-model", "--report", "reports/*.xml")

    assert (ended.exit_code, ended.told["status"]) == (3, "flaky"), ended.stderr
    assert kinds(ended.told) == {"tests/test_core.py::test_add": "flaky"}


def test_a_report_is_a_hint_and_no_proof(tmp_path: Path) -> None:
    broken = {"calc/core.py": "def add(a, b):\n    return a - b\n", "reports/a.xml": FAILED.replace("failure", "skipped")}
    project = a_repository(tmp_path / "project", GREEN, broken)

    ended = selfheal(project, "heal", "--no-model", "--report", "reports/*.xml")

    assert (ended.exit_code, ended.told["status"]) == (0, "healed"), ended.stderr


def test_a_report_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    project = a_repository(tmp_path / "project", GREEN)

    ended = selfheal(project, "heal", "--report", "nowhere/*.xml")

    assert (ended.exit_code, "no report is at nowhere/*.xml" in ended.stderr) == (2, True), ended.stderr


# an installed copy ------------------------------------------------------------------------------------------------------


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A project whose tests run a copy of it, installed into its ignored environment."""
    files: Files = {
        **{f"src/{path}" if path.startswith("calc") else path: text for path, text in GREEN.items()},
        "pyproject.toml": '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "calc"\nversion = "1"\n[tool.hatch.build.targets.wheel]\npackages = ["src/calc"]\n',
        ".gitignore": ".venv\nbuild\n*.egg-info\n",
        ".selfheal.toml": '[steps.tests]\nrun = ".venv/bin/python -m pytest -q -p no:cacheprovider"\n',
    }
    project = a_repository(tmp_path / "project", files, {"src/calc/core.py": "def add(a, b):\n    return a - b\n"})
    subprocess.run([sys.executable, "-m", "venv", "--system-site-packages", ".venv"], cwd=project, check=True)
    site = next((project / ".venv/lib").glob("python3*/site-packages"))
    parents = [path for path in sys.path if path.endswith("site-packages")]
    (site / "parent.pth").write_text("\n".join(parents))  # pytest and the build backend come from where this test has them
    (site / "calc").mkdir()
    for name in ("__init__.py", "core.py"):
        (site / "calc" / name).write_bytes((project / "src/calc" / name).read_bytes())
    return project


def test_an_installed_copy_is_told_with_the_line_that_mends_it(installed: Path) -> None:
    ended = selfheal(installed, "heal", "--no-model")

    assert (ended.exit_code, ended.told["status"]) == (1, "not_healed"), ended.stderr
    assert "edits do not reach the tests" in ended.stderr
    assert 'build = [".venv/bin/python -m pip install --quiet --no-deps --no-build-isolation ."]' in ended.stderr
    assert ended.told["attempts"] == []


def test_with_that_line_it_is_healed(installed: Path) -> None:
    line = ".venv/bin/python -m pip install --quiet --no-deps --no-build-isolation ."
    put(
        installed,
        {
            ".selfheal.toml": f'[steps.tests]\nrun = ".venv/bin/python -m pytest -q -p no:cacheprovider"\nbuild = ["{line}"]\n'
        },
    )

    ended = selfheal(installed, "heal", "--no-model")

    assert (ended.exit_code, ended.told["status"]) == (0, "healed"), ended.stderr + str(ended.told["diagnosis"])
    assert ended.told["diagnosis"]["culprit"]["path"] == "src/calc/core.py"


# compiled code ----------------------------------------------------------------------------------------------------------

COMPILE = "cc -shared -fPIC -o pkg/libfast.so pkg/fast.c"
COMPILED: Files = {
    "pkg/__init__.py": "import ctypes\nfrom pathlib import Path\n\n"
    'add = ctypes.CDLL(str(Path(__file__).with_name("libfast.so"))).add\n',
    "pkg/fast.c": "/* Adds. */\nint add(int a, int b) {\n    return a + b;\n}\n",
    "tests/test_fast.py": "from pkg import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n",
    "conftest.py": "",
    ".gitignore": "*.so\nselfheal-out/\n",
    ".selfheal.toml": f'setup = ["{COMPILE}"]\n[steps.tests]\nrun = "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest -q"\n',
}


@pytest.fixture
def compiled(tmp_path: Path) -> Path:
    """A project whose tests run a library that setup compiles."""
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler here")
    broken = str(COMPILED["pkg/fast.c"]).replace("a + b", "a - b").replace("Adds.", "Adds two numbers.")
    return a_repository(tmp_path / "project", COMPILED, {"pkg/fast.c": broken})


def test_compiled_code_is_told_with_the_line_that_builds_it(compiled: Path) -> None:
    ended = selfheal(compiled, "heal", "--no-model")

    assert (ended.exit_code, ended.told["status"]) == (1, "not_healed"), ended.stderr
    said = " ".join(ended.stderr.split())
    assert f'edits of pkg/fast.c do not reach the tests: they run what was built before; write build = ["{COMPILE}"]' in said


def test_with_that_line_compiled_code_is_healed(compiled: Path) -> None:
    put(compiled, {".selfheal.toml": str(COMPILED[".selfheal.toml"]) + f'build = ["{COMPILE}"]\n'})

    ended = selfheal(compiled, "heal", "--no-model")

    assert (ended.exit_code, ended.told["status"]) == (0, "healed"), ended.stderr + str(ended.told["diagnosis"])
    assert "+    return a + b;" in (ended.folder / "fix.patch").read_text()


# what setup generated ---------------------------------------------------------------------------------------------------

GENERATED: Files = {
    "schema.txt": "add\n",
    "tools/gen.py": "name = open('schema.txt').read().strip()\nopen('generated.py', 'w').write(f'NAME = {name!r}\\n')\n",
    "tests/test_name.py": "import generated\n\n\ndef test_name():\n    assert generated.NAME == 'add'\n",
    ".gitignore": "generated.py\n",
    ".selfheal.toml": 'setup = ["python tools/gen.py"]\n[steps.tests]\nrun = "python -m pytest -q -p no:cacheprovider"\n',
}


def test_what_setup_generated_is_generated_again_for_another_commit(tmp_path: Path) -> None:
    project = a_repository(tmp_path / "project", GENERATED, {"README": "x\n"})
    assert selfheal(project, "heal", "--no-model").told["status"] == "healthy"
    put(project, {"schema.txt": "sub\n"})
    git(project, "commit", "--all", "--quiet", "--message", "Another name")

    broken = selfheal(project, "heal", "--no-model")

    assert (broken.exit_code, broken.told["status"]) == (1, "not_healed"), broken.stderr
    assert broken.told["failures"][0]["kind"] == "regression"
    assert "write the command of `setup` that makes generated.py into the step's `build` too" in broken.stderr

    text = str(GENERATED[".selfheal.toml"])
    put(project, {".selfheal.toml": f'{text}build = ["python tools/gen.py"]\n'})
    healed = selfheal(project, "heal", "--no-model")

    assert (healed.exit_code, healed.told["status"]) == (0, "healed"), healed.stderr
    git(project, "checkout", "--quiet", "HEAD~1", "--", "schema.txt")
    assert selfheal(project, "heal", "--no-model").told["status"] == "healthy"
