"""What was made of each job → one configuration, in which no job disturbs another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from selfheal_ci.checks import runs_tests
from selfheal_ci.discover.found import Files, Found, FoundStep, Job, Line
from selfheal_ci.discover.lines import anyway
from selfheal_ci.discover.making import ENVIRONMENT, Made, made
from selfheal_ci.discover.tasks import tasks_of

MOST_JOBS, MOST_STEPS = 300, 40  # of a repository
LONGEST = 40  # letters of a name
_FETCHES = re.compile(r"\{[\s\S]*\} \|\| true")
_SAME = re.compile(r"python3? -m (?=pip )| -U\b| --upgrade\b")  # what makes no difference to what is there afterwards
_TESTS = re.compile(r"(?<![a-z])(?:unit)?tests?(?![a-z])|pytest", re.IGNORECASE)
_OTHER_CHECKS = re.compile(r"mypy|lint|typing|type[ -]?check|\bdocs?\b", re.IGNORECASE)
_NEEDS_MORE = re.compile(r"\b(?:make|git|gcc|cc|curl|pre-commit|node|npm|cargo)\b")


def composed(jobs: Iterable[Job], files: Files) -> Found:
    """The configuration that does what the jobs do."""
    tasks, found = tasks_of(files), Found()
    environments: dict[str, frozenset[str]] = {}
    said: set[str] = set()
    for job in islice(jobs, MOST_JOBS):
        one = made(job, tasks)
        steps = [step for step in one.steps if step.line.run not in said][: MOST_STEPS - len(found.steps)]
        said |= {step.line.run for step in steps}
        found = replace(found, notes=(*found.notes, *one.notes))
        if steps:
            found = _joined(found, replace(one, steps=steps), _environment(one, environments))
    return replace(_lenient(found), image=_fitting(found))


def _lenient(found: Found) -> Found:
    """The same, but what the step that runs the tests does not need may fail: it is the others that then lack something."""
    needs = foremost(found.steps).needs if found.steps else ()
    free = {line.run for line in found.setup if line.run not in needs and not _FETCHES.fullmatch(line.run)}
    setup = tuple(replace(line, run=anyway(line.run)) if line.run in free else line for line in found.setup)
    steps = (replace(step, needs=tuple(anyway(run) if run in free else run for run in step.needs)) for step in found.steps)
    return replace(found, setup=setup, steps=tuple(steps))


def foremost(steps: Sequence[FoundStep]) -> FoundStep:
    """The step that runs the tests, as its name, its lines, its job's name tell; else the first."""
    return min(
        steps, key=lambda step: (not _tests(step.title, step.said), not _tests(*step.names), not runs_tests(step.said))
    )


def _tests(*words: str) -> bool:
    said = " ".join(words)
    return bool(_TESTS.search(said)) and not _OTHER_CHECKS.search(said)


def _environment(one: Made, known: dict[str, frozenset[str]]) -> str:
    """The Python environment of a job: one that has all it installs, else its own. Jobs run on machines of their own."""
    installs = frozenset(_SAME.sub("", line.run) for line in one.setup if not _FETCHES.fullmatch(line.run))
    there = next((name for name, has in known.items() if installs <= has), None)
    if there is None:
        plain = re.sub(r"[^a-z0-9]+", "-", one.job.name.lower()).strip("-")[:LONGEST] or "job"
        wanted = [ENVIRONMENT, *(f"{ENVIRONMENT}-{plain}{number or ''}" for number in range(1000))]
        there = next(name for name in wanted if name not in known)
        known[there] = installs
    return there


def _joined(found: Found, one: Made, environment: str) -> Found:
    steps = [_moved(step, environment) for step in _named(one.steps, one.job, {step.name for step in found.steps})]
    needed = max((len(step.needs) for step in steps), default=0)
    lines = [replace(line, run=_in(environment, line.run)) for line in one.setup[:needed]]
    whole: Mapping[str, Line] = {line.run: line for line in (*lines[::-1], *found.setup[::-1])}
    order = dict.fromkeys(line.run for line in (*found.setup, *lines))
    image = max(filter(None, (found.image, one.job.image)), key=_exactness, default=None)
    return replace(found, steps=(*found.steps, *steps), setup=tuple(whole[run] for run in order), image=image)


def _in(environment: str, run: str) -> str:
    return re.sub(rf"{re.escape(ENVIRONMENT)}(?=/| |$)", environment, run) if environment != ENVIRONMENT else run


def _moved(step: FoundStep, environment: str) -> FoundStep:
    """The step in this environment."""
    build, fix, needs = (tuple(_in(environment, run) for run in runs) for runs in (step.build, step.fix, step.needs))
    return replace(step, line=replace(step.line, run=_in(environment, step.line.run)), build=build, fix=fix, needs=needs)


def _named(steps: Sequence[FoundStep], job: Job, used: set[str]) -> Iterator[FoundStep]:
    """Each under a name of its own: the job's where it has one step, else the step's."""
    for step in steps:
        wanted = job.name if len(steps) == 1 else step.title or job.name
        words = re.sub(r"[^a-z0-9_]+", "-", wanted.lower()).strip("-_")
        plain = (words if len(words) <= LONGEST else words[:LONGEST].rpartition("-")[0]) or "step"
        name = next(each for each in (plain, *(f"{plain}-{number}" for number in range(2, 1000))) if each not in used)
        used.add(name)
        yield replace(step, name=name)


def _exactness(image: str) -> int:
    """How much of a version an image names, up to its minor one."""
    return len(re.findall(r"\d+", image.rpartition(":")[2])[:2])


def _fitting(found: Found) -> str | None:
    """The image; without what is only in the larger one where nothing needs that."""
    lines = " ".join(line.run for line in (*found.setup, *(step.line for step in found.steps)))
    plain = found.image and re.fullmatch(r"python:\d+\.\d+", found.image) and not _NEEDS_MORE.search(lines)
    return f"{found.image}-slim" if plain else found.image
