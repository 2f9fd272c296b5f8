"""Why does it fail? Decided by running."""

from __future__ import annotations

from dataclasses import replace

from selfheal_ci.diagnose.groups import cases, detect, healed_along, on_top_of
from selfheal_ci.diagnose.locate import located
from selfheal_ci.diagnose.polluter import polluters
from selfheal_ci.diagnose.reach import IN_PART, WORDS, build, mend, reaches, unbuilt
from selfheal_ci.diagnose.stopped import triage_stopped
from selfheal_ci.diagnose.triage import triage
from selfheal_ci.lab import Lab
from selfheal_ci.ports import History
from selfheal_ci.values import Finding, Kind, Red, Source, Stop
from selfheal_ci.words import one_line

__all__ = ["cases", "detect", "explain", "healed_along", "on_top_of"]

FEW = 2  # tests that depend on the order, of which it is found out what they come after


def explain(red: Red, source: Source, lab: Lab, history: History) -> Finding:
    """What each failure is; for a regression what made it, and for what depends on the order, after which tests it fails."""
    decide = triage if red.run.stop is Stop.EXITED else triage_stopped
    found = decide(red, source, lab, history)
    finding, here = found.finding, lab.allowing(found.finding.allowance)
    if finding.instead:
        told = explain(finding.instead, source, here, history)
        return replace(told, summary=f"{finding.summary}: {told.summary}", instead=finding.instead)
    if found.green and {Kind.REGRESSION, Kind.ORDER_DEPENDENT} & set(finding.kinds.values()):
        finding = located(finding, found.green, red, source, here, history)
    if finding.kind is Kind.ORDER_DEPENDENT:
        finding = _after_what(finding, red, here)
    if _may_be_out_of_reach(finding):
        finding = _within_reach(finding, red, source, here, history)
    return finding


def _after_what(finding: Finding, red: Red, lab: Lab) -> Finding:
    """With the tests after which others fail, in words."""
    told = []
    for victim in sorted(id_ for id_, kind in finding.kinds.items() if kind is Kind.ORDER_DEPENDENT)[:FEW]:
        if names := polluters(victim, red.passed | red.ids, lab):
            told.append(f"{victim} fails after {', '.join(names)}")
    return replace(finding, summary="; ".join([finding.summary, *told]))


def _may_be_out_of_reach(finding: Finding) -> bool:
    """Whether that may be why. What passes on green and is not even collected here says that edits do arrive."""
    if finding.kind is Kind.REGRESSION:
        return not finding.culprits and any("::" in id_ for id_ in finding.kinds)
    return finding.kind in {Kind.NEW_FAILURE, Kind.ENVIRONMENT}


def _within_reach(finding: Finding, red: Red, source: Source, lab: Lab, history: History) -> Finding:
    """With what mends it where no edit can reach the tests, or not all edits can."""
    line = mend(lab.tree.environment, lab.stale)
    if not reaches(red, lab):
        return _out_of_reach(finding, f"{WORDS}; write {line}")
    if source.base and (files := unbuilt(red, history.tree(source.base.commit), lab)):
        named = ", ".join(files[:FEW]) + f" and {len(files) - FEW} more" * (len(files) > FEW)
        summary = f"edits of {named} do not reach the tests: they run what was built before; write {build(lab)}"
        return _out_of_reach(finding, summary)
    if lab.stale:
        return replace(finding, summary=f"{finding.summary}; {IN_PART.format(one_line(lab.stale[0]))}: write {line}")
    return finding


def _out_of_reach(finding: Finding, summary: str) -> Finding:
    kinds = {id_: Kind.NEW_FAILURE if kind is Kind.ENVIRONMENT else kind for id_, kind in finding.kinds.items()}
    kind = Kind.NEW_FAILURE if finding.kind is Kind.ENVIRONMENT else finding.kind
    return replace(finding, kind=kind, kinds=kinds, summary=summary, reached=False)
