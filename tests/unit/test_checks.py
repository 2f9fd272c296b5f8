from __future__ import annotations

import pytest

from selfheal_ci.checks import compares_generated, fixing, is_check, runs_tests, shown

FIXERS = {
    "ruff check": "ruff check --fix",
    "ruff check src tests --select I": "ruff check --fix src tests --select I",
    "ruff check --diff 'a b'": "ruff check --fix 'a b'",
    "ruff format --check .": "ruff format .",
    "ruff format --diff .": "ruff format .",
    "black --check --diff .": "black .",
    "isort --check-only --profile black src": "isort --profile black src",
    "isort -c .": "isort .",
    "autopep8 --diff --exit-code -r .": "autopep8 --in-place -r .",
    "docformatter --check -r src": "docformatter --in-place -r src",
    "prettier --check 'src/**/*.ts'": "prettier --write 'src/**/*.ts'",
    "prettier -l .": "prettier --write .",
    "eslint . --max-warnings 0": "eslint --fix . --max-warnings 0",
    "gofmt -l -s .": "gofmt -w -s .",
    'test -z "$(gofmt -l .)"': "gofmt -w .",
    "cargo fmt --all -- --check": "cargo fmt --all --",
    "terraform fmt -check -recursive": "terraform fmt -recursive",
    "shfmt -d -i 2 bin": "shfmt -w -i 2 bin",
    "biome ci src": "biome check --write src",
    "python -m black --check .": "python -m black .",
    ".venv/bin/python3.12 -I -m ruff check .": ".venv/bin/python3.12 -I -m ruff check --fix .",
    ".venv/bin/ruff check .": ".venv/bin/ruff check --fix .",
    "uv run ruff check .": "uv run ruff check --fix .",
    "uv run --frozen --group lint ruff check .": "uv run --frozen --group lint ruff check --fix .",
    "uv run --with ruff ruff check .": "uv run --with ruff ruff check --fix .",
    "uvx ruff check": "uvx ruff check --fix",
    "poetry run isort -c .": "poetry run isort .",
    "poetry run python -m black --check .": "poetry run python -m black .",
    "npx --no-install prettier --check .": "npx --no-install prettier --write .",
    "npm exec -- eslint .": "npm exec -- eslint --fix .",
    "ruff check . && ruff format --check .": "ruff check --fix .\nruff format .",
    "ruff check . && mypy src": "ruff check --fix .",
    "ruff check . && pytest": "ruff check --fix .",
    "cd web && npx prettier --check . && npm test": "cd web\nnpx prettier --write .",
    "set -e\ncd web; black --check .": "set -e\ncd web\nblack .",
    "(cd web && eslint .) && black --check .": "(cd web && eslint --fix .)\nblack .",
    "git ls-files '*.py' | xargs black --check": "git ls-files '*.py' | xargs black",
    "black --check $(git ls-files '*.py')": "black $(git ls-files '*.py')",
    "ruff check . 2>&1 | tee log": "ruff check --fix . 2>&1 | tee log",
    "for d in a b; do black --check $d; done": "for d in a b; do black $d; done",
    'if [ -n "$(gofmt -l .)" ]; then exit 1; fi': "gofmt -w .",
    "sh -c 'cd web && black --check .'": "cd web\nblack .",
    "SKIP=1 black --check .": "SKIP=1 black .",
}  # fmt: skip
NO_FIXERS = [
    "pytest -q", "mypy .", "black .", "ruff format .", "ruff check --fix .", "ruff rule E501", "eslint --fix .", "prettier .",
    "make lint", "echo black --check .", "pytest -k 'ruff check'", "", "'",
]  # fmt: skip


@pytest.mark.parametrize(("line", "fixed"), FIXERS.items())
def test_a_check_is_made_to_fix(line: str, fixed: str) -> None:
    assert fixing(line) == fixed


@pytest.mark.parametrize("line", NO_FIXERS)
def test_what_is_no_check_has_no_fixer(line: str) -> None:
    assert fixing(line) is None


def test_fixes_that_a_tool_calls_unsafe_are_asked_for() -> None:
    assert fixing("ruff check . && black --check .", unsafe=True) == "ruff check --fix --unsafe-fixes .\nblack ."


def test_what_a_task_runner_shows_has_fixers_too() -> None:
    said = "black --check .\nwould reformat a.py\nlint: commands[0]> uv run ruff check src\n+ black --check .\nruff: no\n"

    assert list(shown(said)) == ["black .", "uv run ruff check --fix src"]


@pytest.mark.parametrize(
    "line",
    [
        "ruff check .", "black .", "uv run mypy src && ruff format --check .", "pre-commit run --all-files", "npx tsc --noEmit",
        "cd web && eslint .", 'test -z "$(gofmt -l .)"', "python -m pyupgrade --py311-plus a.py", "sh -c 'ruff check .'",
        "make generate && git diff --exit-code", "make generate\ngit diff --exit-code -- src || (echo stale; exit 1)",
        "protoc x.proto && git --no-pager diff --quiet", 'make docs && test -z "$(git status --porcelain)"',
        "git ls-files | xargs black --check",
    ],
)  # fmt: skip
def test_knows_checks(line: str) -> None:
    assert is_check(line)


@pytest.mark.parametrize(
    "line",
    [
        "pytest", "ruff check . && pytest -q", "make lint", "./check.sh", "make test && git diff --exit-code",
        "pytest --snapshot-update && git diff --exit-code", "uv run pytest ruff check", "uv run --frozen pytest -k ruff",
        "go test ./... && git diff --exit-code", "npm run test:unit && git diff --quiet", "make generate && git diff", "echo hi",
        "git diff --exit-code && ./tests.sh", "python -m unittest && git diff --exit-code", "ruff check $(python tests.py)", "", "cd web",
    ],
)  # fmt: skip
def test_takes_nothing_else_for_a_check(line: str) -> None:
    assert not is_check(line)


def test_tells_what_runs_tests() -> None:
    assert all(
        map(runs_tests, ["pytest", "uv run pytest", "python -m unittest", "make test", "npm test", "ruff . ; go test"])
    )
    assert not any(map(runs_tests, ["ruff check tests", "make lint", "black --check tests/test_a.py", "echo pytest"]))


def test_a_comparison_alone_is_one_with_what_is_committed() -> None:
    assert compares_generated("./gen.sh && git diff --exit-code")
    assert not compares_generated("git diff --exit-code; ./run.sh")
