"""Files that no prompt may quote (`model.never-send`)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from fnmatch import fnmatchcase

from selfheal_ci import paths
from selfheal_ci.lab import Lab
from selfheal_ci.remedies.model.lines import bodies, decode

SHORTEST_LINE = 4  # shorter ones say nothing


def may_be_sent(path: str, never_send: Collection[str]) -> bool:
    """Whether the path matches none of the globs; when in doubt it does."""
    whole = paths.folded(path)
    name = whole.rpartition("/")[2]
    globs = [paths.folded(glob.removesuffix("/")) for glob in never_send]
    return not any(fnmatchcase(whole, glob) or fnmatchcase(whole, f"{glob}/*") or fnmatchcase(name, glob) for glob in globs)


def withheld(lab: Lab, never_send: Collection[str], mask: Callable[[str], str]) -> frozenset[str]:
    """The lines, without space around them, of all files that no prompt may quote, as they are and masked."""
    if not never_send:
        return frozenset()
    hidden = [lines_of(path, lab) for path in lab.tree.entries if not may_be_sent(path, never_send)]
    lines = (line.strip() for file in hidden for line in (*file, *mask("\n".join(file)).split("\n")))
    return frozenset(line for line in lines if len(line) >= SHORTEST_LINE)


def lines_of(path: str, lab: Lab) -> list[str]:
    """The lines of a text file; none where it is no such file."""
    text = decode(lab.read(path) or b"")
    return bodies(text.text) if text else []
