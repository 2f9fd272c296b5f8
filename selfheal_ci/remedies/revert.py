"""The last resort: put the culprit hunk back to what it was."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from selfheal_ci.hunks import revert
from selfheal_ci.lab import Lab
from selfheal_ci.values import Candidate, Case, Finding, Shortfall, Verdict


@dataclass(frozen=True)
class Revert:
    """Reverts the whole hunk that made the step fail."""

    name: str = "revert"

    def candidates(self, case: Case, lab: Lab) -> Generator[Candidate, Verdict, Finding | Shortfall | None]:
        """See Remedy. Nothing where no hunk is known, or where nothing of an author's change would be left."""
        culprit = case.finding.culprit
        if culprit is None:
            return None
        changes = revert(culprit.hunks, lab.read)
        if not changes:  # an earlier group was healed by it
            return None
        green = case.finding.green
        if green and not case.on_default_branch and lab.files.write(case.tree, changes).id == green.id:
            return None
        first, last = culprit.hunk.lines
        lines = f"{first}-{last}" if last > first else f"{first}"
        yield Candidate(self.name, changes, f"reverts {culprit.hunk.path}:{lines}", labels=("revert",))
        return None
