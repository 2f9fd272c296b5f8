"""Trees out of a dictionary, for tests of the engines."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from selfheal_ci.values import Content, Entry, Tree

Files = Mapping[str, bytes | Content]


def a_tree(root: Path, files: Files) -> Tree:
    """A tree of these files; its id and blobs are git-like, not git's."""
    entries = {path: Entry(_content(file).mode, _blob(_content(file))) for path, file in files.items()}
    whole = hashlib.sha1(repr(sorted(entries.items())).encode("utf-8", "surrogateescape"), usedforsecurity=False)
    return Tree(whole.hexdigest(), root, entries)


def exporter(files: Files) -> Callable[[Tree, Path], None]:
    """An `export` that writes these files, those that the tree has."""

    def export(tree: Tree, into: Path) -> None:
        for path in tree.entries:
            _write(into / path, _content(files[path]))

    return export


def _write(path: Path, content: Content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if content.mode == "120000":
        path.symlink_to(os.fsdecode(content.data))
        return
    path.write_bytes(content.data)
    path.chmod(0o755 if content.mode == "100755" else 0o644)


def _content(file: bytes | Content) -> Content:
    return file if isinstance(file, Content) else Content(file)


def _blob(content: Content) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content.data) + content.data, usedforsecurity=False).hexdigest()
