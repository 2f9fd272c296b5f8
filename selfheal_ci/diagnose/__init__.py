"""Why does it fail? Decided by running."""

from __future__ import annotations

from dataclasses import replace

from selfheal_ci.diagnose.culprit import Search, suspects
from selfheal_ci.diagnose.expectation import expects_something_else
from selfheal_ci.diagnose.groups import by_fingerprint, cases, detect, healed_along, on_top_of
from selfheal_ci.diagnose.polluter import polluters
from selfheal_ci.diagnose.reach import WORDS, mend, reaches
from selfheal_ci.diagnose.stopped import triage_stopped
from selfheal_ci.diagnose.triage import Base, describe, triage
from selfheal_ci.lab import Lab
from selfheal_ci.ports import History
from selfheal_ci.values import Finding, Kind, Red, Source, Stop

__all__ = ["cases", "detect", "explain", "healed_along", "on_top_of"]

FEW = 2  # hunks, of which the order does not matter


def explain(red: Red, source: Source, lab: Lab, history: History) -> Finding:
    """What each failure is; for a regression what made it, and for what depends on the order, after which tests it fails."""
    decide = triage if red.run.stop is Stop.EXITED else triage_stopped
    found = decide(red, source, lab, history)
    finding, here = found.finding, lab.allowing(found.finding.allowance)
    if finding.instead:
        told = explain(finding.instead, source, here, history)
        return replace(told, summary=f"{finding.summary}: {told.summary}", instead=finding.instead)
    if found.green and Kind.REGRESSION in finding.kinds.values():
        finding = _located(finding, found.green, red, source, here, history)
    if finding.kind is Kind.ORDER_DEPENDENT:
        finding = _after_what(finding, red, here)
    if finding.kind in {Kind.REGRESSION, Kind.NEW_FAILURE, Kind.ENVIRONMENT} and not finding.culprits:
        finding = _within_reach(finding, red, here)
    return finding


def _located(finding: Finding, green: Base, red: Red, source: Source, lab: Lab, history: History) -> Finding:
    """With the culprits of its regressions, and the tests that expect something else than before."""
    regressions = [failure for failure in red.failures if finding.kinds[failure.id] is Kind.REGRESSION]
    groups = by_fingerprint(regressions)
    hunks = history.hunks(green.tree, source.tree)
    executed: dict[str, frozenset[int]] = {}
    if len(hunks) > FEW:
        ids = [failure.id for failure in regressions]
        for path, line in lab.trace(ids).executed(ids):
            executed[path] = executed.get(path, frozenset()) | {line}
    likely = suspects(hunks, red.failures, executed)
    culprits = Search(source, green.revision, lab, history).culprits(likely, groups)
    open_ = [ids for group, ids in groups.items() if group not in culprits]
    changed = [ids for ids in open_ if expects_something_else(ids, source, green.tree, lab)]
    kinds = {**finding.kinds, **dict.fromkeys(frozenset[str]().union(*changed), Kind.EXPECTATION_CHANGED)}
    finding = replace(finding, kinds=kinds, hunks=likely, green=green.tree)
    if Kind.REGRESSION not in kinds.values():
        kind = Kind.EXPECTATION_CHANGED
        return replace(finding, kind=kind, summary=describe(kind, kinds, green))
    return replace(finding, culprits=culprits, culprit=next(iter(culprits.values()), None))


def _after_what(finding: Finding, red: Red, lab: Lab) -> Finding:
    """With the tests after which others fail, in words."""
    told = []
    for victim in sorted(id_ for id_, kind in finding.kinds.items() if kind is Kind.ORDER_DEPENDENT)[:FEW]:
        if names := polluters(victim, red.passed | red.ids, lab):
            told.append(f"{victim} fails after {', '.join(names)}")
    return replace(finding, summary="; ".join([finding.summary, *told]))


def _within_reach(finding: Finding, red: Red, lab: Lab) -> Finding:
    """As it is, unless no edit can reach the tests: then that, and what mends it."""
    if reaches(red, lab):
        return finding
    summary = f"{WORDS}; write {mend(lab.tree.environment)}"
    kinds = {id_: Kind.NEW_FAILURE if kind is Kind.ENVIRONMENT else kind for id_, kind in finding.kinds.items()}
    kind = Kind.NEW_FAILURE if finding.kind is Kind.ENVIRONMENT else finding.kind
    return replace(finding, kind=kind, kinds=kinds, summary=summary, reached=False)
