"""Revisions, commits and hunks are those of the checkout, read from a store of our own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfheal_ci.errors import UsageError
from selfheal_ci.hunks import revert
from selfheal_ci.store import Store, open_store
from selfheal_ci.values import Commit, Content, Hunk, Tree
from tests.builders import Files, a_repository, commit, git, put

OLD: Files = {
    "edited": "1\n2\n3\n4\n5\n6\n7\n8\n9\n",
    "removed": "gone\n",
    "mode": "m\n",
    "binary": b"\0\1\2",
    "crlf": b"a\r\nb\r\nc\r\n",
    "open": "a\nb",
    "link": "a file\n",
    "module": "x\n",
    "grown": "first\n",
    "cr": b"a\rb\nc\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return a_repository(tmp_path / "project", OLD)


@pytest.fixture
def store(project: Path, tmp_path: Path) -> Iterator[Store]:
    with open_store(project, tmp_path / "store") as opened:
        yield opened


@pytest.fixture
def changed(project: Path) -> None:
    """Every way in which a tree can differ from OLD."""
    put(
        project,
        {
            "edited": "1\nTWO\n3\n4\n7\n8\n8a\n8b\n9\n",
            "removed": None,
            "added": "new\n",
            "binary": b"\0\1\3",
            "crlf": b"a\r\nB\r\nc\r\n",
            "open": "a\nB",
            "grown": "zero\nfirst\n",
            "cr": b"A\rb\nc\n",
            "link": None,
        },
    )
    (project / "mode").chmod(0o755)
    (project / "link").symlink_to("mode")


def test_revisions_are_named_as_in_the_checkout(tmp_path: Path, project: Path) -> None:
    first = git(project, "rev-parse", "HEAD")
    git(project, "tag", "--annotate", "--message", "one", "v1")
    second = commit(project, {"edited": ""})
    git(project, "branch", "side/way", first)
    git(project, "pack-refs", "--all")
    git(project, "update-ref", "refs/remotes/origin/main", second)
    git(project, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")

    with open_store(project, tmp_path / "store") as store:
        named = {name: store.resolve(name) for name in ("HEAD", "main", "origin", "origin/main", second[:9], "HEAD^0")}
        assert set(named.values()) == {second}
        named = {name: store.resolve(name) for name in ("HEAD~1", "side/way", "v1", "main^", "refs/heads/side/way")}
        assert set(named.values()) == {first}
        assert store.tree("v1").entries == store.tree(first).entries
        assert store.tree("v1").id == git(project, "rev-parse", "v1^{tree}")


@pytest.mark.parametrize(
    "revision",
    [
        "nope",
        "HEAD~7",
        "",
        "-h",
        "--all",
        "--help",
        "^HEAD",
        "HEAD..HEAD",
        "HEAD HEAD",
        "HEAD\n",
        "a\0b",
        "HEAD^{tree}",
        "@{u}",
    ],
)
def test_a_revision_that_is_none_is_a_usage_error(store: Store, project: Path, revision: str) -> None:
    with pytest.raises(UsageError) as wrong:
        store.tree(revision)

    assert wrong.value.message == f"there is no revision {revision!r} in {project}"
    assert "fetch-depth" in wrong.value.hint


def test_commits_are_told_oldest_first_with_what_they_touched(tmp_path: Path, project: Path) -> None:
    odd = 'new\nline "x"'
    second = commit(project, {"edited": "e", odd: ""}, "edit\n\nand more")
    third = commit(project, {}, "nothing")
    git(project, "switch", "--quiet", "--create", "side", second)
    side = commit(project, {"side": ""}, "beside: ünïcode")
    git(project, "switch", "--quiet", "main")
    git(project, "merge", "--quiet", "--no-edit", "side")
    merge = git(project, "rev-parse", "HEAD")

    with open_store(project, tmp_path / "store") as store:
        commits = store.commits("HEAD~2", "HEAD")
        whole = store.commits("HEAD~3", "main")

    assert set(commits) == {
        Commit(third, "nothing", ()),
        Commit(side, "beside: ünïcode", ("side",)),
        Commit(merge, "Merge branch 'side'", ()),
    }
    assert whole[0] == Commit(second, "edit", ("edited", odd))
    assert whole[-1].id == merge


def test_what_comes_before_what(tmp_path: Path, project: Path) -> None:
    second = commit(project, {"edited": ""})
    git(project, "switch", "--quiet", "--create", "side", "HEAD~1")
    side = commit(project, {"side": ""})

    with open_store(project, tmp_path / "again") as store:
        assert store.is_ancestor("HEAD~1", second)
        assert store.is_ancestor(second, second)
        assert not store.is_ancestor(side, second)
        with pytest.raises(UsageError, match="there is no revision"):
            store.is_ancestor("f" * 40, second)


def test_the_default_branch_is_what_was_fetched_of_it(tmp_path: Path, project: Path) -> None:
    first = git(project, "rev-parse", "HEAD")
    commit(project, {"edited": ""})
    with open_store(project, tmp_path / "local") as store:
        assert store.default_commit() is None
    git(project, "update-ref", "refs/remotes/origin/master", first)
    with open_store(project, tmp_path / "again") as store:
        assert store.default_commit() == first
        assert store.default_commit("trunk") is None


@pytest.mark.usefixtures("changed")
def test_hunks_tell_the_places_and_the_lines(store: Store) -> None:
    hunks = store.hunks(store.tree("HEAD"), store.failing().tree)

    assert hunks == [
        Hunk("added", 0, (), (), None, Content(b"new\n"), whole=True),
        Hunk("binary", 0, (), (), Content(b"\0\1\2"), Content(b"\0\1\3"), whole=True),
        Hunk("cr", 0, (b"a\rb\n",), (b"A\rb\n",)),
        Hunk("crlf", 1, (b"b\r\n",), (b"B\r\n",)),
        Hunk("edited", 1, (b"2\n",), (b"TWO\n",)),
        Hunk("edited", 4, (b"5\n", b"6\n"), ()),
        Hunk("edited", 6, (), (b"8a\n", b"8b\n")),
        Hunk("grown", 0, (), (b"zero\n",)),
        Hunk("link", 0, (), (), Content(b"a file\n"), Content(b"mode", "120000"), whole=True),
        Hunk("mode", 0, (), (), Content(b"m\n"), Content(b"m\n", "100755"), whole=True),
        Hunk("open", 1, (b"b",), (b"B",)),
        Hunk("removed", 0, (), (), Content(b"gone\n"), None, whole=True),
    ]


@pytest.mark.usefixtures("changed")
def test_reverting_all_hunks_gives_the_older_tree(store: Store) -> None:
    old, new = store.tree("HEAD"), store.failing().tree

    reverted = store.write(new, revert(store.hunks(old, new), reader(store, new)))

    assert (reverted.id, reverted.entries) == (old.id, old.entries)


@pytest.mark.usefixtures("changed")
def test_reverting_one_hunk_leaves_the_others(store: Store) -> None:
    new = store.failing().tree
    hunks = store.hunks(store.tree("HEAD"), new)

    reverted = revert([hunk for hunk in hunks if hunk.path == "edited"][1:2], reader(store, new))

    assert reverted.files == {"edited": Content(b"1\nTWO\n3\n4\n5\n6\n7\n8\n8a\n8b\n9\n")}


def test_an_executable_file_stays_one_when_it_is_reverted(project: Path, tmp_path: Path) -> None:
    (project / "edited").chmod(0o755)
    git(project, "commit", "--quiet", "--all", "--message", "executable")
    put(project, {"edited": "1\n"})
    with open_store(project, tmp_path / "again") as store:
        new = store.failing().tree

        old = store.write(new, revert(store.hunks(store.tree("HEAD"), new)[:1], reader(store, new)))

    assert old.entries["edited"].mode == "100755"


def test_a_name_that_looks_like_a_patch_is_a_name(project: Path, store: Store) -> None:
    evil = "x\ndiff --git a/edited b/edited\n@@ -1 +1 @@\n"
    put(project, {evil: "1\n"})
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "evil")
    put(project, {evil: "2\n", "edited": "diff --git a/x b/x\n@@ -9 +9 @@\n"})
    with open_store(project, project.parent / "again") as again:
        hunks = again.hunks(again.tree("HEAD"), again.failing().tree)

    assert [(hunk.path, hunk.start, len(hunk.old), hunk.new) for hunk in hunks] == [
        ("edited", 0, 9, (b"diff --git a/x b/x\n", b"@@ -9 +9 @@\n")),
        (evil, 0, 1, (b"2\n",)),
    ]


def test_attributes_of_the_tree_change_nothing(project: Path, tmp_path: Path) -> None:
    commit(project, {".gitattributes": "* -diff text=auto\nedited binary filter=x\n"})
    put(project, {"edited": "1\n"})
    with open_store(project, tmp_path / "again") as store:
        hunks = store.hunks(store.tree("HEAD"), store.failing().tree)

    assert [(hunk.path, hunk.whole) for hunk in hunks] == [("edited", False)]


@pytest.mark.usefixtures("changed")
def test_git_applies_the_patch(tmp_path: Path, project: Path, store: Store) -> None:
    new = store.failing().tree
    patch = store.patch(store.tree("HEAD"), new)

    git(tmp_path, "clone", "--quiet", "--no-hardlinks", str(project), "clone")
    git(tmp_path / "clone", "apply", "--index", stdin=patch)

    assert git(tmp_path / "clone", "write-tree") == new.id


def test_the_patch_of_nothing_is_empty(store: Store) -> None:
    assert store.patch(store.tree("HEAD"), store.failing().tree) == b""


def reader(store: Store, tree: Tree):
    def read(path: str) -> bytes | None:
        entry = tree.entries.get(path)
        return store.read(entry) if entry else None

    return read


def test_names_of_bytes_that_are_no_text(project: Path, store: Store) -> None:
    name = os.fsdecode(b"\xff\xfe")
    put(project, {name: "1\n"})

    assert [hunk.path for hunk in store.hunks(store.tree("HEAD"), store.failing().tree)] == [name]


def healing(project: Path, name: str, fingerprint: str, more: str = "") -> str:
    return commit(
        project, {name: "fixed\n"}, f"fix(ci): {name}\n\nSelfheal-Key: k\nSelfheal-Fingerprint: {fingerprint}\n{more}"
    )


def test_commits_that_healed_are_known_by_their_trailers(project: Path, tmp_path: Path) -> None:
    first = healing(project, "edited", "1:aa")
    healing(project, "grown", "1:bb")
    squashed = healing(
        project, "mode", "1:aa", "Selfheal-Fingerprint: 1:cc\n\n* more words\n\nCo-authored-by: Ada <a@b.c>\n"
    )
    commit(project, {"open": "x"}, "we talk about Selfheal-Fingerprint: 1:aa here")

    with open_store(project, tmp_path / "store") as store:
        assert store.healed({"1:aa"}) == [
            Commit(squashed, "fix(ci): mode", ("mode",)),
            Commit(first, "fix(ci): edited", ("edited",)),
        ]
        assert [each.id for each in store.healed({"1:cc", "1:dd"})] == [squashed]
        assert store.healed({"1:a"}) == []


def test_what_the_failing_commit_does_not_have_healed_nothing(project: Path, tmp_path: Path) -> None:
    git(project, "switch", "--quiet", "--create", "aside")
    healing(project, "edited", "1:aa")
    git(project, "switch", "--quiet", "main")
    commit(project, {}, "x")
    git(project, "switch", "--quiet", "--orphan", "root")
    healing(project, "edited", "1:bb")

    with open_store(project, tmp_path / "store") as store:
        assert store.healed({"1:aa", "1:bb"}) == []


def test_a_folder_without_git_remembers_nothing(tmp_path: Path) -> None:
    put(tmp_path / "folder", {"a.py": ""})

    with open_store(tmp_path / "folder", tmp_path / "store") as store:
        assert store.healed({"1:aa"}) == []


def test_the_newest_of_some_commits_is_searched_for_in_the_history_alone(project: Path, tmp_path: Path) -> None:
    first = git(project, "rev-parse", "HEAD")
    second, rewritten = commit(project, {"edited": "2\n"}), commit(project, {"edited": "3\n"})
    git(project, "reset", "--quiet", "--hard", second)
    head = commit(project, {"edited": "4\n"})

    with open_store(project, tmp_path / "store") as store:
        assert store.newest({first, second, rewritten, "f" * 40, "HEAD", "--all"}) == second
        assert store.newest({first, head}) == head
        assert store.newest({rewritten}) is None
        assert store.newest(()) is None


def test_a_folder_without_history_has_no_newest_commit(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with open_store(tmp_path / "folder", tmp_path / "store") as store:
        assert store.newest({"f" * 40}) is None


def test_what_the_commit_has_is_tracked(project: Path, store: Store) -> None:
    assert store.tracks(project / "edited")
    assert not store.tracks(project / "ledger.db")
    assert not store.tracks(project.parent / "edited")
