"""A healing in numbers, the same in the log, the report and the commit: failures by kind, what is healed, what it cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from selfheal_ci.values import HEALABLE, Cost, Healing, Kind, Lack, Status
from selfheal_ci.words import counted

KINDS = {  # one, several
    Kind.REGRESSION: ("regression", "regressions"),
    Kind.NEW_FAILURE: ("new", "new"),
    Kind.ORDER_DEPENDENT: ("order-dependent", "order-dependent"),
    Kind.EXPECTATION_CHANGED: ("changed expectation", "changed expectations"),
    Kind.ENVIRONMENT: ("by the environment", "by the environment"),
    Kind.INFRASTRUCTURE: ("by the machine", "by the machine"),
    Kind.FLAKY: ("flaky", "flaky"),
    Kind.BASELINE: ("known before (baseline)", "known before (baseline)"),
    None: ("not looked into", "not looked into"),
}
# What may have decided a status; a key that was not given leaves it at not_healed.
DECISIVE = {
    Status.ERROR: {Lack.REFUSED_KEY, Lack.SERVICE},
    Status.OVER_BUDGET: {Lack.MONEY, Lack.TIME},
    Status.NOT_HEALED: {Lack.KEY},
}


def by_kind(kinds: Iterable[Kind | None]) -> str:
    """`62 failures: 3 regressions, 59 known before (baseline)`."""
    numbers = Counter(kinds)
    parts = [f"{numbers[kind]:,} {words[numbers[kind] > 1]}" for kind, words in KINDS.items() if numbers[kind]]
    return f"{counted(numbers.total(), 'failure')}: {', '.join(parts)}"


def part(healing: Healing) -> str:
    """`1 of 2 failures`: of those that may be healed at all."""
    kinds = healing.finding.kinds if healing.finding else {}
    wanted = {failure.id for failure in healing.failures if kinds.get(failure.id) in HEALABLE}
    healed = wanted.intersection(healing.evidence.red_to_green)
    return f"{len(healed):,} of {counted(len(wanted), 'failure')}"


def is_partial(healing: Healing) -> bool:
    """Whether a part of it was healed, and no more."""
    return bool(healing.changes) and healing.status in {Status.NOT_HEALED, Status.OVER_BUDGET, Status.ERROR}


def decisive(healing: Healing) -> str:
    """What was missing when nothing healed, where that decided the status."""
    lacks = DECISIVE.get(healing.status, set())
    return next((lack.message for lack in healing.lacks if lack.lack in lacks), "")


def price(cost: Cost, *, at_most: bool) -> str:
    """`$0.021`; the most that it can have been where some of it is not known."""
    return f"{'at most ' * at_most}${cost.usd:.3f}"


def is_upper_bound(cost: Cost) -> bool:
    """Whether the cost of one reply holds calls of which nobody said what they took."""
    tokens = cost.input_tokens + cost.cached_tokens + cost.output_tokens
    return cost.usd > 0 and (cost.calls > 1 or not tokens)


def spent(healing: Healing) -> str:
    """What the healing cost."""
    bounds = (is_upper_bound(attempt.candidate.cost) for attempt in healing.attempts)
    return price(healing.cost, at_most=any(bounds))
