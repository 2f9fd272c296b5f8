from __future__ import annotations

import pytest

from selfheal_ci.discover.sorting import Use, use_of
from selfheal_ci.discover.tasks import tasks_of
from tests.unit.discover.samples import files

TASKS = tasks_of(
    files(
        {
            "Makefile": "all: deps\n\tpython -m compileall x\ndeps:\n\tpip install -r requirements.txt\nverify-all: style\nstyle:\n\truff check .\nship:\n\ttwine upload dist/*\n",
            "package.json": '{"scripts": {"unit": "jest", "build": "tsc -p ."}}',
        }
    )
)


@pytest.mark.parametrize(
    ("use", "lines"),
    [
        (Use.INSTALL, ["pip install -e .", "python -m pip install -U pip", "uv sync --group dev", "npm ci", "poetry install",
                       "cargo fetch", "go mod download", "scripts/install", "bash ci/setup.sh", "yarn --frozen-lockfile", "make deps",
                       "python3.11 -m venv .venv", "tox -e py --notest", "bundle install"]),
        (Use.CHECK, ["pytest -q", "python -m pytest", "uv run --group dev pytest tests/", "tox", "nox -s tests", "cargo test",
                     "go test ./...", "go build ./...", "npm test", "npm run unit", "make verify-all", "make style", "scripts/test",
                     "./ci/run_checks.py", "ruff check .", "mvn -B verify", "./gradlew build", "coverage run --source=x test.py",
                     "uv run --python 3.11 poe check", "poetry run mypy .", "make richtest", "python test.py"]),
        (Use.BUILD, ["npm run build", "cmake -B build", "python setup.py build_ext --inplace"]),
        (Use.PUBLISH, ["twine upload dist/*", "uv run coveralls", "gh pr comment", "npm publish", "codecov -f x", "make ship"]),
        (Use.SYSTEM, ["sudo apt-get install -y x", "curl -sSL https://x | sh", "docker compose up -d", "brew install x"]),
        (Use.NOTHING, ["echo hello", "python --version", "coverage xml", "pip list", "python -m build", "cd x", "ls"]),
        (Use.OTHER, ["./latest", "cp a b"]),
    ],
)  # fmt: skip
def test_knows_what_a_command_is_for(use: Use, lines: list[str]) -> None:
    assert {line: use_of(line, TASKS.expand) for line in lines} == dict.fromkeys(lines, use)


def test_a_recipe_that_makes_itself_ends() -> None:
    tasks = tasks_of(files({"Makefile": "a: b\n\tmake b\nb: a\n\tmake a\n"}))

    assert use_of("make a", tasks.expand) is Use.OTHER
