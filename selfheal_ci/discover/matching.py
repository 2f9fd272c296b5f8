"""Which configured step it is that a forge calls failed: by the same command line, else by name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from selfheal_ci.discover.found import Found, FoundStep
from selfheal_ci.values import FailedJob, Step

LONGEST = 300  # letters of a name
_INSERTED = re.compile(r"\$\{\{[^}]*\}\}")


def matched(failed: Sequence[FailedJob], found: Found, steps: Sequence[Step], path: str | None) -> Step | None:
    """The first failed step that is configured. `path`: the workflow whose run it was, where that is known."""
    told = sorted(found.steps, key=lambda step: step.line.origin.path != path)
    for job, title in ((each, title) for each in failed for title in each.steps or ("",)):
        for there in told:
            if _is_job(job.name, there) and (not title or _is_step(title, there)):
                step = next(_same(there, steps), None)
                if step:
                    return step
        if step := next((step for step in steps if step.name in {_plain(title), _plain(job.name), job.name}), None):
            return step
    return None


def _same(there: FoundStep, steps: Sequence[Step]) -> Iterator[Step]:
    """The steps with this command line, as it is or as we write it; then the one of the same name."""
    said = _words(there.said)
    yield from (step for step in steps if step.run == there.line.run or _words(step.run) == said)
    yield from (step for step in steps if said and f" {said}" in f" {_words(step.run)}")
    yield from (step for step in steps if step.name == there.name)


def _is_job(name: str, there: FoundStep) -> bool:
    """Whether a job's name is that of the job a step is in: of a matrix, and called by another workflow, it says more."""
    last = name.rpartition(" / ")[2]
    return any(_fits(each, called) for each in (name, last) for called in there.names[:2] if called)


def _is_step(title: str, there: FoundStep) -> bool:
    lines = there.said.strip().splitlines()
    unnamed = f"Run {lines[0]}" if lines else ""
    return title == unnamed or any(_fits(title, called) for called in there.names[2:] if called)


def _fits(name: str, called: str) -> bool:
    """Whether a name is what something is called, its expressions answered, or with a matrix's values behind."""
    first, *others = _INSERTED.split(called[:LONGEST])
    if not others:
        return name == called or bool(re.fullmatch(r" \(.*\)|: \[.*\]| \d+/\d+", name.removeprefix(called), re.DOTALL))
    at = len(first)
    for literal in others:
        found = name.find(literal, at)
        at = found + len(literal)
        if found < 0:
            return False
    return name.startswith(first) and name.rstrip().endswith(others[-1].rstrip())


def _words(text: str) -> str:
    return " ".join(text.split())


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-_")
