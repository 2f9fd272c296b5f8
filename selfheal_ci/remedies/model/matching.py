"""Where in a text a passage stands that a model quoted, when it did not quote it quite exactly. Never by edit distance."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from selfheal_ci.remedies.model.lines import bodies, ending, split, with_ending

MOST = 1000  # places looked at for one passage


@dataclass(frozen=True)
class Span:
    """Characters of the text, and what replaces them."""

    start: int
    end: int
    new: str


Match = tuple[Span, ...]
Rung = Callable[["Passage"], list[Match]]


@dataclass(frozen=True)
class Passage:
    """An edit of a text."""

    text: str
    old: str
    new: str


def matches(passage: Passage) -> list[Match]:
    """All that the first rung of the ladder finds which finds anything."""
    return next((found for rung in LADDER if (found := rung(passage))), [])


def replaced(text: str, match: Match) -> str:
    """The text with the match replaced."""
    for span in reversed(match):
        text = text[: span.start] + span.new + text[span.end :]
    return text


def is_indented_unclearly(passage: Passage, match: Match) -> bool:
    """Whether a quote begins after the indentation of its line, and what replaces it goes on with less than that.

    It is not known then whether its further lines are meant as they are, or as far to the right as the first one.
    """
    indentation = re.split(r"[\r\n]", passage.text[: match[0].start])[-1]
    if not indentation or indentation.strip() or len(bodies(passage.old)) > 1:
        return False
    return any(line.strip() and not line.startswith(indentation) for line in bodies(passage.new)[1:])


def line_of(text: str, match: Match) -> int:
    """The line on which a match begins, from 1."""
    return len(split(text[: match[0].start] + "x"))


# ---------------------------------------------------------------------------------------------------------------------
# The rungs, in their order


def _exact(passage: Passage) -> list[Match]:
    whole = (at for at in _places(passage.text, passage.old) if not _cuts_an_ending(passage.text, at, at + len(passage.old)))
    return [_span(passage, at) for at in whole]


def _line_endings(passage: Passage) -> list[Match]:
    old = with_ending(passage.old, ending(passage.text))
    adapted = Passage(passage.text, old, passage.new)
    return _exact(adapted) if old != passage.old else []


def _trailing_space(passage: Passage) -> list[Match]:
    return [_lines(passage, at, passage.new) for at in _find(passage, str.rstrip)]


_NUMBER = re.compile(r"[ \t]*(\d{1,7})(?:\t|→|[ \t]*\|[ \t]?|:[ \t]?)")


def _line_numbers(passage: Passage) -> list[Match]:
    old, new = _unnumbered(passage.old), _unnumbered(passage.new)
    if old is None or (new is None and passage.new.strip() and any(map(_NUMBER.match, split(passage.new)))):
        return []
    plain = Passage(passage.text, old, passage.new if new is None else new)
    return _trailing_space(plain) or _indentation(plain)


def _indentation(passage: Passage) -> list[Match]:
    found = []
    file, old = bodies(passage.text), bodies(passage.old)
    for at in _find(passage, str.strip):
        shift = _shift(file[at : at + len(old)], old)
        new = None if shift is None else _shifted(passage.new, shift)
        if new is not None:
            found.append(_lines(passage, at, new))
    return found


def _blank_lines(passage: Passage) -> list[Match]:
    for old, new in _without_blank_ends(passage):
        trimmed = Passage(passage.text, old, new)
        if found := _trailing_space(trimmed) or _indentation(trimmed):
            return found
    return []


_DOTS = {"...", "…"}


def _elision(passage: Passage) -> list[Match]:
    old, new = _pieces(passage.old), _pieces(passage.new)
    if len(old) == 1 or len(old) != len(new):
        return []
    spans: list[Span] = []
    for old_piece, new_piece in zip(old, new, strict=True):
        if not old_piece.strip():
            if new_piece.strip():
                return []
            continue
        found = _trailing_space(Passage(passage.text, old_piece, new_piece))
        if len(found) != 1:
            return found
        spans += found[0]
    in_order = all(before.end <= after.start for before, after in pairwise(spans))
    return [tuple(spans)] if spans and in_order else []


LADDER: tuple[Rung, ...] = (
    _exact,
    _line_endings,
    _trailing_space,
    _line_numbers,
    _indentation,
    _blank_lines,
    _elision,
)

# ---------------------------------------------------------------------------------------------------------------------


def _span(passage: Passage, at: int) -> Match:
    return (Span(at, at + len(passage.old), with_ending(passage.new, ending(passage.text, at))),)


def _cuts_an_ending(text: str, start: int, end: int) -> bool:
    """Whether a place begins or ends between the "\\r" and the "\\n" of one line ending."""
    return any(text[at - 1 : at + 1] == "\r\n" for at in (start, end) if at > 0)


def _lines(passage: Passage, at: int, new: str) -> Match:
    """Whole lines from `at`, as many as the passage has, replaced by the lines of `new`."""
    lines = split(passage.text)
    count = len(bodies(passage.old))
    start = sum(map(len, lines[:at]))
    region = "".join(lines[at : at + count])
    end = ending(passage.text, start)
    last = lines[at + count - 1]
    closing = last[len(last.rstrip("\r\n")) :]
    written = end.join(bodies(new))
    return (Span(start, start + len(region), written + closing if bodies(new) else ""),)


def _find(passage: Passage, key: Callable[[str], str]) -> list[int]:
    """The lines of the text at which the passage's lines stand, compared by a key."""
    wanted = [key(line) for line in bodies(passage.old)]
    if not any(wanted):
        return []
    file = [key(line) for line in bodies(passage.text)]
    starts = list(accumulate((len(line) + 1 for line in file), initial=0))
    hay, needle = "\n" + "\n".join(file) + "\n", "\n" + "\n".join(wanted) + "\n"
    return [bisect_right(starts, at) - 1 for at in _places(hay, needle)]


def _places(text: str, part: str) -> list[int]:
    """All offsets of a part, overlapping ones too, up to MOST."""
    found: list[int] = []
    at = text.find(part)
    while at >= 0 and len(found) < MOST:
        found.append(at)
        at = text.find(part, at + 1)
    return found


def _unnumbered(text: str) -> str | None:
    """The text without the line numbers in front; None unless every line has one and they count up by one."""
    numbers, lines = [], []
    for line in bodies(text):
        found = _NUMBER.match(line)
        if found is None:
            return None
        numbers.append(int(found[1]))
        lines.append(line[found.end() :] + "\n")
    counts_up = all(after == before + 1 for before, after in pairwise(numbers))
    return "".join(lines) if lines and counts_up else None


def _shift(file: Sequence[str], old: Sequence[str]) -> tuple[str, str] | None:
    """(what is missing in front of every line of the passage, what is too much), one of them empty; None if not uniform."""
    shifts = set()
    for there, said in zip(file, old, strict=True):
        if there.strip():
            deep, quoted = _indent(there), _indent(said)
            if deep.endswith(quoted):
                shifts.add((deep[: len(deep) - len(quoted)], ""))
            elif quoted.endswith(deep):
                shifts.add(("", quoted[: len(quoted) - len(deep)]))
            else:
                return None
    return shifts.pop() if len(shifts) == 1 else None


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _shifted(new: str, shift: tuple[str, str]) -> str | None:
    """The text moved by a shift; None when a line has less in front than is to be taken away."""
    missing, surplus = shift
    lines = []
    for line in split(new):
        if not line.strip():
            lines.append(line)
        elif line.startswith(surplus):
            lines.append(missing + line.removeprefix(surplus))
        else:
            return None
    return "".join(lines)


def _without_blank_ends(passage: Passage) -> Iterator[tuple[str, str]]:
    old, new = split(passage.old), split(passage.new)
    for head, tail in ((1, 0), (0, 1), (1, 1)):
        dropped = old[:head] + old[len(old) - tail :]
        if len(old) > head + tail and not "".join(dropped).strip():
            yield "".join(old[head : len(old) - tail]), "".join(_without_ends(new, head, tail))


def _without_ends(lines: list[str], head: int, tail: int) -> list[str]:
    first = head if lines and not lines[0].strip() else 0
    last = tail if len(lines) > first and not lines[-1].strip() else 0
    return lines[first : len(lines) - last]


def _pieces(text: str) -> list[str]:
    """What stands between lines of three dots."""
    pieces = [""]
    for line in split(text):
        if line.strip() in _DOTS:
            pieces.append("")
        else:
            pieces[-1] += line
    return pieces
