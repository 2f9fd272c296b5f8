"""How far a verified fix can be relied on, from what was seen: never a model's own word. The README has this table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from selfheal_ci.values import Attempt, Attested, CanarySeen, Evidence, Healing, Status, Verified

ENOUGH = 0.9  # below, a person has to look
REMEDIES = {  # what a remedy's fixes are worth before anything else is known
    "own-changes": 0.98, "fixer": 0.98, "recall": 0.96, "shrunk-revert": 0.97, "revert": 0.9, "mutation": 0.85,
    "model": 0.85,
}  # fmt: skip
ENOUGH_REPEATS = 3
AS_IT_WAS = frozenset({"revert", "shrunk-revert"})  # what these bring was tried by all tests of the green revision


@dataclass(frozen=True)
class Doubt:
    """Something that makes a fix worth less: by which factor, and why."""

    why: str
    factor: float
    applies: Callable[[Attempt, Healing], bool]


DOUBTS = (
    Doubt("one other edit turns the same tests green", 0.7, lambda made, _: len(made.candidate.rivals) == 1),
    Doubt("several other edits turn the same tests green", 0.45, lambda made, _: len(made.candidate.rivals) > 1),
    Doubt("the failing tests passed fewer than three times with it", 0.8, lambda _, told: _few_repeats(told)),
    Doubt("the failing tests do not execute all that was changed", 0.9, lambda made, _: _untried(made)),
    Doubt("it was not tried whether a test that must fail still fails", 0.98, lambda _, told: _no_canary(told)),
    Doubt("there is something in it to look at (labels)", 0.8, lambda made, _: _labelled(made)),
    Doubt("no green revision is known", 0.9, lambda _, told: told.finding is None or told.finding.green is None),
    Doubt("the green revision is a guess", 0.99, lambda _, told: _is_guess(told)),
    Doubt("the test expects something else than before", 0.7, lambda _, told: "expectation_changed" in _kinds(told)),
    Doubt("only the exit code tells: there is no report of single tests", 0.9, lambda _, told: _only_exit_code(told)),
)


@dataclass(frozen=True)
class Confidence:
    """From 0 to 1, and what speaks against 1."""

    value: float
    doubts: tuple[str, ...]


def confidence(healing: Healing) -> Confidence | None:
    """The confidence in what heals; of several fixes the lowest. None where nothing is healed."""
    made = [attempt for attempt in healing.attempts if isinstance(attempt.verdict, Verified)]
    if healing.status is not Status.HEALED or not made:
        return None
    return min((_of(attempt, healing) for attempt in made), key=lambda each: each.value)


def _of(attempt: Attempt, healing: Healing) -> Confidence:
    remedy = attempt.candidate.remedy
    doubts = [doubt for doubt in DOUBTS if doubt.applies(attempt, healing)]
    value = REMEDIES.get(remedy, min(REMEDIES.values())) * prod(doubt.factor for doubt in doubts)
    return Confidence(round(value, 2), (f"it was found by {remedy}", *(doubt.why for doubt in doubts)))


def _few_repeats(healing: Healing) -> bool:
    return healing.evidence.repeats < ENOUGH_REPEATS


def _untried(made: Attempt) -> bool:
    evidence = made.verdict.evidence if isinstance(made.verdict, Verified) else Evidence()
    return bool(evidence.unexecuted) and made.candidate.remedy not in AS_IT_WAS


def _labelled(made: Attempt) -> bool:
    return isinstance(made.verdict, Verified) and bool(made.verdict.labels)


def _no_canary(healing: Healing) -> bool:
    return healing.evidence.canary is not CanarySeen.FAILED


def _is_guess(healing: Healing) -> bool:
    base = healing.source.base
    return healing.finding is not None and healing.finding.green is not None and (
        base is None or base.attested_by is Attested.GUESS
    )  # fmt: skip


def _kinds(healing: Healing) -> set[str]:
    return {str(kind) for kind in healing.finding.kinds.values()} if healing.finding else set()


def _only_exit_code(healing: Healing) -> bool:
    return all(id_.startswith("step:") for id_ in healing.evidence.red_to_green)
