"""Trees are written out and changed without ever leaving the folder they belong to."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from selfheal_ci.errors import ToolError
from selfheal_ci.store import Store, open_store
from selfheal_ci.store.trees import make_commit
from selfheal_ci.values import NOTHING, Changes, Content, Entry, Tree
from tests.builders import Files, a_repository, commit, git, put
from tests.snapshots import seen

FILES: Files = {"a.py": "a = 1\n", "b/c.py": "c = 1\n", "b/d/e": b"\0\r\n"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return a_repository(tmp_path / "project", FILES)


@pytest.fixture
def store(project: Path, tmp_path: Path) -> Iterator[Store]:
    with open_store(project, tmp_path / "store") as opened:
        yield opened


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


def names(folder: Path) -> list[str]:
    """The files of a folder, without those of the repository that goes with a tree."""
    found = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return sorted(name for path in found if not (name := str(path.relative_to(folder))).startswith(".git/"))


def test_a_tree_is_written_out_as_it_was(project: Path, store: Store, into: Path) -> None:
    (project / "b/c.py").chmod(0o755)
    (project / "up").symlink_to("../../etc/passwd")

    store.export(store.failing().tree, into)

    assert names(into) == ["a.py", "b/c.py", "b/d/e", "up"]
    assert (into / "b/d/e").read_bytes() == b"\0\r\n"
    assert stat.S_IMODE((into / "b/c.py").stat().st_mode) & 0o100
    assert not stat.S_IMODE((into / "a.py").stat().st_mode) & 0o100
    assert (into / "up").readlink() == Path("../../etc/passwd")


def test_the_environment_comes_along_with_its_links_and_times(project: Path, store: Store, into: Path) -> None:
    put(project, {".venv/lib/m.py": "", ".venv/bin/tool": "#!", ".venv/lib/.git/config": "token", ".venv/empty/x": ""})
    (project / ".venv/empty/x").unlink()
    (project / ".venv/bin/tool").chmod(0o755)
    (project / ".venv/bin/python").symlink_to("/usr/bin/python3")
    os.utime(project / ".venv/lib/m.py", ns=(1, 1_234_567_891))

    store.export(store.failing().tree, into)

    assert names(into / ".venv") == ["bin/python", "bin/tool", "lib/m.py"]
    assert (into / ".venv/bin/python").readlink() == Path("/usr/bin/python3")
    assert (into / ".venv/lib/m.py").stat().st_mtime_ns == 1_234_567_891
    assert (into / ".venv/bin/tool").stat().st_mode & 0o100
    assert (into / ".venv/empty").is_dir()


def test_nothing_of_the_environment_goes_through_a_link_of_the_tree(
    tmp_path: Path, project: Path, store: Store, into: Path
) -> None:
    (tmp_path / "outside").mkdir()
    put(project, {"web/node_modules/x/i.js": "1", "build/x.o": "1"})
    tree = replace(store.failing().tree, environment=("web/node_modules", "build"))
    link = Content(str(tmp_path / "outside").encode(), "120000")

    store.export(store.write(tree, Changes({"web": link, "build": link})), into)

    assert names(tmp_path / "outside") == []
    assert names(into) == ["a.py", "b/c.py", "b/d/e", "build", "web"]


def test_changes_make_a_tree_that_git_would_make(project: Path, store: Store) -> None:
    tree = store.tree("HEAD")
    changes = Changes({"a.py": None, "b/c.py": Content(b"c = 2\n", "100755"), "new/f": Content(b"")})

    changed = store.write(tree, changes)

    put(project, {"a.py": None, "b/c.py": "c = 2\n", "new/f": ""})
    (project / "b/c.py").chmod(0o755)
    git(project, "add", "--all")
    assert changed.id == git(project, "write-tree")
    assert set(changed.entries) == {"b/c.py", "b/d/e", "new/f"}
    assert store.read(changed.entries["b/c.py"]) == b"c = 2\n"
    assert (changed.root, changed.environment) == (tree.root, tree.environment)


def test_an_object_that_the_checkout_has_keeps_its_time(project: Path, tmp_path: Path) -> None:
    head = commit(project, {"a.py": "a = 2\n"}, "second")
    parent, tree = git(project, "rev-parse", "HEAD~1"), git(project, "rev-parse", "HEAD^{tree}")
    before = seen(project)

    with open_store(project, tmp_path / "work") as store:
        again = store.write(store.tree(parent), Changes({"a.py": Content(b"a = 2\n")}))
        made = make_commit(store.git, tree, "second", who="Ada <ada@example.org>", seconds=1700000000, parents=[parent])

    assert (again.id, made) == (tree, head)
    assert seen(project) == before
    git(project, "commit-tree", tree, "-p", parent, "-m", "second")
    assert seen(project) != before  # git gives it a new time


def test_no_changes_make_the_same_tree(store: Store) -> None:
    assert store.write(store.tree("HEAD"), NOTHING) == store.tree("HEAD")


@pytest.mark.parametrize("changes", [{"b": b"file"}, {"a.py/x": b"file"}, {"b/d": None, "b": b"x"}])
def test_a_file_in_the_place_of_a_folder_replaces_it(store: Store, changes: dict[str, bytes | None]) -> None:
    wanted = Changes({path: None if data is None else Content(data) for path, data in changes.items()})

    changed = store.write(store.tree("HEAD"), wanted)

    told = git(store.git.folder, "ls-tree", "-r", "--name-only", changed.id).splitlines()
    assert sorted(changed.entries) == told


@pytest.mark.parametrize("path", ["../out", "/etc/x", ".git/hooks/x", "a/.GIT/x", "a//b", "./a", "", "a\0b"])
def test_a_path_that_leaves_the_tree_is_refused(store: Store, path: str) -> None:
    with pytest.raises(ToolError):
        store.write(store.tree("HEAD"), Changes({path: Content(b"x")}))


def test_a_tree_that_no_checkout_can_have_is_refused(project: Path, tmp_path: Path) -> None:
    blob = git(project, "hash-object", "-w", "--stdin", stdin=b"/tmp")
    inner = git(project, "mktree", stdin=f"100644 blob {blob}\tpwned\n".encode())
    raw = b"120000 x\0" + bytes.fromhex(blob) + b"40000 x\0" + bytes.fromhex(inner)
    tree = git(project, "hash-object", "-t", "tree", "-w", "--stdin", "--literally", stdin=raw)
    git(project, "update-ref", "refs/heads/evil", git(project, "commit-tree", tree, "-m", "evil"))

    with open_store(project, tmp_path / "store") as store, pytest.raises(ToolError, match="a file named 'x/pwned'"):
        store.tree("evil")


def test_bytes_that_are_not_there_are_an_error_that_says_so(store: Store) -> None:
    with pytest.raises(ToolError, match=r"(?s)1111 are not there.*partial clone"):
        store.read(Entry("100644", "1" * 40))
    assert store.read(store.tree("HEAD").entries["a.py"]) == b"a = 1\n"


def test_many_may_read_and_write_at_once(store: Store) -> None:
    tree = store.tree("HEAD")

    def turn(number: int) -> bytes:
        data = f"{number}\n".encode() * 1000
        written: Tree = store.write(tree, Changes({"b/c.py": Content(data)}))
        return store.read(written.entries["b/c.py"])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(turn, range(40))) == [f"{number}\n".encode() * 1000 for number in range(40)]
