"""Reads and makes git trees, through a private index each time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from selfheal_ci.errors import ToolError
from selfheal_ci.store.changes import LINKS, named
from selfheal_ci.store.git import ALONE, Git
from selfheal_ci.store.worktree import is_gits_own
from selfheal_ci.values import Entry

Entries = Mapping[str, Entry]


def read_tree(git: Git, tree: str) -> dict[str, Entry]:
    """All entries below a tree, submodules too. Raises ToolError for names that no checkout can have."""
    entries = {}
    for line in git.run("ls-tree", "-r", "-z", "--full-tree", tree).split(b"\0")[:-1]:
        facts, _, name = line.partition(b"\t")
        mode, _, blob = facts.decode().split(" ")
        path = named(name)
        if is_gits_own(path) or path in entries or any(parent in entries for parent in _parents(path)):
            raise ToolError(f"the tree {tree} has a file named {path!r}", hint="`git fsck` tells which commit has it")
        entries[path] = Entry(mode, blob)
    return entries


def without_submodules(entries: Entries) -> dict[str, Entry]:
    """What our trees hold: files and links."""
    return {path: entry for path, entry in entries.items() if entry.mode != LINKS}


def make_tree(git: Git, base: str | None, changes: Mapping[str, Entry | None]) -> str:
    """The id of a tree with these changes, made from another one or from nothing. The blobs are there already."""
    if strange := [path for path in changes if is_gits_own(path) or "\0" in path]:
        raise ToolError(f"no tree can have a file named {strange[0]!r}", hint="see where that name comes from")
    if base and not changes:
        return git.run("rev-parse", "--verify", f"{base}^{{tree}}").decode().strip()
    with private_index(git, base) as env:
        zero = "0" * (40 if git.object_format == "sha1" else 64)
        gone = [path for path, entry in changes.items() if entry is None]
        lines = [f"0 {zero}\t{path}" for path in gone]
        lines += [f"{entry.mode} {entry.blob}\t{path}" for path, entry in changes.items() if entry]
        told = b"".join(line.encode("utf-8", "surrogateescape") + b"\0" for line in lines)
        answer = git.ask("update-index", "-z", "--replace", "--index-info", stdin=told, env=env)
        if answer.exit_code or answer.stderr:  # of a name that it does not take git only says that it is ignored
            raise ToolError(f"git makes no tree of this: {answer.stderr.strip()}", hint="see the names of its files")
        return git.run("write-tree", "--missing-ok", env=env | ALONE).decode().strip()


def make_commit(git: Git, tree: str, message: str, *, who: str, seconds: int, parents: Sequence[str] = ()) -> str:
    """The id of a commit. who: name and address, as in `Ada <ada@example.org>`; seconds: since the epoch."""
    head = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
    roles = [f"{role} {who} {seconds} +0000" for role in ("author", "committer")]
    text = "\n".join((*head, *roles, "", message.rstrip("\n"), ""))
    return git.run("hash-object", "-w", "-t", "commit", "--stdin", stdin=text.encode(), env=ALONE).decode().strip()


@contextmanager
def private_index(git: Git, tree: str | None) -> Iterator[dict[str, str]]:
    """The environment of commands that share an index of their own, with this tree in it."""
    with tempfile.TemporaryDirectory(prefix="index-", dir=git.folder) as folder:
        env = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        git.run("read-tree", tree if tree else "--empty", env=env)
        yield env


def replaced(entries: Entries, changes: Mapping[str, Entry | None]) -> dict[str, Entry]:
    """The entries with these changes; where a file takes a folder's place, or the reverse, the new one stays."""
    found = dict(entries)
    for path in changes:
        found.pop(path, None)
    for path, entry in changes.items():
        if entry is not None:
            for parent in _parents(path):
                found.pop(parent, None)
            found[path] = entry
    fresh = {path for path, entry in changes.items() if entry is not None and path not in entries}
    if not fresh:
        return found
    return {path: entry for path, entry in found.items() if path in changes or not fresh.intersection(_parents(path))}


def _parents(path: str) -> Iterator[str]:
    return (path[:at] for at, letter in enumerate(path) if letter == "/")
