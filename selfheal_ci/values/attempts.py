"""Remedies' candidates, and what the judge says of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from selfheal_ci.values.findings import Finding
from selfheal_ci.values.runs import Failure, Line, Red, Step
from selfheal_ci.values.trees import NOTHING, Changes, Hunk, Tree


@dataclass(frozen=True)
class Case:
    """What a remedy is asked to heal."""

    tree: Tree
    step: Step
    failures: tuple[Failure, ...]  # the group to turn green, all of it
    finding: Finding
    hunks: tuple[Hunk, ...] = ()  # green → failing, source files only, the likeliest first
    before: Red | None = None  # the whole step on the failing tree: the baseline
    green_passed: frozenset[str] = frozenset()  # what passed on green and could not run on the failing tree
    on_default_branch: bool = False
    verified: Changes = NOTHING  # what earlier groups were healed with

    @property
    def targets(self) -> frozenset[str]:
        return frozenset(failure.id for failure in self.failures)


@dataclass(frozen=True)
class Cost:
    """What the model was paid."""

    calls: int = 0
    input_tokens: int = 0  # without the cached ones
    output_tokens: int = 0
    cached_tokens: int = 0
    usd: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.calls + other.calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.usd + other.usd,
        )


@dataclass(frozen=True)
class Candidate:
    """Changes that may heal the case."""

    remedy: str
    changes: Changes
    why: str  # one line for the reviewer: "ruff check --fix"
    flaw: str | None = None  # why there is nothing to judge: an edit that did not apply, a model that declined
    cost: Cost = Cost()
    labels: tuple[str, ...] = ()
    rivals: tuple[str, ...] = ()  # words for other candidates that would turn the targets green, too


class CanarySeen(StrEnum):
    """What came of a test that must fail."""

    FAILED = "failed as it must"
    NOT_POSSIBLE = "not possible"


@dataclass(frozen=True)
class Evidence:
    """What the gate saw of a candidate, check by check."""

    reproduced: int = 0  # runs in which the targets failed without the candidate
    red_to_green: tuple[str, ...] = ()
    green_to_red: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    repeats: int = 0  # runs in which the targets passed with the candidate
    canary: CanarySeen | None = None  # None: it was not asked
    unexecuted: tuple[Line, ...] = ()  # what it changed and the targets do not execute, as far as that can be told
    not_checked: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verified:
    """All checks passed."""

    evidence: Evidence
    reason: str = "all checks passed"
    labels: tuple[str, ...] = ()  # what a reviewer should look at


@dataclass(frozen=True)
class Refused:
    """It breaks the policy, whether it works or not."""

    reason: str
    works: bool  # the targets pass with it


@dataclass(frozen=True)
class Rejected:
    """It was run, and does not heal."""

    reason: str
    evidence: Evidence
    failures: tuple[Failure, ...] = ()  # why: the targets that fail still, or what passed before


@dataclass(frozen=True)
class Unusable:
    """There is nothing to run."""

    reason: str


Verdict = Verified | Refused | Rejected | Unusable


@dataclass(frozen=True)
class Attempt:
    """A candidate and what the gate said of it."""

    number: int
    candidate: Candidate
    verdict: Verdict
    runs: int
    seconds: float


class Lack(StrEnum):
    """What a remedy ran out of."""

    KEY = "key"  # none given
    REFUSED_KEY = "refused_key"
    MONEY = "money"  # our own cap, or the account's
    TIME = "time"
    SERVICE = "service"


@dataclass(frozen=True)
class Shortfall:
    """Why a remedy could not go on. The ladder does; this decides the status when nothing heals."""

    lack: Lack
    message: str


@dataclass(frozen=True)
class Climb:
    """What became of one case on the ladder. When something was verified it is the last attempt."""

    attempts: tuple[Attempt, ...] = ()
    finding: Finding | None = None  # a remedy found out that no remedy can help
    lacks: tuple[Shortfall, ...] = ()

    def tried(self, candidate: Candidate, verdict: Verdict, *, runs: int, seconds: float) -> Climb:
        """With one more attempt."""
        attempt = Attempt(len(self.attempts) + 1, candidate, verdict, runs, seconds)
        return replace(self, attempts=(*self.attempts, attempt))

    def lacking(self, lack: Shortfall) -> Climb:
        """With one more thing that was missing."""
        return replace(self, lacks=(*self.lacks, lack))
