"""One figure: what was measured, what is to be reached, and whether it was."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

DIGITS = {" s": 2, " x": 2, " % of lines": 3}  # behind the point; none for other units


@dataclass(frozen=True)
class Figure:
    what: str
    value: float
    reach: float
    unit: str  # as it is printed behind the number, its space included
    at_least: bool = False  # more is better

    def __str__(self) -> str:
        reached = self.value >= self.reach if self.at_least else self.value <= self.reach
        bound = "at least" if self.at_least else "at most"
        return f"{'ok' if reached else 'MISS':4} {self.what}: {self._shown(self.value)} ({bound} {self._shown(self.reach)})"

    def _shown(self, value: float) -> str:
        return f"{value:,.{DIGITS.get(self.unit, 0)}f}{self.unit}"


def seconds(action: Callable[[], object]) -> float:
    """Of wall time."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def median(action: Callable[[], object], *, times: int) -> float:
    """Milliseconds of wall time, the median of some runs after one that is not counted."""
    action()
    return statistics.median(seconds(action) for _ in range(times)) * 1000
