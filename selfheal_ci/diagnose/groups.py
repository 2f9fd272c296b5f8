"""What is to be healed, group by group: failures with the same fingerprint, or the same culprit, have one cause."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from selfheal_ci.detect import step_failure
from selfheal_ci.lab import Lab
from selfheal_ci.values import HEALABLE, Case, Changes, Failure, Finding, Green, Kind, Red, Source, Unclear, ids_of

REPEATS = 2  # runs beside the whole step


def detect(lab: Lab, reported: Sequence[Failure] = ()) -> Red | None:
    """Run the step; None when it is fine. A machine that gave out is a failure until the green revision says otherwise.

    Tests that are reported to fail are run first.
    """
    alone = lab.run_tests(ids_of(reported), fresh=True) if reported else None
    match lab.run_step(fresh=True):
        case Green():
            return alone if isinstance(alone, Red) else None
        case Red() as red:
            return red
        case Unclear(run, why):
            return Red(run, frozenset(), (step_failure(lab.step, run, why),))


def cases(red: Red, finding: Finding, source: Source, lab: Lab) -> Iterator[Case]:
    """One case for each culprit or fingerprint, in the order of the failures; none where no edit reaches the tests.

    What one change broke is healed as one: an edit that contents some of its tests alone is hardly right.
    """
    if not finding.reached:
        return
    red = finding.instead or red
    groups: dict[object, list[Failure]] = {}
    for failure in red.failures:
        if finding.kinds.get(failure.id) in HEALABLE:
            culprit = finding.culprits.get(failure.fingerprint)
            groups.setdefault(culprit.hunks if culprit else failure.fingerprint, []).append(failure)
    for group in groups.values():
        yield Case(
            source.tree,
            lab.step,
            tuple(group),
            replace(finding, culprit=finding.culprits.get(group[0].fingerprint)),
            hunks=finding.hunks,
            before=red,
            green_passed=finding.green_passed,
            on_default_branch=source.on_default_branch,
        )


def by_fingerprint(failures: Sequence[Failure]) -> Mapping[str, frozenset[str]]:
    """The ids of failures, in groups that have one cause each."""
    groups: dict[str, frozenset[str]] = {}
    for failure in failures:
        groups[failure.fingerprint] = groups.get(failure.fingerprint, frozenset()) | {failure.id}
    return groups


def on_top_of(healed: Changes, case: Case, lab: Lab) -> tuple[Case, Lab]:
    """The case and the lab on top of what heals the groups before it."""
    kinds = {case.finding.kinds.get(failure.id) for failure in case.failures}
    here = lab.allowing(case.finding.allowance)
    if Kind.ORDER_DEPENDENT in kinds:
        here = here.whole_only()
    if not healed:
        return case, here
    here = here.with_changes(healed)
    left = here.run_step()
    return replace(case, verified=healed, before=left if isinstance(left, Red) else case.before), here


def healed_along(case: Case, lab: Lab) -> bool:
    """Whether what heals the groups before it heals this one too: in the whole step, and twice more."""
    if not case.verified:
        return False
    passes = case.targets == lab.run_step().passes(case.targets)
    return passes and all(lab.heals(case.targets, fresh=True) for _ in range(REPEATS))
