from __future__ import annotations

from dataclasses import replace

import pytest

from selfheal_ci.remedies.model.feedback import NARROW, in_a_line, outcome
from selfheal_ci.remedies.model.held_back import held_back, without
from selfheal_ci.remedies.model.prompt import Prompts
from selfheal_ci.values import Evidence, Rejected
from tests.unit.remedies.model.cases import FAILURE, PROJECT, a_case, a_shop

LIST = b"""import pytest

from shop.cart import total


@pytest.mark.parametrize(
    "count, cents",
    [
        (1, 450),
        (2, 900),
        pytest.param(3, 1350, id="three"),
        (4, [1800,
             0]),
    ],
)
def test_total(count, cents):
    assert total(count) == cents
"""
IDS = ("1-450", "2-900", "4-cents3", "three")
FAILING = tuple(replace(FAILURE, id=f"tests/test_cart.py::test_total[{name}]", message=f"assert {name}") for name in IDS)


def test_every_third_case_of_a_test_is_held_back() -> None:
    assert held_back(FAILING) == {"tests/test_cart.py::test_total[4-cents3]"}
    assert held_back(FAILING[::-1]) == held_back(FAILING)


@pytest.mark.parametrize("failures", [FAILING[:2], [FAILURE] * 5, []])
def test_few_cases_are_told_in_full(failures: list[object]) -> None:
    assert held_back(failures) == frozenset()  # type: ignore[arg-type]


def test_a_case_that_is_held_back_is_nowhere_in_the_prompt() -> None:
    place = a_shop(PROJECT | {"tests/test_cart.py": LIST})

    text = Prompts("5e1f", "tests", str).opening(a_case(place, *FAILING), place.lab).record

    assert "1800" not in text
    assert "4-cents3" not in text
    assert "pytest.param(3, 1350" in text
    assert "1 case of the same tests, with other values, is not shown." in text


@pytest.mark.parametrize(
    "source",
    [
        b"def test_total(:\n",
        b"@pytest.mark.parametrize('count', CASES)\ndef test_total(count): ...\n",
        b"@a.parametrize('x', [4])\n@a.parametrize('y', [4])\ndef test_total(x, y): ...\n",
        b"@a.parametrize()\ndef test_total(x, y): ...\n",
    ],
)
def test_a_list_that_is_not_written_beside_its_test_stays(source: bytes) -> None:
    lines = source.decode().split("\n")

    assert without("tests/test_cart.py", lines, held_back(FAILING)) == lines


def test_only_held_back_cases_that_fail_are_told_as_a_narrow_fix() -> None:
    case = a_case(a_shop(), *FAILING)
    held = tuple(failure for failure in FAILING if failure.id in held_back(FAILING))
    verdict = Rejected("3 of 4 now pass; test_total[4-cents3]: assert", Evidence(), held)

    assert (outcome(verdict, case), in_a_line(verdict, case)) == (NARROW, NARROW)


def test_feedback_counts_and_says_what_is_as_before_and_what_is_not() -> None:
    case = a_case(a_shop(), *FAILING)
    other = replace(FAILING[1], message="KeyError: 'user'", line=41, text="")
    verdict = Rejected("…", Evidence(red_to_green=(FAILING[2].id, FAILING[3].id)), (FAILING[0], other))

    told = outcome(verdict, case)

    assert told.startswith("2 of 4 failing tests pass now:")
    assert "test_total[1-450] fails as before" in told
    assert (
        "test_total[2-900] fails in another way than before\nAssertionError: KeyError: 'user'\nat tests/test_cart.py:41"
        in told
    )


def test_feedback_says_what_a_fix_breaks() -> None:
    broken = replace(FAILURE, id="tests/test_count.py::test_count")
    verdict = Rejected("…", Evidence(green_to_red=(broken.id,)), (broken,))

    assert outcome(verdict, a_case(a_shop())).startswith("The failing tests pass, but 1 test that passed before fails now:")


def test_a_case_that_is_held_back_is_not_named_where_nothing_ran() -> None:
    case = a_case(a_shop(), *FAILING)
    held = "tests/test_cart.py::test_total[4-cents3]"
    verdict = Rejected(f"0 of 4 now pass; {held}: did not run", Evidence())

    told = [outcome(verdict, case), in_a_line(verdict, case)]

    assert told == ["0 of 4 now pass; tests/test_cart.py::test_total[a case that is not shown]: did not run"] * 2


def test_feedback_says_what_fails_instead_of_the_tests() -> None:
    broken = replace(FAILURE, id="tests/test_cart.py", message="ImportError: no name total", type="ImportError")

    told = outcome(Rejected("…", Evidence(), (broken,)), a_case(a_shop(), *FAILING))

    assert told.startswith("0 of 4 failing tests pass now:\n\ntests/test_cart.py\nImportError: no name total")
