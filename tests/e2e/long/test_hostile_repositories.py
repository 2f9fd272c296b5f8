"""Every trap alone, and repositories that are not where one expects them."""

from __future__ import annotations

import shutil

import pytest

from tests.builders import git
from tests.faults import HEAL, PUBLISH
from tests.hostile_repositories import CHECKOUT, TRAPS, Trap, a_hostile_repository


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.name)
def test_plain_git_runs_it_and_we_do_not(trap: Trap) -> None:
    with a_hostile_repository(trap) as hostile:
        ended = hostile.use()

        assert hostile.ran == []
        assert {name: each.exit_code for name, each in ended.items()} == {
            name: 2 if name == "publish" and trap not in CHECKOUT else 0 for name in ended
        }
        hostile.spring(trap)
        assert hostile.ran == [trap.mark]


def test_a_working_tree_elsewhere_is_not_written() -> None:
    with a_hostile_repository(healed=True) as hostile:
        scene, elsewhere = hostile.scene, hostile.scene.place / "elsewhere"
        elsewhere.mkdir()
        git(scene.project, "config", "core.worktree", str(elsewhere))

        ended = [scene.run(words) for words in (HEAL, PUBLISH, ["apply"])]

        assert [each.exit_code for each in ended] == [0, 0, 0]
        assert list(elsewhere.iterdir()) == []
        git(scene.project, "checkout", "--force", "main")
        assert [path.name for path in elsewhere.iterdir()] != []


def test_a_repository_that_is_elsewhere_is_read_alike() -> None:
    with a_hostile_repository(*CHECKOUT) as hostile:
        project = hostile.scene.project
        shutil.move(project / ".git", hostile.scene.place / "elsewhere.git")
        (project / ".git").write_text("gitdir: ../elsewhere.git\n")

        ended = hostile.use()

        assert hostile.ran == []
        assert {name: each.exit_code for name, each in ended.items()} == dict.fromkeys(ended, 0), ended
