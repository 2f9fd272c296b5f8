"""Names the tests after which another one fails."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from selfheal_ci.delta import smallest
from selfheal_ci.lab import Lab
from selfheal_ci.values import Red

PROBES = 100  # sets of tests that are run


def polluters(victim: str, others: Collection[str], lab: Lab) -> Sequence[str]:
    """The fewest of the other tests with which the victim fails; none when that cannot be told."""
    left = PROBES

    def first(sets: Sequence[Sequence[str]]) -> int | None:
        nonlocal left
        for at, some in enumerate(sets):
            if left <= 0:
                return None
            left -= 1
            result = lab.run_tests({*some, victim})
            if isinstance(result, Red) and victim in result.ids:
                return at
        return None

    tests = sorted(id_ for id_ in others if "::" in id_ and id_ != victim)
    if first([tests]) is None:
        return ()
    found = smallest(tests, first)
    return found if left > 0 else ()
