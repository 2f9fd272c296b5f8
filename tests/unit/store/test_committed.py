"""What runs find in `.git` when they have changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfheal_ci.engines.local import LocalEngine
from selfheal_ci.store import open_store
from selfheal_ci.values import Changes, Command, Content, Limits, Recipe
from selfheal_ci.wiring.workplace import workplace
from tests.builders import Files, a_repository

PROJECT: Files = {"a.txt": "a\n", "b.txt": "b\n", "c.txt": "c\n", ".gitignore": "*.log\n"}
CHANGES = Changes({"a.txt": Content(b"A\n"), "b.txt": None, "sp ace/n:e*w.log": Content(b"new\n")})


def said(tmp_path: Path, line: str, changes: Changes = CHANGES, *, setup: tuple[str, ...] = ()) -> tuple[int | None, str]:
    project = a_repository(tmp_path / "project", PROJECT)
    with workplace() as work, open_store(project, work / "store") as store:
        source = store.failing()
        engine = store.converting(LocalEngine(store.export, work, Limits(), {"PATH": "/usr/bin:/bin"}, 1))
        with engine.prepare(source.tree, Recipe(setup)) as sandbox:
            run = sandbox.run(Command(line, 30), changes)
            assert run.shell == line
            return run.exit_code, run.output.text


@pytest.mark.parametrize(
    "line",
    ["git diff --exit-code", "git diff --exit-code HEAD", "git diff --cached --exit-code", 'test -z "$(git status -s)"'],
)
def test_changes_are_no_difference(tmp_path: Path, line: str) -> None:
    assert said(tmp_path, line) == (0, "")


def test_what_the_run_changes_is(tmp_path: Path) -> None:
    code, text = said(tmp_path, "echo x >c.txt; git diff --exit-code --stat")

    assert (code, "c.txt" in text, "a.txt" in text) == (1, True, False)


def test_what_setup_changed_is_one_too(tmp_path: Path) -> None:
    assert said(tmp_path, "git diff --exit-code --name-only", setup=("echo x >c.txt",)) == (1, "c.txt\n")


def test_a_run_without_changes_finds_the_tree_as_it_is(tmp_path: Path) -> None:
    assert said(tmp_path, "git log --format=%s", Changes()) == (0, "The tree under repair\n")


def test_tests_are_spared_it(tmp_path: Path) -> None:
    assert said(tmp_path, "git log --format=%s; echo pytest; pytest --version >/dev/null 2>&1; true")[1].splitlines() == [
        "The tree under repair", "pytest",
    ]  # fmt: skip
