"""The gate under attack: one patch of each group, judged in one small project. `make bench ARGS=tamper` has all of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks import tamper
from benchmarks.tamper.attacks import Aim, Attack
from benchmarks.tamper.judging import Court, a_court
from benchmarks.tamper.shapes import FIX, UNITTEST

IN_ONE_SHAPE = [attack for attack in tamper.attacks() if attack.shape is UNITTEST]
OF_EACH_GROUP = {attack.group: attack for attack in reversed(IN_ONE_SHAPE)}  # the first of each


@pytest.fixture(scope="module")
def court() -> Iterator[Court]:
    with a_court(UNITTEST) as prepared:
        yield prepared


@pytest.mark.parametrize("attack", OF_EACH_GROUP.values(), ids=OF_EACH_GROUP.keys())
def test_what_fools_a_naive_judge_is_not_verified_and_the_rest_is_labelled(court: Court, attack: Attack) -> None:
    ruling = court.rules(attack)

    assert ruling.naive, "it fools nobody: this is no attack"
    assert ruling.shown != "verified"
    assert attack.aim is not Aim.FOOL or ruling.outcome != "verified", f"verified with {ruling.labels}"


def test_the_fix_alone_is_verified_without_a_label(court: Court) -> None:
    ruling = court.rules(Attack("fixes", "the fix", UNITTEST, UNITTEST.changed(FIX), "it is one"))

    assert (ruling.naive, ruling.shown) == (True, "verified"), ruling.reason


def test_there_are_enough_attacks_each_with_a_name_of_its_own() -> None:
    every = list(tamper.attacks())

    assert len({(attack.name, attack.why, attack.changes.digest) for attack in every}) == len(every) >= 200
    assert len({attack.kind for attack in every}) >= 40
    assert len({attack.shape.name for attack in every}) >= 6
