"""Trees and what may be changed in them. Paths are relative, with "/", undecodable bytes as surrogate escapes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

SHA256_DIGITS = 64


@dataclass(frozen=True)
class Entry:
    """What a git tree says of one path."""

    mode: str  # "100644", "100755", "120000"
    blob: str  # object id of the bytes as git keeps them; a working tree may have them with other line ends


@dataclass(frozen=True)
class Tree:
    """A whole set of files; its bytes are in the store."""

    id: str  # git tree id
    root: Path  # the absolute path at which every run sees the tree
    entries: Mapping[str, Entry]
    environment: tuple[str, ...] = ()  # ignored files and folders below root that the tests need (.venv, …)


@dataclass(frozen=True)
class Content:
    """The bytes a changed path gets."""

    data: bytes
    mode: str = "100644"


@dataclass(frozen=True)
class Changes:
    """New content for each path; None deletes it."""

    files: Mapping[str, Content | None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.files)

    def over(self, below: Changes) -> Changes:
        """Both, and ours where both name a path."""
        return Changes({**below.files, **self.files})

    @property
    def digest(self) -> str:
        """The same for the same changes, whatever the order they were made in."""
        total = hashlib.sha256()
        for path, content in sorted(self.files.items()):
            parts = (b"-",) if content is None else (content.mode.encode(), content.data)
            for part in (path.encode("utf-8", "surrogateescape"), *parts):
                total.update(len(part).to_bytes(8, "big") + part)
            total.update(b"|")
        return total.hexdigest()


NOTHING = Changes(MappingProxyType({}))


@dataclass(frozen=True)
class Commit:
    """One commit between the green revision and the failing one."""

    id: str
    subject: str
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Hunk:
    """One change between two trees. A text hunk replaces lines; a whole-file one adds, deletes or rewrites the file."""

    path: str
    start: int  # index of the first new line in the newer file, from 0
    old: tuple[bytes, ...]  # lines of the older file, ends kept
    new: tuple[bytes, ...]  # lines of the newer file, ends kept
    before: Content | None = None  # whole files only
    after: Content | None = None
    whole: bool = False
    mode: str = "100644"  # text hunks only: the file's, on both sides

    @property
    def lines(self) -> tuple[int, int]:
        """First and last line in the newer file, from 1; for a pure deletion the line it stood before, twice."""
        return (self.start + 1, self.start + max(len(self.new), 1))


def blob_id(data: bytes, *, like: str = "") -> str:
    """The id that git gives these bytes, in the object format of another id; SHA-1 where there is none."""
    make = hashlib.sha256 if len(like) == SHA256_DIGITS else hashlib.sha1
    return make(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
