"""The project's own fixers, or the fixer that belongs to the check: what `ruff check --fix .` changes is a candidate."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from selfheal_ci.checks import fixing, is_check, shown
from selfheal_ci.lab import Lab
from selfheal_ci.remedies.tracked import tracked
from selfheal_ci.values import NOTHING, Candidate, Case, Finding, Shortfall, Verdict

ROUNDS = 2  # one fixer may undo what another did, such as a formatter before a linter


@dataclass(frozen=True)
class Fixer:
    """Runs fixers one after the other; after each, what they changed so far is a candidate."""

    name: str = "fixer"

    def candidates(self, case: Case, lab: Lab) -> Generator[Candidate, Verdict, Finding | Shortfall | None]:
        """See Remedy. Fixes that the tool itself calls unsafe come last, and say so."""
        if case.step.fix:
            yield from self._fixed(case.step.fix, case, lab)
            return None
        usual, unsafe = obvious(case), obvious(case, unsafe=True)
        yield from self._fixed(usual, case, lab)
        if unsafe != usual:
            yield from self._fixed(unsafe, case, lab, labels=("unsafe-fixes",))
        return None

    def _fixed(
        self, commands: Sequence[str], case: Case, lab: Lab, *, labels: tuple[str, ...] = ()
    ) -> Generator[Candidate, Verdict, None]:
        done = NOTHING
        for _ in range(ROUNDS):
            before = done
            for command in commands:
                run = lab.run_command(command, done)
                if changed := tracked(run, case, lab, done):
                    done = changed.over(done)
                    yield Candidate(self.name, done, _why(command, case), labels=labels)
            if done == before:
                break


def obvious(case: Case, *, unsafe: bool = False) -> Sequence[str]:
    """The fixers of the checks that the step's line names, or that it showed where it only starts other commands."""
    if fixed := fixing(case.step.run, unsafe=unsafe):
        return [fixed]
    if case.before is None or is_check(case.step.run):
        return []
    return list(shown(case.before.run.output.text, unsafe=unsafe))


def _why(command: str, case: Case) -> str:
    words = "; ".join(command.splitlines())
    return f"the project's own `{words}`" if case.step.fix else f"`{words}`, which fixes what the step checks"
