"""What is to be healed, group by group: failures with the same fingerprint have one cause."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from selfheal_ci.detect import step_failure
from selfheal_ci.lab import Lab
from selfheal_ci.values import HEALABLE, Case, Changes, Failure, Finding, Green, Kind, Red, Source, Unclear

REPEATS = 2  # runs beside the whole step


def detect(lab: Lab) -> Red | None:
    """Run the step; None when it is fine. A machine that gave out is a failure until the green revision says otherwise."""
    match lab.run_step(fresh=True):
        case Green():
            return None
        case Red() as red:
            return red
        case Unclear(run, why):
            return Red(run, frozenset(), (step_failure(lab.step, run, why),))


def cases(red: Red, finding: Finding, source: Source, lab: Lab) -> Iterator[Case]:
    """One case for each fingerprint, in the order in which the failures appear."""
    groups: dict[str, list[Failure]] = {}
    for failure in red.failures:
        if finding.kinds.get(failure.id) in HEALABLE:
            groups.setdefault(failure.fingerprint, []).append(failure)
    for group in groups.values():
        yield Case(
            source.tree,
            lab.step,
            tuple(group),
            finding,
            hunks=finding.hunks,
            before=red,
            green_passed=finding.green_passed,
            on_default_branch=source.on_default_branch,
        )


def on_top_of(healed: Changes, case: Case, lab: Lab) -> tuple[Case, Lab]:
    """The case and the lab on top of what heals the groups before it."""
    kinds = {case.finding.kinds.get(failure.id) for failure in case.failures}
    here = lab.whole_only() if Kind.ORDER_DEPENDENT in kinds else lab
    if not healed:
        return case, here
    here = here.with_changes(healed)
    left = here.run_step()
    return replace(case, verified=healed, before=left if isinstance(left, Red) else case.before), here


def healed_along(case: Case, lab: Lab) -> bool:
    """Whether what heals the groups before it heals this one too: in the whole step, and twice more."""
    if not case.verified:
        return False
    whole = lab.run_step()
    passes = not isinstance(whole, Unclear) and case.targets <= whole.passed
    return passes and all(lab.heals(case.targets, fresh=True) for _ in range(REPEATS))
