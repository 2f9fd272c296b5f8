"""Half of a change is not left behind."""

from __future__ import annotations

import pytest

from selfheal_ci.remedies import Tries
from selfheal_ci.remedies.halves import halved
from selfheal_ci.remedies.revert import Revert
from selfheal_ci.remedies.shrunk_revert import ShrunkRevert
from selfheal_ci.values import Candidate, Case, Culprit, Evidence, Hunk, Rejected
from tests.fakes import Check, a_failure, a_finding, a_place

WAS = b"def f(x):\n    for y in x:\n        drop(y)\n"
NOW = b"def f(x):\n    gone = []\n    for y in x:\n        gone.insert(y)\n        drop(y)\n    return gone\n"
WITHOUT_USE = NOW.replace(b"        gone.insert(y)\n", b"")


@pytest.mark.parametrize(
    ("then", "name"),
    [
        (WITHOUT_USE, "gone"),
        (WITHOUT_USE.replace(b"    return gone\n", b""), "gone"),
        (WAS, None),
        (NOW.replace(b"gone.insert(y)", b"gone.append(y)"), None),
        (NOW.replace(b"        drop(y)\n", b""), None),
        (b"not python(", None),
    ],
    ids=["one use", "all but where it is made", "all of it", "another word", "what is older", "no Python"],
)
def test_names_the_variable_that_does_less(then: bytes, name: str | None) -> None:
    assert halved(WAS, NOW, then) == name


def test_a_parameter_without_use_is_half_a_change_too() -> None:
    was, now = b"def f(x):\n    return x\n", b"def f(x, most=1):\n    x = cut(x, most)\n    return x\n"

    assert halved(was, now, now.replace(b"    x = cut(x, most)\n", b"")) == "most"
    assert halved(now, now, now.replace(b"    x = cut(x, most)\n", b"")) is None, "it is older than the change"


def hunks() -> list[Hunk]:
    """The likeliest first."""
    return [
        Hunk("a.py", 3, (), (b"        gone.insert(y)\n",)),
        Hunk("a.py", 1, (), (b"    gone = []\n",)),
        Hunk("a.py", 5, (), (b"    return gone\n",)),
    ]


def offered(remedy: Revert | ShrunkRevert, known: list[Hunk]) -> list[Candidate]:
    check: Check = lambda files: "red" if b"insert" in files["a.py"] else None  # noqa: E731
    place = a_place({"a.py": NOW, "b.py": b"2\n"}, {"t::a": check})
    green = place.files.tree({"a.py": WAS, "b.py": b"1\n"})
    finding = a_finding(culprit=Culprit((hunks()[0],), None, "how"), green=green)
    case = Case(place.tree, place.lab.step, (a_failure("t::a"),), finding, hunks=tuple(known))
    tries, found = Tries(remedy.candidates(case, place.lab)), []
    for candidate in tries:
        found.append(candidate)
        tries.answer(Rejected("no", Evidence()))
    return found


def test_the_revert_takes_what_belongs_to_the_culprit() -> None:
    [whole] = offered(Revert(), hunks())

    assert whole.changes.files["a.py"].data == WAS  # type: ignore[union-attr]
    assert whole.why == "reverts a.py:4, and 2 more that belong to it"


def test_where_that_is_not_to_be_had_nothing_is_reverted() -> None:
    [told] = offered(Revert(), hunks()[:1])

    assert not told.changes
    assert told.flaw == "it would leave `gone` there, and not all that the change does with it"


def test_a_part_of_the_culprit_leaves_no_half_either() -> None:
    assert offered(ShrunkRevert(), hunks()) == []
