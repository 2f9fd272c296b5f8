"""The search: where it looks, what it offers, when it stops, and when it says that the tests do not decide."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import pytest

from selfheal_ci.remedies.mutation import remedy
from selfheal_ci.remedies.mutation.remedy import Mutation
from selfheal_ci.values import Allowance, Candidate, Case, Hunk, Red
from tests.fakes import Check, Place, Project, a_failure, a_finding, a_place, a_run

ID = "tests/test_cart.py::test_total"
OTHER = "tests/test_cart.py::test_count"
CART = b"""def total(prices, fee):
    paid = sum(prices)
    return paid - fee


def count(prices):
    return len(prices)
"""
TEST = b"""from cart import count, total


def test_total():
    assert total([30, 12], 5) == 47


def test_count():
    assert count([30, 12]) == 2
"""
PROJECT = {"cart.py": CART, "tests/test_cart.py": TEST, "README.md": b"total\n"}


def checked(files: Project, claim: str) -> str | None:
    """Why a claim does not hold for the cart."""
    names: dict[str, object] = {}
    try:
        exec(files["cart.py"], names)
        return None if eval(claim, names) else f"not {claim}"
    except (TypeError, ValueError, NameError, ArithmeticError, LookupError, AttributeError, AssertionError) as error:
        return repr(error)


CHECKS: Mapping[str, Check] = {
    ID: lambda files: checked(files, "total([30, 12], 5) == 47 and total([1], 0) == 1 and total([], 2) == 2"),
    OTHER: lambda files: checked(files, "count([30, 12]) == 2"),
}


def a_cart(files: Project = PROJECT, checks: Mapping[str, Check] = CHECKS) -> tuple[Place, Case]:
    place = a_place(files, checks)
    failures = (a_failure(ID),)
    before = Red(a_run(), frozenset({OTHER}), failures)
    return place, Case(place.tree, place.lab.step, failures, a_finding(), before=before)


def asked(place: Place, case: Case) -> tuple[str, frozenset[str] | None, Allowance]:
    """Under which name the lab keeps what the failing tests say as they are."""
    place.lab.run_tests(case.targets)
    return next(iter(place.lab.answers))


def offered(place: Place, case: Case) -> list[Candidate]:
    return list(Mutation().candidates(case, place.lab))


def test_heals_a_wrong_operator_without_any_history() -> None:
    first = offered(*a_cart())[0]

    assert first.changes.files["cart.py"].data == CART.replace(b"paid - fee", b"paid + fee")  # type: ignore[union-attr]
    assert first.why.startswith("cart.py:3: `return paid + fee` instead of `return paid - fee` (arithmetic, one of ")
    assert first.flaw is None


def test_says_how_many_edits_were_tried_where_none_heals() -> None:
    never: Mapping[str, Check] = {**CHECKS, ID: lambda _: "no"}

    [told] = offered(*a_cart(checks=never))

    assert not told.changes
    assert re.fullmatch(
        r"none of [1-9]\d+ edits of 3 lines that the failing tests execute turns them green", told.flaw or ""
    )


def test_tests_and_protected_files_are_never_edited() -> None:
    place, case = a_cart({"tests/cart.py": CART, "tests/test_cart.py": TEST})

    assert offered(place, case) == []
    assert all(path == "cart.py" for _, changes in a_cart()[0].sandbox.seen for path in changes.files)


def test_what_breaks_other_tests_is_not_offered() -> None:
    both = {**CHECKS, OTHER: lambda files: "broken" if b"paid + fee" in files["cart.py"] else None}
    place, case = a_cart(checks=both)

    assert all(
        b"paid + fee" not in content.data
        for each in offered(place, case)
        for content in each.changes.files.values()
        if content
    )


def test_one_test_alone_is_less_sure_than_several_and_many_as_likely_are_none() -> None:
    assert remedy.standing([0.5], 1) < remedy.standing([0.5], 3)
    assert remedy.standing([0.5, 0.5, 0.5], 9) < remedy.LEAST_STANDING < remedy.standing([0.5, 0.1, 0.1], 2)


def test_what_a_linter_says_is_no_measure_of_an_edit() -> None:
    place, case = a_cart()

    assert offered(place, replace(case, failures=(a_failure("cart.py::mypy[operator]::no such operand"),))) == []
    assert place.sandbox.seen == []


def test_rivals_are_named() -> None:
    checks = {
        **CHECKS,
        ID: lambda files: checked(files, "total([30], 0) == 30 and total([30], 4) > 30 and total([], 4) > 1"),
    }
    place, case = a_cart(checks=checks)

    found = offered(place, case)

    assert found[0].rivals
    assert all(words.startswith("cart.py:") for words in found[0].rivals)
    assert len(set(found[0].rivals)) == len(found[0].rivals)


def test_a_single_fix_has_no_rivals_and_no_label() -> None:
    strict = {
        **CHECKS,
        ID: lambda files: checked(files, "total([30, 12], 5) == 47") if b"fee + paid" not in files["cart.py"] else "no",
    }

    [only] = offered(*a_cart(checks=strict))

    assert (only.rivals, only.labels) == ((), ())


def test_where_the_tests_do_not_decide_nothing_is_offered_and_all_are_named() -> None:
    vague = {**CHECKS, ID: lambda files: checked(files, "total([30, 12], 5) != 37")}

    [said] = offered(*a_cart(checks=vague))

    assert said.flaw is not None
    assert "the tests do not say which is right" in said.flaw
    assert not said.changes
    assert len(said.rivals) > 5


def test_the_same_every_time() -> None:
    assert offered(*a_cart()) == offered(*a_cart())


@pytest.mark.parametrize("concurrency", [1, 2, 5])
def test_the_same_whatever_runs_side_by_side(concurrency: int) -> None:
    place, case = a_cart()
    place.sandbox.concurrency = concurrency

    assert offered(place, case) == offered(*a_cart())


def test_the_budget_is_counted_in_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remedy, "PROBES", 7 * remedy.SIEVED)
    never: Mapping[str, Check] = {**CHECKS, ID: lambda _: "no"}
    place, case = a_cart(checks=never)

    offered(place, case)

    assert len({changes.digest for _, changes in place.sandbox.seen if changes}) == 7


def test_it_leaves_time_to_the_remedies_after_it() -> None:
    place, case = a_cart(checks={**CHECKS, ID: lambda _: "no"})
    place.lab.answers.update({key: Red(replace(a_run(), seconds=10), frozenset(), ()) for key in [asked(place, case)]})

    offered(place, case)

    assert len(place.sandbox.seen) <= 0.4 * 60 / (10 / 2) + 2


def test_a_constant_of_the_test_comes_last() -> None:
    cart = b"def total(prices, fee):\n    limit = 46\n    return limit\n"
    checks = {**CHECKS, ID: lambda files: checked(files, "total([30, 12], 5) == 47"), OTHER: lambda _: None}
    place, case = a_cart({**PROJECT, "cart.py": cart}, checks)

    found = offered(place, case)

    assert "47" not in found[0].why.partition("instead")[0]


def test_with_a_green_revision_only_what_changed_is_edited() -> None:
    place, case = a_cart()
    hunk = Hunk("cart.py", 1, (), (b"    paid = sum(prices)\n",))
    case = replace(case, finding=a_finding(green=place.tree), hunks=(replace(hunk, path="README.md"),))

    assert offered(place, case) == []


def test_an_old_token_of_a_moved_line_heals() -> None:
    place, case = a_cart()
    gone = Hunk("cart.py", 0, (b"    result = paid + fee\n",), ())
    came = Hunk("cart.py", 1, (), (b"    paid = sum(prices)\n", b"    return paid - fee\n"))
    case = replace(case, finding=a_finding(green=place.tree), hunks=(gone, came))

    first = offered(place, case)[0]

    assert "`return paid + fee` instead of `return paid - fee` (old and new mixed" in first.why
