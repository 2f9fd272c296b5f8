from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

import pytest

from selfheal_ci.delta import First, smallest

Enough = Callable[[frozenset[int]], bool]


def asked(enough: Enough, count: list[frozenset[int]]) -> First[int]:
    """Asks one after the other, each set once, as the lab remembers its answers."""

    def first(sets: Sequence[Sequence[int]]) -> int | None:
        for at, each in enumerate(sets):
            if frozenset(each) not in count:
                count.append(frozenset(each))
            if enough(frozenset(each)):
                return at
        return None

    return first


CULPRITS = ({0}, {1}, {0, 1}, {0, 2}, {1, 4, 7}, {0, 39})


@pytest.mark.parametrize(
    ("size", "culprits"), [(size, each) for size in (1, 2, 3, 5, 8, 40) for each in CULPRITS if max(each) < size]
)
def test_finds_exactly_what_matters(size: int, culprits: set[int]) -> None:
    assert set(smallest(range(size), asked(lambda found: culprits <= found, []))) == culprits


def test_leaves_nothing_that_could_be_left_out_where_sets_disturb_each_other() -> None:
    def enough(found: frozenset[int]) -> bool:  # 3 heals, unless 5 is there without 6
        return 3 in found and (5 not in found or 6 in found)

    assert smallest(range(8), asked(enough, [])) == [3]


def test_the_likeliest_are_tried_alone_first() -> None:
    count: list[frozenset[int]] = []

    assert smallest(range(64), asked(lambda found: 1 in found, count), alone=2) == [1]
    assert len(count) == 2


@pytest.mark.parametrize("size", [5, 10, 20, 40, 100])
def test_one_culprit_takes_few_runs(size: int) -> None:
    chance = random.Random(size)
    runs = []
    for _ in range(300):
        culprit = chance.randrange(size)
        count: list[frozenset[int]] = []
        smallest(range(size), asked(lambda found, culprit=culprit: culprit in found, count), alone=2)  # type: ignore[misc]
        runs.append(len(count) + 1)  # and the one that showed that all of them are enough

    assert sum(runs) / len(runs) <= 2 * math.log2(size) + 3
