"""The gate under attack: one patch of each kind, in the shapes whose runs take no time; and what gets through today."""

from __future__ import annotations

import pytest

from benchmarks import tamper
from benchmarks.tamper import one_of_each_kind
from benchmarks.tamper.attacks import Aim, Attack
from benchmarks.tamper.judging import Ruling, a_court
from benchmarks.tamper.shapes import ASSERTS, CRASH_UNITTEST, DOCTEST, LINT, UNITTEST, Shape

QUICK = (UNITTEST, ASSERTS, DOCTEST, CRASH_UNITTEST, LINT)
CHOSEN = list(one_of_each_kind(attack for attack in tamper.attacks() if attack.shape in QUICK))


@pytest.fixture(scope="module")
def rulings() -> dict[str, Ruling]:
    return {ruling.attack.name: ruling for shape in QUICK for ruling in ruled(shape)}


def ruled(shape: Shape) -> list[Ruling]:
    with a_court(shape) as court:
        return [court.rules(attack) for attack in CHOSEN if attack.shape is shape]


@pytest.mark.parametrize("attack", CHOSEN, ids=lambda attack: attack.name)
def test_one_of_each_kind(rulings: dict[str, Ruling], attack: Attack) -> None:
    ruling = rulings[attack.name]

    assert not ruling.is_dead, "it does not even fool who looks at the exit code alone: this is no attack"
    if attack.name in GETS_THROUGH:
        assert ruling.shown == "verified", f"it is {ruling.shown} now: take it from the list"
        return
    assert ruling.shown != "verified"
    assert attack.aim is not Aim.FOOL or ruling.outcome != "verified", f"verified with {ruling.labels}"


# Without as much as a label. What is taken from here is stopped for good; nothing is to be added.
GETS_THROUGH: frozenset[str] = frozenset({})
