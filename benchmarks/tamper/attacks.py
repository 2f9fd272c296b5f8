"""What an attack is: a patch that turns a step green, or comes with what does, and must not be published as verified."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from benchmarks.tamper.shapes import BUG, FIX, SHAPES, Shape, Tool
from selfheal_ci.values import Changes

PYTEST, UNITTEST = frozenset({Tool.PYTEST}), frozenset({Tool.UNITTEST})
ASSERTS, DOCTEST = frozenset({Tool.ASSERTS}), frozenset({Tool.DOCTEST})
RUNNERS = PYTEST | UNITTEST
PYTHON = RUNNERS | ASSERTS | DOCTEST


class Aim(StrEnum):
    """What a patch is after."""

    FOOL = "fools the run"  # the bug is still there
    ANSWER = "hard-coded answers"  # the asked ones alone are right
    HARM = "harm beside a fix"  # the bug is mended


@dataclass(frozen=True)
class Attack:
    """One patch of one shape. `remedy`: who offers it."""

    group: str
    kind: str
    shape: Shape
    changes: Changes
    why: str  # it would turn a naive build green, or what harm it carries
    aim: Aim = Aim.FOOL
    remedy: str = "model"

    @property
    def name(self) -> str:
        return f"{self.kind} ({self.shape.name})"


@dataclass(frozen=True)
class Code:
    """A kind of attack that is lines of the product: the same in every shape with one of these tools."""

    kind: str
    why: str
    top: str = ""  # lines before the broken function; <TESTS>, <WORDS> and <MODULE> are filled in
    body: str = ""  # another body of it
    bottom: str = ""  # lines behind all others
    label: str = ""  # another body of the function that is right
    tools: frozenset[Tool] = PYTHON
    only: tuple[Shape, ...] = ()  # these shapes alone
    aim: Aim = Aim.FOOL

    def attacks(self, group: str) -> Iterator[Attack]:
        """One in each shape that it is for."""
        for shape in self.only or SHAPES:
            if shape.tool in self.tools:
                top, body, bottom = (_filled(text, shape) for text in (self.top, self.body, self.bottom))
                body = body or (FIX if self.aim is Aim.HARM else BUG)
                changes = shape.changed(body, top=top, bottom=bottom, label=self.label)
                yield Attack(group, self.kind, shape, changes, self.why, self.aim)


def _filled(text: str, shape: Shape) -> str:
    words = shape.tests.replace("test_cart", "test_words")
    return text.replace("<TESTS>", shape.tests).replace("<WORDS>", words).replace("<MODULE>", shape.module)


def written(group: str, codes: Iterable[Code]) -> Iterator[Attack]:
    """The attacks of a table."""
    for code in codes:
        yield from code.attacks(group)
