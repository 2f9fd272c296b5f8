"""Which lines are suspicious."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

from selfheal_ci.remedies.mutation.guess import guess
from selfheal_ci.remedies.mutation.places import ochiai, suspicious
from selfheal_ci.values import Case, Hunk, Trace
from tests.fakes import Project, a_failure, a_finding, a_place

CODE = b"""def outer(a):
    return inner(a)


def inner(a):
    return a


def other(a):
    return a


class Box:
    def __init__(self):
        self.a = 1
"""
TEST = b"""from code import outer


def test_a():
    assert outer(1)


def test_b():
    assert other(1)
"""
FILES = {"code.py": CODE, "tests/test_a.py": TEST}
A, B = "tests/test_a.py::test_a", "tests/test_a.py::test_b"


def a_case(files: Project = FILES, **more: object) -> tuple[Case, object]:
    place = a_place(files, {})
    case = Case(place.tree, place.lab.step, (a_failure(A),), a_finding())
    return replace(case, **more), place.lab  # type: ignore[arg-type]


def test_ochiai() -> None:
    trace = Trace(
        {A: frozenset({("code.py", 2), ("code.py", 6)}), B: frozenset({("code.py", 6)}), "": frozenset({("code.py", 1)})},
        frozenset({B}),
        frozenset({A}),
    )

    assert ochiai(trace, {A}) == {("code.py", 2): 1.0, ("code.py", 6): 1 / sqrt(2), ("code.py", 1): 1 / sqrt(2)}


def test_without_a_trace_of_the_failing_tests_there_is_nothing() -> None:
    assert ochiai(Trace({B: frozenset({("code.py", 6)})}, frozenset({B})), {A}) == {}


def test_without_a_trace_functions_that_the_test_names_and_those_that_they_name() -> None:
    case, lab = a_case()

    weights = guess(case, lab)  # type: ignore[arg-type]

    assert weights["code.py", 2] == 1.0
    assert 0 < weights["code.py", 6] < 1.0
    assert ("code.py", 10) not in weights
    assert ("code.py", 15) not in weights


def test_lines_that_the_failure_names_count_more() -> None:
    failure = replace(a_failure(A), text="code.py:6: in inner\n    return a\ncode.py:6: KeyError")
    case, lab = a_case(failures=(failure,))

    places = suspicious(case, lab)  # type: ignore[arg-type]

    assert places.of("code.py", 6) > places.of("code.py", 2)


def test_tests_are_never_suspicious() -> None:
    case, lab = a_case()

    assert suspicious(case, lab).files == ["code.py"]  # type: ignore[arg-type]


def test_since_green_changed_lines_come_before_the_rest_of_their_function() -> None:
    hunk = Hunk("code.py", 5, (), (b"    return a\n",))
    case, lab = a_case(hunks=(hunk,), finding=a_finding(green=object()))

    places = suspicious(case, lab)  # type: ignore[arg-type]

    assert places.of("code.py", 6) > places.of("code.py", 5) > 0
    assert places.of("code.py", 2) == 0


def test_a_new_file_is_changed_as_a_whole() -> None:
    hunk = Hunk("code.py", 0, (), (), whole=True)
    case, lab = a_case(hunks=(hunk,), finding=a_finding(green=object()))

    assert suspicious(case, lab).of("code.py", 2) > 0  # type: ignore[arg-type]
