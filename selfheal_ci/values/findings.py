"""Why a step fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from selfheal_ci.values.runs import USUAL, Allowance, Red
from selfheal_ci.values.trees import Hunk, Tree


class Kind(StrEnum):
    """Why one failure fails; established by runs alone."""

    REGRESSION = "regression"
    NEW_FAILURE = "new_failure"
    ORDER_DEPENDENT = "order_dependent"
    EXPECTATION_CHANGED = "expectation_changed"
    FLAKY = "flaky"
    ENVIRONMENT = "environment"
    INFRASTRUCTURE = "infrastructure"
    BASELINE = "baseline"


HEALABLE = frozenset({Kind.REGRESSION, Kind.NEW_FAILURE, Kind.ORDER_DEPENDENT, Kind.EXPECTATION_CHANGED})


class Attested(StrEnum):
    """Who says that the base was green."""

    OPTION = "option"
    FORGE = "forge"
    LEDGER = "ledger"
    GUESS = "guess"


@dataclass(frozen=True)
class Base:
    """The revision that is taken for green."""

    commit: str
    attested_by: Attested

    @property
    def attested(self) -> bool:
        return self.attested_by is not Attested.GUESS


@dataclass(frozen=True)
class Culprit:
    """The hunks that made failures, and how we know."""

    hunks: tuple[Hunk, ...]  # one, unless it takes several together
    commit: str | None  # None when several commits changed the file, or the change is not committed
    how: str  # "reverting it alone turns 3 of 3 green"

    @property
    def hunk(self) -> Hunk:
        """The one to show."""
        return self.hunks[0]


@dataclass(frozen=True)
class Finding:
    """The diagnosis."""

    kind: Kind
    summary: str
    kinds: Mapping[str, Kind] = field(default_factory=dict)  # failure id → kind
    reproduced: int = 0  # runs in which they failed
    green: Tree | None = None  # the tree of the green revision, where it was confirmed
    green_commit: str | None = None
    hunks: tuple[Hunk, ...] = ()  # green → failing, source files only, the likeliest first
    green_passed: frozenset[str] = frozenset()  # what passed on green and could not run on the failing tree
    culprits: Mapping[str, Culprit] = field(default_factory=dict)  # fingerprint of a group → what made it
    culprit: Culprit | None = None  # the first of them; in a case, the one of its group
    reached: bool = True  # whether edits reach the tests; if not, there is nothing to heal
    allowance: Allowance = USUAL  # what the runs that heal it may use
    instead: Red | None = None  # what fails with this allowance, where the machine had given out before
    model_verdict: str | None = None  # what the model said when it declined; never decides the status
