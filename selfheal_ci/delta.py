"""Delta debugging: of many changes, the few that matter (Zeller and Hildebrandt, "Simplifying and Isolating", 2002)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeVar

Item = TypeVar("Item")
First = Callable[[Sequence[Sequence[Item]]], int | None]  # the index of the first of these sets that is enough


def smallest(items: Sequence[Item], first: First[Item], *, alone: int = 0) -> list[Item]:
    """A part of the items that is enough and of which nothing can be left out; all of them are known to be enough.

    The likeliest items come first; `alone` of them are tried one by one before the halves are.
    """
    found = list(items)
    if len(found) > 1 and (at := first([[item] for item in found[:alone]])) is not None:
        return [found[at]]
    if lone := _lone(found, first):
        return lone
    parts = 2
    while len(found) > 1:
        pieces = _split(found, parts)
        without = [[item for item in found if item not in piece] for piece in pieces] if parts > 2 else []  # noqa: PLR2004
        at = first([*pieces, *without])
        if at is None:
            if parts == len(found):
                break
            parts = min(2 * parts, len(found))
        elif at < len(pieces):
            found, parts = pieces[at], 2
        else:
            found, parts = without[at - len(pieces)], max(parts - 1, 2)
    return found


def _lone(items: list[Item], first: First[Item]) -> list[Item] | None:
    """The one item that is enough, if there is such a one: of three parts two are tried, and then it is in the third."""
    found = items
    while len(found) > 1:
        *tried, last = _split(found, min(3, len(found)))
        at = first(tried)
        found = last if at is None else tried[at]
    return found if first([found]) == 0 else None


def _split(items: list[Item], parts: int) -> list[list[Item]]:
    """Runs of nearly the same length, in order."""
    ends = [len(items) * number // parts for number in range(parts + 1)]
    return [items[start:end] for start, end in pairwise(ends)]
