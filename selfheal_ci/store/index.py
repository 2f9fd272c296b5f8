"""Reads a checkout's index as data: which files git itself takes for unchanged, by their time and size."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from selfheal_ci.store.changes import named

_HEADER = struct.Struct(">4sII")
_STAT = struct.Struct(">10I")  # ctime, mtime (seconds, nanoseconds each), dev, ino, mode, uid, gid, size
DIGEST = {"sha1": 20, "sha256": 32}
EXTENDED, NAME_LENGTH = 0x4000, 0xFFF
VERSIONS = (2, 3, 4)


@dataclass(frozen=True)
class Seen:
    """A file as it was when git last looked."""

    blob: str
    mtime: int  # nanoseconds
    size: int


@dataclass(frozen=True)
class Index:
    """The entries of an index and when it was written."""

    entries: Mapping[str, Seen] = field(default_factory=dict)
    written: int = 0  # nanoseconds

    def may_be_unchanged(self, path: str, blob: str, about: os.stat_result) -> bool:
        """Whether git has seen a file of this size here as this blob."""
        seen = self.entries.get(path)
        return seen is not None and (seen.blob, seen.size) == (blob, about.st_size & 0xFFFFFFFF)

    def is_unchanged(self, path: str, blob: str, about: os.stat_result) -> bool:
        """Whether git has seen just this file as this blob. One written as late as the index may have changed since."""
        same = self.may_be_unchanged(path, blob, about) and self.entries[path].mtime == about.st_mtime_ns
        return same and about.st_mtime_ns < self.written


def read_index(data: bytes, written: int, object_format: str) -> Index:
    """The entries of an index; none where it cannot be understood, or another file holds a part of it."""
    try:
        return Index(dict(_entries(data, DIGEST[object_format])), written)
    except (struct.error, ValueError, IndexError):
        return Index()


def stat_below(folder: Path, path: str) -> os.stat_result | None:
    try:
        return os.lstat(folder / path)
    except OSError:
        return None


def _entries(data: bytes, digest: int) -> Iterator[tuple[str, Seen]]:
    signature, version, count = _HEADER.unpack_from(data)
    if signature != b"DIRC" or version not in VERSIONS:
        return
    at, name = _HEADER.size, b""
    for _ in range(count):
        begin = at
        stat = _STAT.unpack_from(data, at)
        at += _STAT.size
        blob = data[at : at + digest].hex()
        flags = int.from_bytes(data[at + digest : at + digest + 2], "big")
        at += digest + (4 if flags & EXTENDED else 2)
        if version == VERSIONS[-1]:  # how many bytes of the last name to drop, then the rest
            dropped, at = _number(data, at)
            end = data.index(b"\0", at)
            name = name[: len(name) - dropped] + data[at:end]
            at = end + 1
        else:
            end = data.index(b"\0", at + min(flags & NAME_LENGTH, len(data) - at))
            name = data[at:end]
            at = begin + (end - begin + 8) // 8 * 8
        yield named(name), Seen(blob, stat[2] * 10**9 + stat[3], stat[9])


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number of git's variable length and where it ends."""
    value = data[at] & 0x7F
    while data[at] & 0x80:
        at += 1
        value = ((value + 1) << 7) | (data[at] & 0x7F)
    return value, at + 1
