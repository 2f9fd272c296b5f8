"""What the search makes of a piece of Python, for the tests of its parts."""

from __future__ import annotations

from collections.abc import Collection

from selfheal_ci.remedies.mutation.mutants import Mutant, mutants
from selfheal_ci.remedies.mutation.places import Places
from selfheal_ci.values import Case
from tests.fakes import a_failure, a_finding, a_place

PATH = "shop/code.py"


def all_of(text: str | bytes, *, lines: Collection[int] | None = None) -> list[Mutant]:
    """Every edit of a file, the likeliest first."""
    data = text.encode() if isinstance(text, str) else text
    place = a_place({PATH: data}, {})
    case = Case(place.tree, place.lab.step, (a_failure(),), a_finding())
    wanted = lines if lines is not None else range(1, data.count(b"\n") + 2)
    return list(mutants(case, place.lab, Places({(PATH, line): 1.0 for line in wanted})))


def edited(text: str | bytes, *, lines: Collection[int] | None = None) -> set[bytes]:
    """What the file becomes."""
    found = (mutant.changes.files[PATH] for mutant in all_of(text, lines=lines))
    return {content.data for content in found if content}


def becomes(old: str, new: str, *, before: str = "", after: str = "") -> bool:
    """Whether one line of a function may become another."""
    text = f"{before}def f(self, a, b, items):\n    {old}\n{after}"
    return text.replace(old, new, 1).encode() in edited(text)
