"""How hunks are put back: the older lines in the place of the newer ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from selfheal_ci.values import Changes, Content, Hunk


def revert(hunks: Sequence[Hunk], read: Callable[[str], bytes | None]) -> Changes:
    """The changes that put these hunks back, on files that `read` gives. A hunk that is not in its place stays."""
    files: dict[str, Content | None] = {}
    for path, group in groupby(sorted(hunks, key=lambda hunk: hunk.path), key=lambda hunk: hunk.path):
        together = list(group)
        whole = next((hunk for hunk in together if hunk.whole), None)
        if whole:
            files[path] = whole.before
        elif content := _put_back(together, read(path)):
            files[path] = content
    return Changes(files)


def split_lines(data: bytes) -> list[bytes]:
    """The lines with their ends, as git counts them: only a line feed ends one."""
    return [line + b"\n" for line in data.split(b"\n")[:-1]] + ([last] if (last := data.rpartition(b"\n")[2]) else [])


def _put_back(hunks: Sequence[Hunk], data: bytes | None) -> Content | None:
    """A file without its hunks, the last one first so that the places of the others hold."""
    if data is None:
        return None
    lines = split_lines(data)
    for hunk in sorted(hunks, key=lambda hunk: hunk.start, reverse=True):
        here = slice(hunk.start, hunk.start + len(hunk.new))
        if tuple(lines[here]) == hunk.new:
            lines[here] = hunk.old
    return None if (reverted := b"".join(lines)) == data else Content(reverted, hunks[0].mode)
