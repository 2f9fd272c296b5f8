"""A repository beside the checkout is harmless only where every word of it is known to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfheal_ci.store.neighbour import runs
from tests.builders import a_repository, git, put


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    a_repository(tmp_path / "project", {"a": "1"}, remote=tmp_path / "origin.git")
    return tmp_path / "origin.git"


@pytest.mark.parametrize(
    "words",
    [
        ("init", "--bare", "made"),
        ("init", "--bare", "--shared", "--object-format=sha256", "made"),
        ("clone", "--bare", "origin.git", "made"),
        ("clone", "--mirror", "origin.git", "made"),
        ("clone", "origin.git", "made"),
    ],
)
def test_what_git_itself_makes_is_harmless(bare: Path, words: tuple[str, ...]) -> None:
    git(bare.parent, *words)

    assert runs(bare.parent / "made") is None


def test_where_nothing_is_nothing_runs(tmp_path: Path) -> None:
    assert runs(tmp_path / "gone") is None
    assert runs(tmp_path) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[core]\n\thooksPath = x\n", "the setting core.hookspath"),
        ("[CORE]\n\tHooksPath = x\n", "the setting core.hookspath"),
        ("[core] hooksPath = x\n", "a line of its configuration that is not plain: [core] hooksPath = x"),
        ('[remote "a\\"b"]\n\turl = x\n', "not plain"),
        ("[core]\n\tbare = true\\\n\thooksPath = x\n", "not plain"),
        ("[core]\n\tbare = true\r\tx\n[include]\n\tpath = x\n", "the setting include.path"),
        ("\ufeff[core]\n\tbare = true\n", "not plain"),
        ("[core]\n\tbare\n", "not plain"),
        ("\tbare = true\n", "the setting .bare"),
        ("[remote.x]\n\tpromisor = true\n", "not plain"),
        ('[remote "x"]\n\tpromisor = true\n', "the setting remote.x.promisor"),
        ("[receive]\n\tdenyCurrentBranch = updateInstead\n", "the setting receive.denycurrentbranch"),
        ('[hook "x"]\n\tcommand = x\n', "the setting hook.x.command"),
    ],
)
def test_a_setting_that_is_not_known_may_run_something(bare: Path, text: str, why: str) -> None:
    put(bare, {"config": text})

    assert why in (runs(bare) or "")


def test_what_leads_elsewhere_may_run_something(bare: Path) -> None:
    pointer = bare.parent / "pointer"
    put(pointer, {".git": f"gitdir: {bare}\n"})
    assert runs(pointer) == ".git leads elsewhere"

    (bare / "commondir").write_text("../elsewhere\n")
    assert runs(bare) == "it is a part of another repository"
    (bare / "commondir").unlink()

    (bare / "config").rename(bare.parent / "moved")
    assert runs(bare) == "a configuration that is no file"
    (bare / "config").symlink_to(bare.parent / "moved")
    assert runs(bare) == "a configuration that is no file"


@pytest.mark.parametrize("suffix", ["", ".git", "/.git"])
def test_git_finds_it_under_other_names_too(tmp_path: Path, suffix: str) -> None:
    a_repository(tmp_path / "project", {"a": "1"})
    git(tmp_path, "init", "--quiet", "--bare", f"{tmp_path}/remote{suffix}")
    put(
        Path(f"{tmp_path}/remote{suffix}"),
        {"hooks/update": "#!/bin/sh\n", "hooks/later.sample": "#!/bin/sh\n", "hooks/note": ""},
    )
    for hook in Path(f"{tmp_path}/remote{suffix}/hooks").iterdir():
        hook.chmod(0o644 if hook.name == "note" else 0o755)

    assert runs(tmp_path / "remote") == "the hook update"
    git(tmp_path / "project", "push", "--quiet", str(tmp_path / "remote"), "HEAD:refs/heads/x")  # git finds it, too
