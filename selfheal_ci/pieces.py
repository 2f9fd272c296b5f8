"""A hunk in pieces: the smallest edits, down to tokens, that put parts of it back.

What is gone comes back by whole statements: half of a function that was there is nobody's work.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import pairwise

from selfheal_ci.hunks import split_lines
from selfheal_ci.values import Content, Hunk

MOST_TOKENS = 4000  # of both sides together; a larger block is put back by lines
SHORT, VERSION = (6, 200), 0.8  # tokens of a few lines, and the ratio of equal ones in a version of them
MOVED_LINES, MOVED = 2, 0.6  # how many lines, and what part of a block that is gone, stand elsewhere when it was moved
ALIKE = 0.4  # ratio of equal tokens, below which two blocks are no versions of each other
_TOKEN = re.compile(rb"\w+|[ \t]+|\r?\n|.", re.DOTALL)


@dataclass(frozen=True)
class Piece:
    """One edit of the newer text: bytes from `start` to `end` become what they were."""

    start: int
    end: int
    was: bytes


def pieces(hunk: Hunk) -> list[Piece]:
    """What a hunk is made of, in the order of the newer text; all together put it back. None where there is no text."""
    texts = _texts(hunk)
    return list(_line_pieces(*map(split_lines, texts))) if texts else []


def moved(gone: Hunk, here: Hunk) -> Sequence[Piece]:
    """What changed on the way, where the lines that are gone with one hunk have come back with another. Else nothing."""
    old, new = list(gone.old), split_lines(new_text(here))
    same = [block for block in SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks() if block.size]
    count = sum(bool(line.strip()) for block in same for line in old[block.a : block.a + block.size])
    if count < MOVED_LINES or count < MOVED * sum(bool(line.strip()) for line in old):
        return list(_line_pieces(old, new)) if _is_version(b"".join(old), b"".join(new)) else []
    start, end = max(0, same[0].b - same[0].a), same[-1].b + len(old) - same[-1].a  # where all of it would be now
    before = len(b"".join(new[:start]))
    inner = _line_pieces(old, new[start:end])
    return [Piece(piece.start + before, piece.end + before, piece.was) for piece in inner]


def _is_version(old: bytes, new: bytes) -> bool:
    """Whether a few lines are others with a word or two changed."""
    before, after = ([token for token in _TOKEN.findall(text) if token.strip()] for text in (old, new))
    if not SHORT[0] <= min(len(before), len(after)) <= max(len(before), len(after)) <= SHORT[1]:
        return False
    return SequenceMatcher(None, before, after, autojunk=False).ratio() >= VERSION


def put_back(hunk: Hunk, some: Sequence[Piece]) -> Hunk:
    """A hunk of which reverting puts back only these pieces."""
    new = new_text(hunk)
    for piece in sorted(some, key=lambda piece: (piece.start, piece.end))[::-1]:  # those at one place stay in order
        new = new[: piece.start] + piece.was + new[piece.end :]
    if hunk.after is not None:
        return replace(hunk, before=Content(new, hunk.after.mode))
    return replace(hunk, old=tuple(split_lines(new)))


def new_text(hunk: Hunk) -> bytes:
    """What the hunk made of its place: its lines, or the whole file."""
    return b"".join(hunk.new) if not hunk.whole else hunk.after.data if hunk.after else b""


def _texts(hunk: Hunk) -> tuple[bytes, bytes] | None:
    """The older and the newer text; None where a side is missing, a link, or binary."""
    if not hunk.whole:
        return b"".join(hunk.old), b"".join(hunk.new)
    if hunk.before is None or hunk.after is None:
        return None
    is_text = all(side.mode != "120000" and b"\0" not in side.data for side in (hunk.before, hunk.after))
    return (hunk.before.data, hunk.after.data) if is_text else None


def _line_pieces(old: list[bytes], new: list[bytes]) -> Iterator[Piece]:
    """Lines that came or went one by one; blocks that changed token by token."""
    starts = _offsets(new)
    for kind, a, a_end, b, b_end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "insert":
            yield from (Piece(starts[line], starts[line + 1], b"") for line in range(b, b_end))
        elif kind == "delete":
            yield from (Piece(starts[b], starts[b], text) for text in _statements(old[a:a_end]))
        elif kind == "replace":
            yield from _token_pieces(b"".join(old[a:a_end]), b"".join(new[b:b_end]), starts[b])


def _statements(lines: list[bytes]) -> list[bytes]:
    """The lines, those of one statement together with what comes before it; each alone where they are no Python."""
    try:
        tree = ast.parse(textwrap.dedent(b"".join(lines).decode()))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return lines
    ends = [node.end_lineno or node.lineno for node in tree.body[:-1]] if tree.body else []
    places = [0, *dict.fromkeys(ends), len(lines)]
    return [b"".join(lines[start:end]) for start, end in pairwise(places)]


def _token_pieces(old: bytes, new: bytes, offset: int) -> Iterator[Piece]:
    before, after = _TOKEN.findall(old), _TOKEN.findall(new)
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    if len(before) + len(after) > MOST_TOKENS or matcher.ratio() < ALIKE:
        yield Piece(offset, offset + len(new), old)
        return
    starts = _offsets(after)
    for kind, a, a_end, b, b_end in matcher.get_opcodes():
        if kind != "equal":
            yield Piece(offset + starts[b], offset + starts[b_end], b"".join(before[a:a_end]))


def _offsets(parts: Sequence[bytes]) -> list[int]:
    """Where each part starts, and where the last one ends."""
    offsets = [0]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    return offsets
