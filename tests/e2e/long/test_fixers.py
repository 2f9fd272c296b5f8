"""Steps that only check are healed by their own fixers: what the commit added is kept, and no model is asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.builders import Files, a_repository, commit, fix_branch, git, put
from tests.e2e.test_heal import Ended, selfheal

UNUSED = "import os\nimport sys\n\nprint(sys.path)\n\n\ndef added():\n    return 1\n"
HOOK = """#!/bin/sh
# as pre-commit's hooks do: mend the files, and fail when there was something to mend
before=$(cat src/*.py tests/*.py); sed -i 's/ *$//' src/*.py tests/*.py
[ "$before" = "$(cat src/*.py tests/*.py)" ] || { echo 'trailing whitespace was mended'; exit 1; }
"""


def configured(run: str, fix: str = "") -> Files:
    more = f"fix = [{json.dumps(fix)}]\n" if fix else ""
    return {".selfheal.toml": f"[steps.check]\nrun = {json.dumps(run)}\n{more}"}


def healed_file(project: Path, ended: Ended, path: str) -> str:
    """A file after the fix, which a remedy of the step's own made."""
    assert (ended.exit_code, ended.told["status"]) == (0, "healed"), ended.stderr
    assert {attempt["remedy"] for attempt in ended.told["attempts"]} <= {"own-changes", "fixer"}
    git(project, "apply", "selfheal-out/fix.patch")
    return (project / path).read_text()


CHECKS = {
    "ruff check": ("ruff check .", UNUSED),
    "import order": ("ruff check --select I .", "import sys\nimport os\n\n\ndef added():\n    return os, sys\n"),
    "ruff format": ("ruff format --check .", "x = 1\ndef added( ):\n    return  'y'\n"),
    "both, and more": ("ruff check . && ruff format --check . && true", UNUSED + "added( )\n"),
    "the other order": ("ruff format --check . && ruff check --select I .", "import sys, os\nprint( os, sys)\ndef added(): ...\n"),
    "python -m": ("python -m ruff check .", UNUSED),
    "in a folder": ("cd src && ruff check .", UNUSED),
    "a task runner": ("make lint", UNUSED),
    "a task runner in silence": ("make quiet", UNUSED),
}  # fmt: skip


@pytest.mark.parametrize(("run", "broken"), CHECKS.values(), ids=CHECKS.keys())
def test_a_linter_is_healed_by_its_fixer(tmp_path: Path, run: str, broken: str) -> None:
    made = {"Makefile": "lint:\n\truff check .\nquiet:\n\t@ruff check --fix --exit-non-zero-on-fix .\n"}
    green = {"src/a.py": "import sys\n\nprint(sys.path)\n", **made, **configured(run)}
    project = a_repository(tmp_path / "project", green, {"src/a.py": broken})

    ended = selfheal(project, "heal", "--no-model")

    assert "def added(" in healed_file(project, ended, "src/a.py")


def test_a_formatter_may_change_tests_and_the_fix_is_published(tmp_path: Path) -> None:
    green = {"tests/test_a.py": "def test_a():\n    assert 1\n", **configured("ruff format --check .")}
    broken = {"tests/test_a.py": "def test_a():\n    assert   1\ndef test_added():\n    assert 2\n"}
    project = a_repository(tmp_path / "project", green, broken, remote=tmp_path / "origin.git")

    ended = selfheal(project, "heal", "--no-model")
    published = selfheal(project, "publish")

    assert published.exit_code == 0, published.stderr
    branch = fix_branch(tmp_path / "origin.git")
    assert git(tmp_path / "origin.git", "show", "--format=", "--name-only", branch) == "tests/test_a.py"
    assert (
        healed_file(project, ended, "tests/test_a.py")
        == "def test_a():\n    assert 1\n\n\ndef test_added():\n    assert 2\n"
    )


def test_a_fixer_of_a_step_that_runs_tests_may_not(tmp_path: Path) -> None:
    passing = "def test_a():\n    assert 1 == 1\n"
    run = "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest -q"
    green = {"tests/test_a.py": passing, **configured(run, "sed -i s/2/1/ tests/test_a.py")}
    project = a_repository(tmp_path / "project", green, {"tests/test_a.py": passing.replace("== 1", "== 2")})

    ended = selfheal(project, "heal", "--no-model")

    assert (ended.exit_code, ended.told["status"]) == (5, "refused"), ended.stderr
    assert "this is a test file" in ended.told["attempts"][0]["reason"]


def test_a_fixer_may_not_take_an_assertion_out_of_a_test(tmp_path: Path) -> None:
    run = "ruff check --select F821 ."
    green = {"tests/test_a.py": "def test_a():\n    assert 1\n", **configured(run, "sed -i '/assert x/d' tests/test_a.py")}
    project = a_repository(tmp_path / "project", green, {"tests/test_a.py": "def test_a():\n    assert 1\n    assert x\n"})

    ended = selfheal(project, "heal", "--no-model")

    assert (ended.exit_code, ended.told["status"]) == (5, "refused"), ended.stderr
    assert "it has 2 assertions, and 1 after it" in ended.told["attempts"][0]["reason"]


@pytest.mark.parametrize("path", ["setup.py", ".github/a.py", "noxfile.py", ".hidden.py"])
def test_a_formatter_may_not_change_what_steers(tmp_path: Path, path: str) -> None:
    run = f"ruff format --check {path}"
    project = a_repository(tmp_path / "project", {path: "x = 1\n", **configured(run)}, {path: "x = 1\ny  =  2\n"})

    ended = selfheal(project, "heal", "--no-model")

    assert (ended.exit_code, ended.told["status"]) == (5, "refused"), ended.stderr


def test_a_hook_that_mends_is_healed_by_what_it_did(tmp_path: Path) -> None:
    green = {"src/a.py": "x = 1\n", "tests/t.py": "y = 1\n", "hooks/mend.sh": HOOK, **configured("sh hooks/mend.sh")}
    project = a_repository(tmp_path / "project", green, {"src/a.py": "x = 1   \n\n\ndef added():\n    return 1  \n"})

    ended = selfheal(project, "heal", "--no-model")

    assert healed_file(project, ended, "src/a.py") == "x = 1\n\n\ndef added():\n    return 1\n"
    assert [attempt["remedy"] for attempt in ended.told["attempts"]] == ["own-changes"]


def test_hooks_of_which_each_stops_the_next_are_healed(tmp_path: Path) -> None:
    other = HOOK.replace("s/ *$//", "s/\\t/    /g")
    run = "sh hooks/one.sh && sh hooks/two.sh"
    green = {"src/a.py": "x = 1\n", "tests/t.py": "", "hooks/one.sh": HOOK, "hooks/two.sh": other, **configured(run)}
    project = a_repository(tmp_path / "project", green, {"src/a.py": "x = 1 \n\n\ndef added():\n\treturn 1\n"})

    ended = selfheal(project, "heal", "--no-model")

    assert healed_file(project, ended, "src/a.py") == "x = 1\n\n\ndef added():\n    return 1\n"
    assert [attempt["verdict"] for attempt in ended.told["attempts"]] == ["rejected", "verified"]


GENERATED: Files = {
    "Makefile": "generate:\n\tmkdir -p cache; touch cache/new\n\ttr a-z A-Z <names.txt >out/names.txt\n",
    "names.txt": "ada\n",
    "out/names.txt": "ADA\n",
}


@pytest.mark.parametrize("compare", ["git diff --exit-code", "git diff --quiet HEAD", 'test -z "$(git status -s -uno)"'])
def test_what_is_generated_anew_is_committed(tmp_path: Path, compare: str) -> None:
    green = {**GENERATED, **configured(f"make generate && {compare}")}
    project = a_repository(tmp_path / "project", green, {"names.txt": "ada\nbob\n"})

    ended = selfheal(project, "heal", "--no-model", "--base", "HEAD~1")

    assert healed_file(project, ended, "out/names.txt") == "ADA\nBOB\n"
    assert ended.told["diagnosis"]["kind"] == "regression"
    assert [file["path"] for file in ended.told["patch"]["files"]] == ["out/names.txt"]


def test_a_generator_that_writes_something_else_each_time_is_not_healed(tmp_path: Path) -> None:
    made = {"Makefile": "generate:\n\tdate +%N >out/names.txt\n", "out/names.txt": "x\n"}
    project = a_repository(tmp_path / "project", {**made, **configured("make generate && git diff --exit-code")})

    ended = selfheal(project, "heal", "--no-model")

    assert ended.told["status"] in {"not_healed", "flaky"}
    assert ended.told["patch"] is None


def test_what_a_test_wrote_is_no_fix(tmp_path: Path) -> None:
    """A test that rewrites what it compares with would be green with what it wrote."""
    test = (
        "from pathlib import Path\n\n\ndef test_a():\n    golden, old = Path('a.txt'), Path('a.txt').read_text()\n"
        "    golden.write_text('2')\n    assert old == '2'\n"
    )
    run = "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest -q"
    project = a_repository(tmp_path / "project", {"a.txt": "1", "tests/test_a.py": test, **configured(run)})

    ended = selfheal(project, "heal", "--no-model")

    assert (ended.told["status"], ended.told["attempts"]) == ("not_healed", [])


CALC = "def add(a, b):\n    return a + b\n\n\ndef double(a):\n    return 2 * a\n"
RIGHT: Files = {
    "calc.py": CALC,
    "tests/test_calc.py": "from calc import add\n\n\ndef test_add():\n    assert add(2, 3) == 5\n",
    **configured("PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest -q"),
}


def test_what_was_merged_is_recalled_when_it_breaks_again(tmp_path: Path) -> None:
    project = a_repository(tmp_path / "project", RIGHT, {"calc.py": CALC.replace("+", "-")}, remote=tmp_path / "origin.git")
    first = selfheal(project, "heal", "--no-model")
    published = selfheal(project, "publish")
    git(project, "fetch", "--quiet", "origin")
    git(project, "merge", "--quiet", "--no-ff", "--no-edit", f"origin/{fix_branch(tmp_path / 'origin.git')}")
    assert (first.exit_code, published.exit_code, (project / "calc.py").read_text()) == (0, 0, CALC)

    commit(project, {"calc.py": "# more\n" + CALC.replace("+", "-") + "\n\ndef added():\n    return 1\n"})
    again = selfheal(project, "heal", "--no-model")

    assert (again.exit_code, again.told["status"]) == (0, "healed"), again.stderr
    assert [(attempt["remedy"], attempt["verdict"]) for attempt in again.told["attempts"]] == [("recall", "verified")]
    git(project, "apply", "selfheal-out/fix.patch")
    assert (project / "calc.py").read_text() == "# more\n" + CALC + "\n\ndef added():\n    return 1\n"


def test_a_commit_that_only_says_so_is_judged_like_any_other(tmp_path: Path) -> None:
    project = a_repository(tmp_path / "project", RIGHT, {"calc.py": CALC.replace("+", "-")})
    found = selfheal(project, "diagnose").told["failures"][0]["fingerprint"]
    weak = RIGHT["tests/test_calc.py"]
    assert isinstance(weak, str)
    trailer = f"fix\n\nSelfheal-Fingerprint: {found}\n"
    commit(project, {"tests/test_calc.py": weak.replace("assert ", "assert 1 or ")}, trailer)
    put(project, {"tests/test_calc.py": weak})
    commit(project, {"tests/test_calc.py": weak})

    ended = selfheal(project, "heal", "--no-model", "--base", "HEAD~3", "--ladder", "recall")

    assert (ended.exit_code, ended.told["status"]) == (5, "refused"), ended.stderr
    assert "this is a test file" in ended.told["attempts"][0]["reason"]
