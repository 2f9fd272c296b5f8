"""The kinds of edits, and how likely each is to undo a mistake.

Of one-line mistakes that people made and mended (ManySStuBs4J, PySStuBs, and the mutation operators that couple with real
faults), most are a wrong name, function or attribute, then a wrong number, a condition that lacks or has a part too
many, and a wrong operator. But a name has many that could stand in its place, and a comparison few: the numbers here are
for one edit, so that those of a kind with few choices are tried first. What deletes or adds code is green easily and
wrong often, and comes last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from selfheal_ci.remedies.mutation.text import Edit

PRIORS = {
    "old and new mixed": 1.5,  # tokens of the older version in the changed line
    "definition": 1.5,  # of a name that a failure says is not defined
    "comparison boundary": 1.0,  # < and <=
    "boolean operator": 0.9,  # and, or
    "similar function": 0.8,  # min and max, append and extend, lstrip and rstrip
    "switch": 0.8,  # True, False
    "arithmetic": 0.7,
    "comparison": 0.7,  # == and !=, < and >
    "negation": 0.7,  # `not` added or dropped
    "off by one": 0.6,  # at an index, a slice, a range, a bound
    "number": 0.6,  # ±1, its sign, another number of the function
    "assignment": 0.6,  # = and +=, += and -=
    "return": 0.6,  # `return` or `await` is missing
    "exchange": 0.5,  # two operands or arguments of one statement
    "name": 0.45,
    "attribute": 0.45,
    "callee": 0.45,
    "indentation": 0.45,  # a statement leaves or enters a block
    "order": 0.4,  # of two statements
    "condition dropped": 0.35,  # a part of it
    "branches": 0.35,
    "slice": 0.35,
    "string": 0.3,
    "unwrapped": 0.25,  # sorted(x) is x
    "condition added": 0.25,  # a part to one that is there
    "inserted call": 0.25,  # a function whose arguments are all at hand
    "inserted statement": 0.2,  # one that the function has elsewhere
    "inserted exit": 0.2,  # continue, break, return
    "inserted assignment": 0.15,
    "guard": 0.15,  # a statement gets a condition
    "bound": 0.12,  # min or max around an expression
    "wrapped": 0.1,
    "expression": 0.1,  # another expression of the function
    "argument dropped": 0.1,
    "deleted": 0.1,
    "two edits": 0.15,  # of one line, times both
}


@dataclass(frozen=True)
class Mutation:
    """Edits of one file that belong together."""

    kind: str
    edits: tuple[Edit, ...]
    line: int
    factor: float = 1.0  # how likely it is among those of its kind

    @property
    def prior(self) -> float:
        return PRIORS[self.kind] * self.factor


def edit(kind: str, line: int, *changes: tuple[int, int, str], factor: float = 1.0) -> Mutation:
    """A mutation of (start, end, new) parts."""
    return Mutation(kind, tuple(Edit(*change) for change in changes), line, factor)


def fading(number: int) -> float:
    """How likely the choice with this number is, beside those before it."""
    return 1 / (1 + number / 3)


def others(here: str, known: Sequence[str]) -> list[str]:
    """The texts that are not this one, the ones most like it first."""
    return sorted((text for text in dict.fromkeys(known) if text != here), key=lambda text: (-_alike(here, text), text))


def _alike(left: str, right: str) -> float:
    """How many pairs of letters two names share."""
    pairs = [{text[at : at + 2].lower() for at in range(len(text) - 1)} for text in (left, right)]
    return len(pairs[0] & pairs[1]) / max(len(pairs[0] | pairs[1]), 1)
