"""What is run, what came of it, and what that says about the step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from selfheal_ci.values.trees import NOTHING, Changes


@dataclass(frozen=True)
class Step:
    """A step as the configuration describes it."""

    name: str
    run: str
    build: tuple[str, ...] = ()
    reports: tuple[str, ...] = ()
    fix: tuple[str, ...] = ()
    timeout: float = 900.0  # seconds
    network: bool = False


@dataclass(frozen=True)
class Recipe:
    """How a tree becomes ready to run."""

    setup: tuple[str, ...] = ()
    setup_env: Mapping[str, str] = field(default_factory=dict)
    image: str | None = None  # Dagger only
    build_files: frozenset[str] = frozenset()  # paths whose change asks for a new setup


@dataclass(frozen=True)
class Limits:
    """What one run may use."""

    memory: int = 4 << 30  # bytes
    processes: int = 512
    disk: int = 4 << 30  # bytes
    output: int = 16 << 20  # bytes kept of what it prints


REPORTS = "/tmp/selfheal-reports"  # empty, writable folder that every engine gives a run  # noqa: S108
SUPPORT = "/tmp/selfheal-support"  # where Command.support is found by the run  # noqa: S108


@dataclass(frozen=True)
class Command:
    """What a sandbox is asked to run: `sh -c shell` in the root of the tree."""

    shell: str
    timeout: float  # seconds
    env: Mapping[str, str] = field(default_factory=dict)
    reports: tuple[str, ...] = ()  # globs below the tree; everything in REPORTS is read as well
    support: Mapping[str, bytes] = field(default_factory=dict)  # name → bytes, laid into SUPPORT
    network: bool = False


class Stop(StrEnum):
    """How a run ended."""

    EXITED = "exited"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    DISK = "disk"
    PROCESSES = "processes"
    KILLED = "killed"  # by a signal that no limit of ours explains


@dataclass(frozen=True)
class Output:
    """What a run printed; the middle is left out when it printed too much."""

    head: bytes = b""
    tail: bytes = b""
    left_out: int = 0  # bytes between head and tail

    @property
    def text(self) -> str:
        """Head and tail, decoded for reading."""
        gap = f"\n… {self.left_out} bytes left out …\n" if self.left_out else ""
        return self.head.decode("utf-8", "replace") + gap + self.tail.decode("utf-8", "replace")


@dataclass(frozen=True)
class Run:
    """A command that was run. Failing is no error: it is what we came to see."""

    shell: str
    stop: Stop
    exit_code: int | None  # None unless it exited
    output: Output
    seconds: float
    reports: Mapping[str, bytes] = field(default_factory=dict)  # path → bytes
    changed: Changes = NOTHING  # what the command changed below the tree, files up to 1 MB


@dataclass(frozen=True)
class Failure:
    """One thing that fails, under an id that is the same in every run."""

    id: str  # "tests/test_cart.py::test_total"; "step:NAME" when there is only the output
    fingerprint: str
    message: str
    path: str | None = None
    line: int | None = None
    type: str = ""  # "AssertionError"
    text: str = ""  # trace, or the reduced log


@dataclass(frozen=True)
class Green:
    """Exit code 0, and no report disagrees."""

    run: Run
    passed: frozenset[str]


@dataclass(frozen=True)
class Red:
    """Something fails."""

    run: Run
    passed: frozenset[str]
    failures: tuple[Failure, ...]

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(failure.id for failure in self.failures)


@dataclass(frozen=True)
class Unclear:
    """The machine gave out before the step could tell."""

    run: Run
    why: str  # "timeout after 60 s"


Result = Green | Red | Unclear


def ids_of(failures: Iterable[Failure]) -> frozenset[str]:
    """The ids of some failures."""
    return frozenset(failure.id for failure in failures)
