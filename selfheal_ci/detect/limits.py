"""The limits of a run, by the names under which people set them."""

from __future__ import annotations

from dataclasses import dataclass

from selfheal_ci.values import Limits, Run, Stop

UNITS = ("", "k", "m", "g")


@dataclass(frozen=True)
class Limit:
    """One limit, as it is set."""

    key: str  # in the configuration
    value: str
    flag: str = ""

    def __str__(self) -> str:
        return f"{self.key}, {self.value}"


def limit_of(stop: Stop, limits: Limits, timeout: float) -> Limit | None:
    """The limit that ends a run in this way; None where none of ours does."""
    match stop:
        case Stop.TIMEOUT:
            return Limit("timeout-minutes", f"{timeout / 60:g}")
        case Stop.MEMORY:
            return Limit("limits.memory", size(limits.memory), "--max-memory")
        case Stop.DISK:
            return Limit("limits.disk", size(limits.disk), "--max-disk")
        case Stop.PROCESSES:
            return Limit("limits.processes", f"{limits.processes}", "--max-processes")
        case Stop.KILLED | Stop.EXITED:
            return None


def gave_out(run: Run, limit: str = "") -> str:
    """What became too much for the machine, and the limit that says so."""
    named = f" ({limit})" if limit else ""
    match run.stop:
        case Stop.TIMEOUT:
            return f"timeout after {run.seconds:.0f} s{named}"
        case Stop.MEMORY:
            return f"it used more memory than it may{named}"
        case Stop.DISK:
            return f"it wrote more than it may{named}"
        case Stop.PROCESSES:
            return f"it started more processes than it may{named}"
        case Stop.KILLED | Stop.EXITED:
            return "it was killed by a signal that no limit explains"


def size(number: int) -> str:
    """Bytes as the configuration takes them: `4g`, `512m`."""
    unit = 0
    while number and number % 1024 == 0 and unit < len(UNITS) - 1:
        number, unit = number // 1024, unit + 1
    return f"{number}{UNITS[unit]}"
