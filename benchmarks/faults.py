"""What is left when anything breaks at any time, and what runs in checkouts that are full of traps.

Each fault is followed by the same command again, undisturbed: then there must be exactly one fix branch, `publish.json`
names it, nothing of the output folder is lost, and nothing is left in it, in the checkout, in the remote or in the
temporary folder.
"""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Iterator, Sequence

from benchmarks.figures import Figure
from tests.faults import HEAL, PUBLISH, Ended, Fault, Plan, Scene, a_scene
from tests.hostile_repositories import CHECKOUT, TRAPS, a_hostile_repository

KILLS, HEALINGS_KILLED, RACES, SEED = 500, 40, 200, 6
BUSY = "another selfheal is at work in "


def measure() -> Iterator[Figure]:
    """Effects of publish and of writing a healing, kills at random times, races, and hostile repositories."""
    with a_scene(healed=True) as scene:
        yield from _effects(scene)
        yield from _kills(scene)
        yield from _races(scene)
    with a_scene(healed=False) as scene:
        yield from _writing(scene)
        yield from _killed_healings(scene)
    yield from _traps()


def _effects(scene: Scene) -> Iterator[Figure]:
    before, usual = scene.checkout(), scene.run(PUBLISH)
    plans = [Plan(nth, fault) for nth in range(1, len(usual.effects) + 1) for fault in Fault]
    bad = 0
    for plan in plans:
        scene.reset()
        broken, again = scene.run(PUBLISH, plan), scene.run(PUBLISH)
        bad += _is_bad(scene, f"{plan} ({usual.effects[plan.nth - 1]})", again, [*broken.strange, *scene.unpublished()])
    bad += scene.checkout() != before
    yield Figure(
        f"publish, each of {len(usual.effects)} effects breaks in {len(Fault)} ways: not made good", bad, 0, f"/{len(plans)}"
    )


def _kills(scene: Scene) -> Iterator[Figure]:
    scene.reset()
    chance, began = random.Random(SEED), time.perf_counter()  # noqa: S311  moments, not secrets
    scene.run(PUBLISH)
    lasts, bad, hit = time.perf_counter() - began, 0, 0
    for number in range(KILLS):
        scene.reset()
        moment = chance.uniform(0, lasts)
        killed = _killed(scene, PUBLISH, moment, with_all=number % 2 == 0)
        again = scene.run(PUBLISH)
        hit += killed.exit_code < 0
        bad += _is_bad(scene, f"killed after {moment:.3f} s", again, [*killed.strange, *scene.unpublished()])
    yield Figure("publish, SIGKILL at random times: not made good", bad, 0, f"/{KILLS}")
    yield Figure("the same, killed before it had ended", hit, KILLS / 2, f"/{KILLS}", at_least=True)


def _killed(scene: Scene, words: Sequence[str], moment: float, *, with_all: bool) -> Ended:
    started = scene.start(words)
    time.sleep(moment)
    started.kill(with_all=with_all)
    return started.end()


def _races(scene: Scene) -> Iterator[Figure]:
    """Every other time both have the same folder, and one may be told to wait."""
    bad = 0
    other = scene.place / "copy"
    for number in range(RACES):
        scene.reset()
        shutil.rmtree(other, ignore_errors=True)
        shutil.copytree(scene.output, other)
        second = PUBLISH if number % 2 else (*PUBLISH, "--input", str(other))
        both = [started.end() for started in (scene.start(PUBLISH), scene.start(second))]
        clear = all(ended.exit_code == 0 or (number % 2 and BUSY in ended.said) for ended in both)
        winner = min(both, key=lambda ended: ended.exit_code)
        bad += _is_bad(scene, "two at once", winner, [*scene.unpublished(), *(ended.said for ended in both if not clear)])
    yield Figure("two publishers at once: not one branch, or no clear word", bad, 0, f"/{RACES}")


def _writing(scene: Scene) -> Iterator[Figure]:
    """The effects of a healing on its output folder."""
    usual = scene.run(HEAL, Plan(among="selfheal-out"))
    patch = (scene.output / "fix.patch").read_bytes()
    faults = (Fault.FULL, Fault.KILLED)
    plans = [Plan(nth, fault, among="selfheal-out") for nth in range(1, len(usual.effects) + 1) for fault in faults]
    bad = 0
    for plan in plans:
        scene.reset()
        broken, again = scene.run(HEAL, plan), scene.run(HEAL)
        wrong = [
            *broken.strange,
            *scene.unhealed(),
            *["another patch"] * ((scene.output / "fix.patch").read_bytes() != patch),
        ]
        bad += _is_bad(scene, f"{plan} ({usual.effects[plan.nth - 1]})", again, wrong)
    yield Figure("heal, each effect on its output folder breaks in 2 ways: not made good", bad, 0, f"/{len(plans)}")


def _killed_healings(scene: Scene) -> Iterator[Figure]:
    chance, began, bad = random.Random(SEED), time.perf_counter(), 0  # noqa: S311
    before = scene.checkout()
    scene.run(HEAL)
    lasts = time.perf_counter() - began
    for number in range(HEALINGS_KILLED):
        moment = chance.uniform(0, lasts)
        killed = _killed(scene, HEAL, moment, with_all=number % 2 == 0)
        again = scene.run(HEAL)
        bad += _is_bad(scene, f"killed after {moment:.3f} s", again, [*killed.strange, *scene.unhealed()])
    bad += scene.checkout() != before
    yield Figure("heal, SIGKILL at random times, and again in the same folder: not made good", bad, 0, f"/{HEALINGS_KILLED}")


def _traps() -> Iterator[Figure]:
    """Each trap alone in a checkout in which every command of ours runs; then plain git, which has to spring it."""
    ran = dead = commands = 0
    for trap in TRAPS:
        with a_hostile_repository(trap) as hostile:
            ended = hostile.use()
            commands += len(ended)
            ran += bool(hostile.ran)
            refused = "" if trap in CHECKOUT else "publish"
            if strange := {name: each.said for name, each in ended.items() if each.exit_code != 2 * (name == refused)}:
                print(f"     {trap.name}: {strange}", flush=True)
            hostile.spring(trap)
            dead += hostile.ran != [trap.mark]
    yield Figure(f"hostile repositories, {commands} commands: programs of theirs that ran", ran, 0, f"/{len(TRAPS)}")
    yield Figure("the same with plain git: programs that did not run", dead, 0, f"/{len(TRAPS)}")


def _is_bad(scene: Scene, what: str, again: Ended, wrong: Sequence[str]) -> bool:
    """Whether it was not made good; then it is told, and what is left is taken away, for the next."""
    if again.exit_code == 0 and not wrong:
        return False
    print(f"     {what}: {'; '.join(wrong)} {again.said if again.exit_code else ''}", flush=True)
    shutil.rmtree(scene.machine.temporary)
    scene.machine.temporary.mkdir()
    return True
