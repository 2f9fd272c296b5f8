from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from selfheal_ci.deliver.confidence import DOUBTS, ENOUGH, REMEDIES, confidence
from selfheal_ci.values import Attested, Base, Healing, Kind, Status, Verified
from tests.healings import FINDING, a_healing

UNKNOWN = a_healing(Status.HEALED)  # no tree is known to be green
GREEN = replace(FINDING, green=UNKNOWN.source.tree)
FIXED = replace(UNKNOWN, finding=GREEN)


def by(remedy: str, healing: Healing = FIXED, *rivals: str) -> Healing:
    """The healing, made by another remedy."""
    made = healing.attempts[-1]
    candidate = replace(made.candidate, remedy=remedy, rivals=rivals)
    return replace(healing, attempts=(replace(made, candidate=candidate),))


def value(healing: Healing) -> float:
    found = confidence(healing)
    assert found
    return found.value


def test_what_needs_no_guess_is_worth_more_than_what_does() -> None:
    order = ["fixer", "shrunk-revert", "revert", "model"]

    assert sorted(order, key=lambda remedy: -value(by(remedy))) == order
    assert value(by("fixer")) >= ENOUGH > value(by("model"))


def test_each_competing_fix_lowers_it() -> None:
    alone, one, two = (value(by("mutation", FIXED, *rivals)) for rivals in ((), ("a",), ("a", "b")))

    assert alone > one > two
    found = confidence(by("mutation", FIXED, "a", "b"))
    assert found
    assert found.doubts[:2] == ("it was found by mutation", "several other edits turn the same tests green")


def test_changed_lines_that_no_failing_test_executes_lower_it_but_for_reverts() -> None:
    def seeing(healing: Healing, *lines: tuple[str, int]) -> Healing:
        [made] = healing.attempts
        assert isinstance(made.verdict, Verified)
        verdict = replace(made.verdict, evidence=replace(made.verdict.evidence, unexecuted=lines))
        return replace(healing, attempts=(replace(made, verdict=verdict),))

    assert value(seeing(by("model"), ("a.py", 1))) < value(by("model"))
    assert value(seeing(by("shrunk-revert"), ("a.py", 1))) == value(by("shrunk-revert"))


@pytest.mark.parametrize(
    "worse",
    [
        replace(FIXED, evidence=replace(FIXED.evidence, repeats=1)),
        UNKNOWN,
        replace(FIXED, finding=replace(GREEN, kinds={"t": Kind.EXPECTATION_CHANGED})),
        replace(FIXED, evidence=replace(FIXED.evidence, red_to_green=("step:tests",))),
    ],
    ids=["few repeats", "no green revision", "changed expectation", "exit code alone"],
)
def test_what_was_not_seen_lowers_it(worse: Healing) -> None:
    assert value(worse) < value(FIXED)


def test_a_guessed_base_is_worth_less_than_an_attested_one() -> None:
    guessed = replace(FIXED, source=replace(FIXED.source, base=Base("b" * 40, Attested.GUESS)))

    assert value(guessed) < value(FIXED)


def test_of_several_fixes_the_least_certain_counts() -> None:
    both = replace(FIXED, attempts=(*by("fixer").attempts, *by("model").attempts))

    assert confidence(both) == confidence(by("model"))


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.HEALED])
def test_what_is_not_healed_has_none(status: Status) -> None:
    assert confidence(replace(FIXED, status=status)) is None


def test_the_table_is_published() -> None:
    text = (Path(__file__).parents[3] / "README.md").read_text()

    assert all(f"| {doubt.why} | × {doubt.factor} |" in text for doubt in DOUBTS)
    assert all(f"| {remedy} | {worth} |" in text for remedy, worth in REMEDIES.items())
