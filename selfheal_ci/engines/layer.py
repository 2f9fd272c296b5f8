"""Writes changes into a folder of their own, to be laid over the frozen tree: never through a link, never outside."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from selfheal_ci import beneath
from selfheal_ci.errors import EngineError
from selfheal_ci.values import Changes, Content, Entry, Tree


def write_layer(changes: Changes, into: Path, *, newer_than: float) -> None:
    """Write each change below the empty folder `into`; deletions become overlay whiteouts. Raises EngineError.

    Files get a time at least two seconds after `newer_than` (since the epoch): make and Python's bytecode compare whole
    seconds and would take the old ones.
    """
    moment = max(time.time(), newer_than + 2)
    given = {path: content for path, content in changes.files.items() if content}
    gone = _to_delete((path for path in changes.files if path not in given), given)
    try:
        for path, content in sorted({**given, **dict.fromkeys(gone)}.items()):
            with beneath.parent(into, path, make=True) as (folder, name):
                _write(folder, name, content, moment)
    except ValueError as strange:
        raise EngineError(f"{path!r} is no path below the tree") from strange
    except OSError as failed:
        raise EngineError(f"a change cannot be laid over the tree: {failed}", hint="see `selfheal doctor`") from failed


def lay_tree(
    tree: Tree, below: Mapping[str, Entry], into: Path, *, export: Callable[[Tree, Path], None], newer_than: float
) -> float:
    """Write what makes the tree of another one that lies below into the empty folder; the time its files get.

    `export` writes entries and a `.git` into a folder. Raises EngineError.
    """
    changed = {path: entry for path, entry in tree.entries.items() if below.get(path) != entry}
    export(replace(tree, entries=changed, environment=()), into)
    moment = max(time.time(), newer_than + 2)
    for parent, folders, files in os.walk(into):
        if parent == str(into):
            folders[:] = [name for name in folders if name != ".git"]
        for name in files:
            os.utime(f"{parent}/{name}", (moment, moment), follow_symlinks=False)
    gone = Changes(dict.fromkeys(_to_delete((path for path in below if path not in tree.entries), changed)))
    write_layer(gone, into, newer_than=newer_than)
    return moment


def _to_delete(gone: Iterable[str], given: Iterable[str]) -> list[str]:
    """The deletions that are still needed: none where a folder becomes a file, or a file a folder."""
    files = set(given)
    folders = {folder for path in files for folder in _folders(path)}
    return [path for path in gone if path not in folders and files.isdisjoint(_folders(path))]


def _folders(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


def _write(folder: int, name: str, content: Content | None, moment: float) -> None:
    if content is None:
        os.mknod(name, stat.S_IFCHR, 0, dir_fd=folder)
    elif content.mode == "120000":
        os.symlink(content.data, os.fsencode(name), dir_fd=folder)
    else:
        mode = 0o755 if content.mode == "100755" else 0o644
        with os.fdopen(
            os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode, dir_fd=folder), "wb"
        ) as file:
            file.write(content.data)
            file.flush()
            os.utime(file.fileno(), (moment, moment))
