"""The project's own fixers: what `ruff check --fix .` changes is a candidate like any other."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from selfheal_ci.lab import Lab
from selfheal_ci.values import NOTHING, Candidate, Case, Changes, Finding, Shortfall, Verdict


@dataclass(frozen=True)
class Fixer:
    """Runs the step's `fix` commands one after the other; after each, what they changed so far is a candidate."""

    name: str = "fixer"

    def candidates(self, case: Case, lab: Lab) -> Generator[Candidate, Verdict, Finding | Shortfall | None]:
        """See Remedy."""
        done = NOTHING
        for command in case.step.fix:
            run = lab.run_command(command, done)
            ours = {path: content for path, content in run.changed.files.items() if path in case.tree.entries}
            if changed := Changes({path: new for path, new in ours.items() if lab.read(path, done) != (new and new.data)}):
                done = changed.over(done)
                yield Candidate(self.name, done, f"the project's own `{command}`")
        return None
