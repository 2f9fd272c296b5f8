"""What the step itself changed while it failed: hooks that fix, and files that are generated anew and then compared."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from selfheal_ci.checks import is_check, runs_tests
from selfheal_ci.lab import Lab
from selfheal_ci.remedies.tracked import tracked
from selfheal_ci.values import Candidate, Case, Finding, Shortfall, Verdict, is_test

ROUNDS = 3  # a hook may see only then what the one before it left


@dataclass(frozen=True)
class OwnChanges:
    """Keeps what the failing step wrote to files of the tree; where that is not enough, what it writes then as well."""

    name: str = "own-changes"

    def candidates(self, case: Case, lab: Lab) -> Generator[Candidate, Verdict, Finding | Shortfall | None]:
        """See Remedy. Nothing where tests fail: what a test writes is no fix."""
        if case.before is None or _are_tests(case):
            return None
        changes = tracked(case.before.run, case, lab)
        for _ in range(ROUNDS):
            if not changes:
                break
            yield Candidate(self.name, changes, f"what `{case.step.run}` itself changed while it failed")
            more = tracked(lab.run_tests(case.targets, changes).run, case, lab, changes)
            if not more:
                break
            changes = more.over(changes)
        return None


def _are_tests(case: Case) -> bool:
    """Whether it may be tests that fail. A linter's report has cases too, and what a tool prints is no test."""
    return runs_tests(case.step.run) or (any(map(is_test, case.targets)) and not is_check(case.step.run))
