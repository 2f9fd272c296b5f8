"""What observers hear, in the past tense, with the values themselves."""

from __future__ import annotations

from dataclasses import dataclass

from selfheal_ci.values import Attempt, Cost, Finding, Healing, Result, Run


@dataclass(frozen=True)
class Prepared:
    """The tree is copied, setup has run, the state is frozen."""

    files: int
    seconds: float


@dataclass(frozen=True)
class Ran:
    """The step, or some of its tests, was run."""

    what: str  # "the step", "3 tests on green"
    result: Result


@dataclass(frozen=True)
class Executed:
    """A command beside the step was run: a fixer."""

    run: Run


@dataclass(frozen=True)
class Diagnosed:
    finding: Finding


@dataclass(frozen=True)
class Judged:
    attempt: Attempt


@dataclass(frozen=True)
class Asked:
    """The model was asked and answered."""

    attempt: int
    model: str
    cost: Cost
    prompt: str  # as sent
    reply: str  # as it came


@dataclass(frozen=True)
class Warned:
    text: str


@dataclass(frozen=True)
class Finished:
    healing: Healing


Event = Prepared | Ran | Executed | Diagnosed | Judged | Asked | Warned | Finished
