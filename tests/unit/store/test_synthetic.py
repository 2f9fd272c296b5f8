"""Runs see a repository of one commit, made by us: clean, tagged, and without anything of the real one."""

from __future__ import annotations

from pathlib import Path

from selfheal_ci.store import open_store
from tests.builders import a_repository, commit, git, put


def exported(project: Path, work: Path) -> Path:
    into = work / "into"
    into.mkdir()
    with open_store(project, work / "store") as store:
        store.export(store.failing().tree, into)
    return into


def test_the_exported_tree_is_clean_and_has_one_commit(tmp_path: Path) -> None:
    project = a_repository(tmp_path / "project", {"a.py": "1\n", "ü b": "x"}, {"a.py": "2\n"})
    put(project, {"a.py": "3\n", "new": "not committed\n"})

    into = exported(project, tmp_path)

    assert git(into, "status", "--porcelain") == ""
    assert git(into, "rev-list", "--count", "HEAD") == "1"
    assert git(into, "show", "HEAD:a.py") == "3"
    git(into, "fsck", "--strict")


def test_it_has_the_nearest_tag_and_the_branch(tmp_path: Path) -> None:
    project = a_repository(tmp_path / "project", {"a": "1"})
    git(project, "tag", "v1.2.3")
    commit(project, {"a": "2"})
    git(project, "checkout", "--quiet", "-b", "feature/x")

    into = exported(project, tmp_path)

    assert git(into, "describe", "--tags") == "v1.2.3"
    assert git(into, "rev-parse", "--abbrev-ref", "HEAD") == "feature/x"


def test_nothing_of_the_real_repository_is_in_it(tmp_path: Path) -> None:
    project = a_repository(tmp_path / "project", {"secret": "was here once"}, {"secret": None, "a": "1"})
    git(project, "config", "http.extraHeader", "Authorization: Bearer token")
    (project / ".git/hooks").mkdir(exist_ok=True)
    (project / ".git/hooks/pre-commit").write_text("#!/bin/sh\n")

    into = exported(project, tmp_path)

    assert "token" not in (into / ".git/config").read_text()
    assert not (into / ".git/hooks").exists()
    assert not (into / ".git/objects/info/alternates").exists()
    assert git(into, "log", "--all", "--format=%s") == "The tree under repair"


def test_a_folder_without_git_stays_without(tmp_path: Path) -> None:
    put(tmp_path / "project", {"a": "1"})

    assert not (exported(tmp_path / "project", tmp_path) / ".git").exists()
