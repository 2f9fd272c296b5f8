"""Where no CI says anything, what the languages' own files say."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.unit.discover.samples import found, runs, setup

IN = ". ~/.venv/bin/activate && "
WHEELS = 'export PIP_NO_INDEX=1 PIP_FIND_LINKS="$HOME/.wheels"'
TESTS = {"tests/test_a.py": ""}
PROJECT = '[project]\nname = "x"\n'


@pytest.mark.parametrize(
    ("texts", "steps", "lines"),
    [
        ({"Cargo.toml": ""}, {"cargo": "export CARGO_NET_OFFLINE=true && cargo test"}, ["{ cargo fetch; } || true"]),
        ({"go.mod": ""}, {"go": "go vet ./...", "go-2": "go test ./..."}, ["{ go mod download; } || true"]),
        ({"pom.xml": ""}, {"pom": "mvn -o -B test"}, ["{ mvn -B test || true; } || true"]),
        ({"build.gradle": "", "gradlew": ""}, {"build": "./gradlew --offline test"}, ["{ ./gradlew test || true; } || true"]),
        ({"package.json": '{"scripts": {"test": "jest", "start": "x"}}', "package-lock.json": ""}, {"node": "npm run test"},
         ["npm ci"]),
        ({"package.json": '{"scripts": {"lint": "eslint ."}}', "yarn.lock": ""}, {"node": "yarn run lint"},
         ["yarn install --frozen-lockfile"]),
        ({"Makefile": "test:\n\tctest\n"}, {"tests": "make test"}, []),
        ({"tox.ini": "[tox]\nenvlist = py39, lint\n[testenv]\n"}, {"py": f"{IN}{WHEELS} && tox -e py", "lint": f"{IN}{WHEELS} && tox -e lint"},
         ["python3 -m venv ~/.venv", f"{IN}pip install tox",
          f"{{ {IN}pip download --quiet --dest ~/.wheels wheel setuptools; }} || true", f"{{ {IN}tox -e py --notest; }} || true",
          f"{{ {IN}tox -e lint --notest; }} || true"]),
        ({"noxfile.py": "import nox\n@nox.session(python=['3.9'])\ndef tests(session): ...\n@nox.session(name='lint-it')\n"
          "def other(session): ...\n@nox.session\ndef publish(session): ...\n"},
         {"tests": f"{IN}nox -R -s tests", "lint-it": f"{IN}nox -R -s lint-it"},
         ["python3 -m venv ~/.venv", f"{IN}pip install nox", f"{{ {IN}nox -s tests --install-only; }} || true",
          f"{{ {IN}nox -s lint-it --install-only; }} || true"]),
        (TESTS | {"pyproject.toml": PROJECT + '[project.optional-dependencies]\ntest = ["x"]\n[dependency-groups]\ndev = []\n'},
         {"tests": f"{IN}python -m pytest"},
         ["python3 -m venv ~/.venv", f"{IN}pip install --upgrade pip pytest", f"{IN}pip install -e '.[test]' --group dev"]),
        (TESTS | {"requirements-dev.txt": "", "setup.py": ""}, {"tests": f"{IN}python -m pytest"},
         ["python3 -m venv ~/.venv", f"{IN}pip install --upgrade pip pytest", f"{IN}pip install -r requirements-dev.txt",
          f"{IN}pip install -e ."]),
        (TESTS | {"uv.lock": ""}, {"tests": f"{IN}export UV_OFFLINE=1 && uv run python -m pytest"},
         ["python3 -m venv ~/.venv", f"{IN}pip install uv", f"{IN}uv sync --all-groups", f"{{ {IN}uv run true; }} || true"]),
    ],
)  # fmt: skip
def test_the_usual_commands(texts: Mapping[str, str], steps: Mapping[str, str], lines: list[str]) -> None:
    told = found(texts)

    assert runs(told) == steps
    assert setup(told) == lines


@pytest.mark.parametrize(
    "texts",
    [
        {},
        TESTS,
        {"package.json": '{"scripts": {"test": "echo \\"Error: no test specified\\" && exit 1"}}'},
        {"package.json": "[1]"},
        {"package.json": '{"scripts": [1]}'},
        {"noxfile.py": "def tests(:"},
        {"noxfile.py": "(" * 10_000},
        {"tox.ini": "no section"},
        {"pyproject.toml": "x ="},
        {"Makefile": "tests = x\nall:\n"},
    ],
)
def test_where_nothing_is_known_nothing_is_made_up(texts: Mapping[str, str]) -> None:
    assert found(texts).steps == ()
