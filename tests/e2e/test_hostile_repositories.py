"""No command of ours runs anything that a checkout, or a remote beside it, has planted; plain git runs each of them."""

from __future__ import annotations

import pytest

from tests.builders import branches
from tests.faults import PUBLISH, Scene
from tests.hostile_repositories import CHECKOUT, REMOTES, Hostile, Trap, a_hostile_repository

# One of each kind; tests/e2e/long springs all of them.
KINDS = ("core.fsmonitor", "filter.x.clean", "diff.external", "remote.origin.receivepack", "include.path", "hook pre-push")


def test_nothing_runs_in_a_checkout_that_is_full_of_traps() -> None:
    with a_hostile_repository(*CHECKOUT) as hostile:
        ended = hostile.use()

        assert hostile.ran == []
        assert {name: each.exit_code for name, each in ended.items()} == dict.fromkeys(ended, 0), ended
        assert len(branches(hostile.scene.remote)) == 2


@pytest.mark.parametrize("trap", [trap for trap in CHECKOUT if trap.name in KINDS], ids=lambda trap: trap.name)
def test_plain_git_runs_it(trap: Trap) -> None:
    with a_hostile_repository(trap) as hostile:
        hostile.spring(trap)

        assert hostile.ran == [trap.mark]


@pytest.mark.parametrize("trap", REMOTES, ids=lambda trap: trap.name)
def test_a_repository_that_runs_something_is_named_by_a_person(scene: Scene, trap: Trap) -> None:
    hostile = Hostile(scene)
    hostile.plant([trap])

    ended = scene.run(PUBLISH)

    assert (ended.exit_code, hostile.ran) == (2, [])
    assert f"is a folder at {scene.remote} that runs programs of its own (" in ended.said
    assert f"where you trust it, name it yourself: --remote {scene.remote}\n" in ended.said
    assert set(branches(scene.remote)) <= {"main"}
