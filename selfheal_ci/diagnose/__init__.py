"""Why does it fail? Decided by running."""

from __future__ import annotations

from dataclasses import replace

from selfheal_ci.diagnose.culprit import find_culprit, suspects
from selfheal_ci.diagnose.groups import cases, detect, healed_along, on_top_of
from selfheal_ci.diagnose.triage import triage
from selfheal_ci.lab import Lab
from selfheal_ci.ports import History
from selfheal_ci.values import Finding, Kind, Red, Source

__all__ = ["cases", "detect", "explain", "healed_along", "on_top_of"]


def explain(red: Red, source: Source, lab: Lab, history: History) -> Finding:
    """Flaky, environment or a real failure; and for a regression the hunk that made it."""
    found = triage(red, source, lab, history)
    if found.finding.kind is not Kind.REGRESSION or found.green is None:
        return found.finding
    hunks = suspects(history.hunks(found.green.tree, source.tree), red.failures)
    finding = replace(found.finding, hunks=hunks, green=found.green.tree)
    regressions = frozenset(id_ for id_, kind in finding.kinds.items() if kind is Kind.REGRESSION)
    culprit = find_culprit(hunks, regressions, source, found.green.revision, lab, history)
    return replace(finding, culprit=culprit)
