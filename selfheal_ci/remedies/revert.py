"""The last resort: put the culprit back to what it was, with all that belongs to it."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass

from selfheal_ci import paths
from selfheal_ci.hunks import revert
from selfheal_ci.lab import Lab
from selfheal_ci.remedies.halves import half_gone
from selfheal_ci.values import NOTHING, Candidate, Case, Finding, Hunk, Shortfall, Verdict


@dataclass(frozen=True)
class Revert:
    """Reverts the whole hunks that made the step fail, and those without which half of a change would stay."""

    name: str = "revert"

    def candidates(self, case: Case, lab: Lab) -> Generator[Candidate, Verdict, Finding | Shortfall | None]:
        """See Remedy. Nothing where no hunk is known, or where nothing of an author's change would be left."""
        culprit = case.finding.culprit
        if culprit is None or any(paths.is_judge(hunk.path) for hunk in culprit.hunks):
            return None
        hunks, half = _with_the_rest(culprit.hunks, case, lab)
        changes = revert(hunks, lab.read)
        if not changes:  # an earlier group was healed by it
            return None
        green = case.finding.green
        if green and not case.on_default_branch and lab.files.write(case.tree, changes).id == green.id:
            return None
        first, last = culprit.hunk.lines
        lines = f"{first}-{last}" if last > first else f"{first}"
        more = f", and {len(hunks) - len(culprit.hunks)} more that belong to it" if len(hunks) > len(culprit.hunks) else ""
        flaw = f"it would leave `{half}` there, and not all that the change does with it" if half else None
        changes = NOTHING if flaw else changes
        yield Candidate(self.name, changes, f"reverts {culprit.hunk.path}:{lines}{more}", flaw=flaw, labels=("revert",))
        return None


def _with_the_rest(hunks: Sequence[Hunk], case: Case, lab: Lab) -> tuple[list[Hunk], str | None]:
    """Those hunks, and those with variables that would otherwise do half of their work; and one that still does."""
    found = list(hunks)
    while name := half_gone(case, lab, revert(found, lab.read)):
        wanted = re.compile(rb"\b%s\b" % re.escape(name.encode()))
        more = [hunk for hunk in case.hunks if hunk not in found and not hunk.whole and _is_near(hunk, found, wanted)]
        if not more:
            return list(hunks), name
        found += more
    return found, None


def _is_near(hunk: Hunk, others: Sequence[Hunk], wanted: re.Pattern[bytes]) -> bool:
    return any(other.path == hunk.path for other in others) and any(map(wanted.search, hunk.new))
