"""Finds what made the failures: among the sources, else among what tests and steers, which no fix may touch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from selfheal_ci import paths
from selfheal_ci.diagnose.culprit import Search, suspects
from selfheal_ci.diagnose.expectation import changed_tests, expects_something_else
from selfheal_ci.diagnose.groups import by_fingerprint
from selfheal_ci.diagnose.triage import ORDER, Base, describe
from selfheal_ci.lab import Lab
from selfheal_ci.ports import History
from selfheal_ci.values import Culprit, Failure, Finding, Hunk, Kind, Red, Source

FEW = 2  # hunks, of which the order does not matter


def located(finding: Finding, green: Base, red: Red, source: Source, lab: Lab, history: History) -> Finding:
    """With the culprits of what green passes, and the tests that expect something else than before."""
    hunks = history.hunks(green.tree, source.tree)
    search = Search(source, green.revision, lab, history)
    broken = [failure for failure in red.failures if failure.id in green.passed]
    regressions = [failure for failure in broken if finding.kinds[failure.id] is Kind.REGRESSION]
    likely = suspects(hunks, red.failures, _executed(hunks, regressions, lab))
    groups = by_fingerprint(regressions)
    culprits = dict(search.culprits(likely, groups)) if groups else {}
    open_ = {group: ids for group, ids in groups.items() if group not in culprits}
    changed = {group: ids for group, ids in open_.items() if expects_something_else(ids, source, green.tree, lab)}
    beyond = sorted((hunk for hunk in hunks if not paths.is_source(hunk.path)), key=lambda hunk: paths.is_judge(hunk.path))
    if others := {group: ids for group, ids in open_.items() if group not in changed}:
        culprits |= search.culprits(beyond, others)
    if order := by_fingerprint([failure for failure in broken if finding.kinds[failure.id] is Kind.ORDER_DEPENDENT]):
        culprits |= replace(search, lab=lab.whole_only()).culprits(likely, order)
    kinds = {**finding.kinds, **dict.fromkeys(frozenset[str]().union(*changed.values()), Kind.EXPECTATION_CHANGED)}
    kind = next(kind for kind in ORDER if kind in kinds.values())
    summary = finding.summary if kind is finding.kind else describe(kind, kinds, green)
    if kind is Kind.REGRESSION:
        summary += _tests_that_changed_too(others, culprits, source, green)
    return replace(
        finding,
        kind=kind,
        summary=summary,
        kinds=kinds,
        hunks=likely,
        green=green.tree,
        green_commit=green.revision,
        culprits=culprits,
        culprit=next(iter(culprits.values()), None),
    )


def _executed(hunks: Sequence[Hunk], failures: Sequence[Failure], lab: Lab) -> Mapping[str, frozenset[int]]:
    """The lines that failing tests execute, where there are enough hunks to be put into an order."""
    executed: dict[str, frozenset[int]] = {}
    if len(hunks) > FEW and failures:
        ids = [failure.id for failure in failures]
        for path, line in lab.trace(ids).executed(ids):
            executed[path] = executed.get(path, frozenset()) | {line}
    return executed


def _tests_that_changed_too(
    groups: Mapping[str, frozenset[str]], culprits: Mapping[str, Culprit], source: Source, green: Base
) -> str:
    """A word on failures without a culprit, whose tests are not as they were: the code may be right."""
    ids = frozenset[str]().union(*(ids for group, ids in groups.items() if group not in culprits))
    changed = changed_tests(ids, source, green.tree)
    return f"; {', '.join(changed)} changed in between, too" if changed else ""
