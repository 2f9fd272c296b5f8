"""Old tokens in changed lines: the older version of a line that was moved or rewritten, in whole and in part."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from selfheal_ci.hunks import split_lines
from selfheal_ci.pieces import pieces
from selfheal_ci.remedies.mutation.kinds import Mutation
from selfheal_ci.remedies.mutation.text import Edit, Source
from selfheal_ci.values import Hunk

ALIKE = 0.4  # ratio of equal tokens from which on a line may be the older version of another
LONGEST = 200  # lines of each side that are compared
VERSIONS = 3  # older lines that one is compared with
TOKENS = 6  # of the older line that may stand in the place of one
_TOKEN = re.compile(r"\w+|\"[^\"\n]*\"|'[^'\n]*'|[-+*/%<>=!&|^~@]=?=?|\s+|.")
_KINDS = (re.compile(r"[^\W\d]\w*"), re.compile(r"\d\w*"), re.compile(r"[\"'].*"), re.compile(r"[-+*/%<>=!&|^~@]+"))


def mixes(source: Source, hunks: Sequence[Hunk], everywhere: Sequence[Hunk]) -> Iterator[Mutation]:
    """Edits of the lines that `hunks` of this file changed, with what older lines of any hunk had instead.

    Not those that only put a piece of a hunk back: smaller reverts are another remedy's.
    """
    older = _lines([text for hunk in everywhere for text in _old(hunk)])
    for hunk in hunks:
        first, last = (1, len(source.starts) - 1) if hunk.whole else hunk.lines
        pure = {piece.was.decode(source.encoding, "replace") for piece in pieces(hunk)}
        for number in range(first, min(last, first + LONGEST) + 1):
            if number < len(source.starts):
                start = source.starts[number - 1]
                yield from _of_line(source.text[start : source.starts[number]].rstrip("\r\n"), start, number, older, pure)


def _old(hunk: Hunk) -> list[bytes]:
    if hunk.whole:
        return split_lines(hunk.before.data) if hunk.before and b"\0" not in hunk.before.data else []
    return list(hunk.old)


def _lines(texts: Sequence[bytes]) -> list[str]:
    decoded = [text.decode("utf-8", "replace").strip() for text in texts]
    return list(dict.fromkeys(text for text in decoded if text and not text.startswith("#")))[:LONGEST]


def _of_line(line: str, start: int, number: int, older: Sequence[str], pure: set[str]) -> Iterator[Mutation]:
    now, here = _TOKEN.findall(line), line.strip()
    alike = [(_ratio(here, old), old) for old in older if old != here]
    for _, old in sorted((pair for pair in alike if pair[0] >= ALIKE), key=lambda pair: (-pair[0], pair[1]))[:VERSIONS]:
        was = _TOKEN.findall(line[: len(line) - len(line.lstrip())] + old)
        parts = list(_differences(now, was, start))
        if len(parts) > 1:
            yield Mutation("old and new mixed", tuple(parts), number)
        tried = {part for part in parts if part.new in pure}
        for part in [*parts, *_swapped(now, was, start)]:
            if part not in tried:
                tried.add(part)
                yield Mutation("old and new mixed", (part,), number, 0.8 if part in parts else 0.5)


def _differences(now: list[str], was: list[str], start: int) -> Iterator[Edit]:
    places = _offsets(now, start)
    for kind, a, a_end, b, b_end in SequenceMatcher(None, now, was, autojunk=False).get_opcodes():
        if kind != "equal":
            yield Edit(places[a], places[a_end], "".join(was[b:b_end]))


def _swapped(now: list[str], was: list[str], start: int) -> Iterator[Edit]:
    """One token that is new, and in its place one of the same kind that is gone."""
    places = _offsets(now, start)
    gone = [token for token in dict.fromkeys(was) if token not in now]
    for at, token in enumerate(now):
        fitting = [old for old in gone if token not in was and _same_kind(old, token)]
        yield from (Edit(places[at], places[at + 1], old) for old in fitting[:TOKENS])


def _same_kind(left: str, right: str) -> bool:
    return any(kind.fullmatch(left) and kind.fullmatch(right) for kind in _KINDS)


def _ratio(here: str, old: str) -> float:
    now, was = ([token for token in _TOKEN.findall(text) if token.strip()] for text in (here, old))
    return SequenceMatcher(None, now, was, autojunk=False).ratio()


def _offsets(tokens: Sequence[str], start: int) -> list[int]:
    places = [start]
    for token in tokens:
        places.append(places[-1] + len(token))
    return places
