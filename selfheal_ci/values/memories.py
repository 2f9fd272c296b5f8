"""What earlier healings left behind: money that was set aside, tests that are flaky, revisions that were green."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Reserved:
    """Money of one day, set aside for one call."""

    day: date
    nanos: int


@dataclass(frozen=True)
class Short:
    """The day has less left than was asked for."""

    left: int  # nano-dollars
    cap: int


@dataclass(frozen=True)
class Flakiness:
    """How often a test both failed and passed on an unchanged tree."""

    times: int
    since: date

    def __str__(self) -> str:
        return f"flaky before ({self.times} time{'s' * (self.times != 1)} since {self.since})"


@dataclass(frozen=True)
class Remembered:
    """A commit that was green."""

    commit: str
    whole: bool  # the whole step passed there; else some of the tests that fail later
