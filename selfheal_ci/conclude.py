"""What a healing amounts to, as its parts come in: the diagnosis, the attempts, the time that ran out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from selfheal_ci.errors import SelfhealError
from selfheal_ci.values import (
    HEALABLE,
    Attempt,
    CanarySeen,
    Case,
    Climb,
    Evidence,
    Failure,
    Finding,
    Healing,
    Kind,
    Lack,
    Red,
    Refused,
    Shortfall,
    Source,
    Status,
    Step,
    Verified,
)

BY_KIND = dict.fromkeys(HEALABLE, Status.NOT_HEALED) | {
    Kind.FLAKY: Status.FLAKY,
    Kind.ENVIRONMENT: Status.ENVIRONMENT,
    Kind.INFRASTRUCTURE: Status.ENVIRONMENT,
    Kind.BASELINE: Status.ENVIRONMENT,
}
BY_LACK = {
    Lack.KEY: Status.NOT_HEALED,
    Lack.REFUSED_KEY: Status.ERROR,
    Lack.MONEY: Status.OVER_BUDGET,
    Lack.TIME: Status.OVER_BUDGET,
    Lack.SERVICE: Status.ERROR,
}


def begin(source: Source, step: Step, *, known_red: bool, reported: Sequence[Failure] = ()) -> Healing:
    """Before anything was run: fine, or flaky where the step is known to have failed."""
    if not reported:
        return Healing(Status.FLAKY if known_red else Status.HEALTHY, step, source)
    kinds = {failure.id: Kind.FLAKY for failure in reported}
    finding = Finding(Kind.FLAKY, "what the report says has failed passes here, unchanged: flaky", kinds)
    return Healing(Status.FLAKY, step, source, failures=tuple(reported), finding=finding)


def failing(healing: Healing, red: Red) -> Healing:
    """The step fails."""
    left_out = red.run.output.left_out
    unread = (f"{left_out:,} bytes in the middle of its output (limits.output, --max-output)",) if left_out else ()
    evidence = Evidence(not_checked=unread)
    return replace(healing, status=Status.NOT_HEALED, failures=red.failures, finding=None, evidence=evidence)


def diagnosed(healing: Healing, finding: Finding) -> Healing:
    """We know why."""
    evidence = replace(healing.evidence, reproduced=finding.reproduced)
    failures = finding.instead.failures if finding.instead else healing.failures
    return replace(healing, status=BY_KIND[finding.kind], failures=failures, finding=finding, evidence=evidence)


def climbed(healing: Healing, case: Case, climb: Climb) -> Healing:
    """The remedies were tried on one group of failures."""
    earlier = len(healing.attempts)
    numbered = (replace(attempt, number=earlier + attempt.number) for attempt in climb.attempts)
    healing = replace(
        healing,
        attempts=(*healing.attempts, *numbered),
        lacks=(*healing.lacks, *climb.lacks),
        finding=climb.finding or healing.finding,
        cost=sum((attempt.candidate.cost for attempt in climb.attempts), healing.cost),
    )
    last = climb.attempts[-1] if climb.attempts else None
    if last and isinstance(last.verdict, Verified):
        return replace(
            healing,
            changes=last.candidate.changes.over(healing.changes),
            evidence=_both(healing.evidence, last.verdict.evidence),
            labels=tuple(dict.fromkeys((*healing.labels, *last.candidate.labels, *last.verdict.labels))),
        )
    return replace(healing, open=(*healing.open, *sorted(case.targets)))


def along(healing: Healing, case: Case) -> Healing:
    """What heals other groups heals this one as well."""
    green = tuple(sorted({*healing.evidence.red_to_green, *case.targets}))
    left = tuple(id_ for id_ in healing.open if id_ not in case.targets)
    return replace(healing, open=left, evidence=replace(healing.evidence, red_to_green=green))


def is_open(healing: Healing, case: Case) -> bool:
    """Whether this group was tried and not healed."""
    return not case.targets.isdisjoint(healing.open)


def end(healing: Healing) -> Healing:
    """The status, now that every group was tried."""
    if healing.status is not Status.NOT_HEALED:
        return healing
    if healing.changes and not healing.open:
        return replace(healing, status=Status.HEALED)
    if healing.changes:
        return healing  # a part of it: a partial patch for a person
    works = next((attempt for attempt in healing.attempts if _works(attempt)), None)
    if works:
        return replace(healing, status=Status.REFUSED, changes=works.candidate.changes)
    decisive = next((lack for lack in healing.lacks if BY_LACK[lack.lack] is not Status.NOT_HEALED), None)
    return replace(healing, status=BY_LACK[decisive.lack]) if decisive else healing


def lacking(healing: Healing) -> list[str]:
    """What remedies had to do without, each thing once."""
    return list(dict.fromkeys(lack.message for lack in healing.lacks))


def out_of_time(healing: Healing, late: SelfhealError) -> Healing:
    """The time for the whole healing is over."""
    spent = replace(healing, lacks=(*healing.lacks, Shortfall(Lack.TIME, late.message)))
    if spent.finding is None or spent.finding.kind in HEALABLE:
        return replace(spent, status=Status.OVER_BUDGET)
    return spent


def _works(attempt: Attempt) -> bool:
    return isinstance(attempt.verdict, Refused) and attempt.verdict.works


def _lesser(one: CanarySeen | None, other: CanarySeen | None) -> CanarySeen | None:
    """What can be said of both."""
    return one if one == other else CanarySeen.NOT_POSSIBLE if one and other else None


def _both(first: Evidence, second: Evidence) -> Evidence:
    return Evidence(
        first.reproduced,
        tuple(sorted({*first.red_to_green, *second.red_to_green})),
        second.green_to_red,
        second.missing,
        min(first.repeats, second.repeats) if first.repeats else second.repeats,
        _lesser(first.canary, second.canary) if first.repeats else second.canary,
        tuple(sorted({*first.unexecuted, *second.unexecuted})),
        tuple(dict.fromkeys((*first.not_checked, *second.not_checked))),
    )
