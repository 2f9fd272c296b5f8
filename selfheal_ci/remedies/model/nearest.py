"""Which lines of a file are most like a passage that is not in it. The cost is bounded, whatever the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher

from selfheal_ci.remedies.model.lines import bodies

NEAR = 0.6  # how alike lines are that are worth showing
AROUND = 3  # lines shown around them
_FEW = 3  # places compared in full
_LONGEST = 4000  # characters compared
_MANY = 20_000  # lines of the file looked through
_SOME = 30  # of them compared in full, where none is the same
_LINE = 200  # characters of one line looked at
_PIECE = 4  # characters that do not agree by chance
_QUOTED = 500  # lines of the passage
_COMMON = 50  # places of one line


def nearest(text: str, old: str) -> str:
    """The lines most like a passage that is not there, numbered; empty when nothing is like it."""
    file, wanted = bodies(text), bodies(old)
    stripped = [line.strip() for line in wanted]
    places = _voted([line.strip() for line in file], stripped) or _like([line.strip() for line in file], stripped)
    scored = [(_alike(file[at : at + len(wanted)], wanted), -at) for at in places]
    if not scored or max(scored)[0] < NEAR:
        return ""
    at = -max(scored)[1]
    first, last = max(0, at - AROUND), min(len(file), at + len(wanted) + AROUND)
    return "\n".join(f"{number + 1:>5}\t{file[number]}" for number in range(first, last))


def _voted(file: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Where most lines of the passage stand in the right distance from each other."""
    where: dict[str, list[int]] = {}
    for number, line in enumerate(file[:_MANY]):
        if line:
            where.setdefault(line, []).append(number)
    votes = Counter(
        number - offset
        for offset, line in enumerate(wanted[:_QUOTED])
        for number in where.get(line, ())[:_COMMON]
        if number >= offset
    )
    return [at for at, _ in sorted(votes.items(), key=lambda vote: (-vote[1], vote[0]))[:_FEW]]


def _like(file: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Where lines stand that have most of the letters of the longest line of the passage."""
    longest = max(wanted, key=len, default="")
    offset = list(wanted).index(longest)
    letters = Counter(longest[:_LINE])
    shared = [((Counter(line[:_LINE]) & letters).total(), -number) for number, line in enumerate(file[:_MANY]) if line]
    best = sorted(shared, reverse=True)[:_SOME]
    return [max(0, -number - offset) for letters_shared, number in best if letters_shared >= NEAR * letters.total()]


def _alike(there: Sequence[str], wanted: Sequence[str]) -> float:
    """How much of the passage is there in pieces worth the name, or how alike the two are as a whole."""
    quoted = "\n".join(wanted)[:_LONGEST]
    matcher = SequenceMatcher(None, "\n".join(there)[:_LONGEST], quoted)
    pieces = sum(block.size for block in matcher.get_matching_blocks() if block.size >= _PIECE)
    return max(matcher.ratio(), pieces / max(len(quoted), 1))
