"""One figure: what was measured, what is to be reached, and whether it was."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    what: str
    seconds: float
    reach: float

    def __str__(self) -> str:
        sign = "ok " if self.seconds <= self.reach else "MISS"
        return f"{sign:4} {self.what}: {self.seconds * 1000:,.0f} ms (to reach: {self.reach * 1000:,.0f} ms)"


def median(action: Callable[[], object], *, times: int) -> float:
    """Seconds of wall time, the median of some runs after one that is not counted."""
    action()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        action()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)
