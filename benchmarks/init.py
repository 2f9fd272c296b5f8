"""What `selfheal init` makes of public projects: for how many it writes steps, and for how many its step runs as it is.

`init.txt` names them. They are read from clones in the folder that BENCH_CLONES names, `<name>` or `<name>.git` each. The
whole setup runs with network, the step without, both in the local sandbox. A step runs when it ends green, or when tests of
it pass beside others that fail. BENCH_PROJECTS=name,name: only these.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.healing import git
from selfheal_ci import config
from selfheal_ci.config import Configuration
from selfheal_ci.discover import foremost, text_of
from selfheal_ci.engines.local import LocalEngine
from selfheal_ci.errors import SelfhealError
from selfheal_ci.runners import runner_for
from selfheal_ci.store import Store, open_store
from selfheal_ci.values import Green, Red, Result, Step, Unclear
from selfheal_ci.wiring.finding import found_in
from selfheal_ci.wiring.workplace import workplace

CLONES, ONLY = "BENCH_CLONES", "BENCH_PROJECTS"
LIST = Path(__file__).with_name("init.txt")


@dataclass(frozen=True)
class Tried:
    """What came of one project."""

    project: str
    step: str = ""  # empty: none was found
    runs: bool = False
    green: bool = False
    why: str = ""


def measure() -> Iterator[Figure]:
    """Each project, and what came of it; then how many."""
    if CLONES not in os.environ:
        print(f"     left out: init: name a folder of clones with {CLONES} ({LIST.name} says of which)", flush=True)
        return
    tried = []
    for project, commit in _listed():
        began = time.monotonic()
        tried.append(_tried(project, commit, Path(os.environ[CLONES])))
        _print(tried[-1], time.monotonic() - began)
    count = len(tried)
    found, runs, green = (sum(map(bool, values)) for values in zip(*((t.step, t.runs, t.green) for t in tried), strict=True))
    yield Figure("projects", count, 20, "", at_least=True)
    yield Figure(f"a configuration with steps, {found} of {count}", 100 * found / count, 80, " %", at_least=True)
    yield Figure(f"its step runs unchanged, {runs} of {count}", 100 * runs / count, 80, " %", at_least=True)
    yield Figure(f"its step is green, {green} of {count}", 100 * green / count, 0, " %", at_least=True)


def _listed() -> Iterator[tuple[str, str]]:
    only = set(filter(None, os.environ.get(ONLY, "").split(",")))
    for line in LIST.read_text().splitlines():
        project, _, commit = line.partition(" ")
        if line and not line.startswith("#") and (not only or project.rpartition("/")[2] in only):
            yield project, commit


def _print(tried: Tried, seconds: float) -> None:
    word = "GREEN" if tried.green else "RUNS" if tried.runs else "FAILS" if tried.step else "NOTHING"
    print(f"     {word:8} {tried.project} {tried.step} ({seconds:.0f} s) {tried.why}", flush=True)


def _tried(project: str, commit: str, clones: Path) -> Tried:
    name = project.rpartition("/")[2]
    clone = next((place for place in (clones / name, clones / f"{name}.git") if place.is_dir()), None)
    if clone is None:
        return Tried(project, why="there is no clone of it")
    with tempfile.TemporaryDirectory(prefix="selfheal-bench-") as place:
        checkout = Path(place, name)
        git(Path(place), "clone", "--quiet", "--shared", "--no-checkout", str(clone.resolve()), str(checkout))
        git(checkout, "checkout", "--quiet", "--detach", commit)
        with workplace() as work, open_store(checkout, work / "store") as store:
            found = found_in(store.failing().tree, store, os.environ)
            if not found.steps:
                return Tried(project, why="; ".join(f"{note.origin}: {note.why}" for note in found.notes[:3]))
            read_back = config.load({".selfheal.toml": text_of(found).encode()}, {})
            step = next(step for step in read_back.steps if step.name == foremost(found.steps).name)
            try:
                return _told(Tried(project, step.name), _run(store, work, step, read_back))
            except SelfhealError as broken:
                return Tried(project, step.name, why=" ".join(f"{broken.message} {broken.hint}".split())[-300:])


def _run(store: Store, work: Path, step: Step, configuration: Configuration) -> Result:
    source, runner = store.failing(), runner_for(step)
    limits = config.limits(configuration.settings)
    engine = LocalEngine(store.export, work, limits, os.environ, 1)
    recipe = config.recipe(configuration.settings, os.environ, frozenset())
    with engine.prepare(store.checked_out(source.tree), recipe) as sandbox:
        return runner.read(sandbox.run(runner.command(step)), step)


def _told(tried: Tried, result: Result) -> Tried:
    match result:
        case Green():
            return replace(tried, runs=True, green=True)
        case Red(passed=passed, failures=failures):
            first = f"{failures[0].id}: {' '.join(failures[0].message.split())[:200]}"
            why = f"{len(passed)} pass, {len(failures)} fail: {first}"
            return replace(tried, runs=bool(passed), why=why)
        case Unclear(why=why):
            return replace(tried, why=why)
