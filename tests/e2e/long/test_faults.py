"""Healings that are killed, a clock that jumps, a machine that refuses: the next one finds a clean place."""

from __future__ import annotations

import json
import os
import time

import pytest

from tests.builders import branches
from tests.faults import HALF_A_YEAR, HEAL, PUBLISH, Fault, Plan, a_scene


@pytest.mark.parametrize("with_all", [True, False])
def test_a_killed_healing_is_made_again_in_the_same_folder(with_all: bool) -> None:
    with a_scene(healed=False) as scene:
        before = scene.checkout()
        for moment in (0.1, 0.4, 0.8, 1.2, 1.6):
            started = scene.start(HEAL)
            time.sleep(moment)
            started.kill(with_all=with_all)
            killed = started.end()
            again = scene.run(HEAL)

            assert (again.exit_code, killed.strange, scene.unhealed()) == (0, [], []), again.said
        assert scene.checkout() == before


def test_a_clock_that_jumps_changes_nothing() -> None:
    jumps = Plan(clock_jumps=True)
    with a_scene(healed=False) as scene:
        healed = [scene.run(HEAL, jumps), scene.run(HEAL, jumps)]
        wrong = scene.unhealed()
        published = [scene.run(PUBLISH, jumps), scene.run(PUBLISH, jumps)]

        assert [each.exit_code for each in (*healed, *published)] == [0, 0, 0, 0], (healed, published)
        assert wrong == []
        assert len(branches(scene.remote)) == 2


@pytest.mark.parametrize("age", [HALF_A_YEAR, -HALF_A_YEAR])
def test_what_was_left_goes_whatever_its_time_is(age: float) -> None:
    with a_scene(healed=True) as scene:
        scene.run(PUBLISH, Plan(12, Fault.KILLED))
        for path in (scene.machine.temporary, *scene.machine.temporary.rglob("*"), *scene.output.iterdir()):
            os.utime(path, (time.time() - age, time.time() - age))
        assert list(scene.machine.temporary.iterdir()) != []

        assert scene.run(PUBLISH).exit_code == 0
        assert scene.unpublished() == []


@pytest.mark.parametrize("nth", [12, 30, 60])
def test_what_the_machine_refuses_is_told_in_heal_json_too(nth: int) -> None:
    with a_scene(healed=False) as scene:
        refused = scene.run(HEAL, Plan(nth, Fault.BROKEN))

        assert refused.strange == []
        if refused.exit_code and (scene.output / "heal.json").exists():
            assert json.loads((scene.output / "heal.json").read_text())["status"] == "error"
            assert "Input/output error" in (scene.output / "report.md").read_text()
        assert scene.run(HEAL).exit_code == 0
        assert scene.unhealed() == []
