"""What is run, what came of it, and what that says about the step."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from io import BytesIO

from selfheal_ci.values.ids import tool_of
from selfheal_ci.values.trees import NOTHING, Changes


@dataclass(frozen=True)
class Service:
    """What a step talks to while it runs, under its name: a database, a queue. Each run has one of its own."""

    name: str
    image: str
    env: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[int, ...] = ()  # that answer when it is ready
    health: str = ""  # a command in it that succeeds when it is ready


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
    services: tuple[Service, ...] = ()  # Dagger only; a step that has some has a network, too


@dataclass(frozen=True)
class Recipe:
    """How a tree becomes ready to run."""

    setup: tuple[str, ...] = ()
    setup_env: Mapping[str, str] = field(default_factory=dict)
    image: str | None = None  # Dagger only
    build_files: frozenset[str] = frozenset()  # paths whose change asks for a new setup


MORE = 2  # times as much as the limit, for a run that gets more


@dataclass(frozen=True)
class Limits:
    """What one run may use."""

    memory: int = 4 << 30  # bytes
    processes: int = 512
    disk: int = 4 << 30  # bytes
    output: int = 16 << 20  # bytes kept of what it prints

    def with_more(self, ran_out: Stop | None) -> Limits:
        """The same limits, but MORE times as much of what ran out."""
        match ran_out:
            case Stop.MEMORY:
                return replace(self, memory=MORE * self.memory)
            case Stop.DISK:
                return replace(self, disk=MORE * self.disk)
            case Stop.PROCESSES:
                return replace(self, processes=MORE * self.processes)
            case Stop.EXITED | Stop.TIMEOUT | Stop.KILLED | None:
                return self


@dataclass(frozen=True)
class Allowance:
    """What the runs of a healing may use, where that is not what the limits say."""

    more: Stop | None = None  # more of what ran out; see Limits.with_more
    seconds: float = math.inf  # none of them needs longer


USUAL = Allowance()
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
    services: tuple[Service, ...] = ()
    more: Stop | None = None  # what it gets more of than the limits say; see Limits.with_more


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
        gap = f"\n{self._gap}\n" if self.left_out else ""
        return self.head.decode("utf-8", "replace") + gap + self.tail.decode("utf-8", "replace")

    def lines(self) -> Iterator[str]:
        """The same line by line, without their ends: the whole as text takes several times the memory."""
        begun = b""  # a line that ends in the tail
        for line in BytesIO(self.head):
            if line.endswith(b"\n"):
                yield line[:-1].decode("utf-8", "replace")
            else:
                begun = line
        if self.left_out:
            yield begun.decode("utf-8", "replace")
            yield self._gap
            begun = b""
        for line in BytesIO(self.tail):
            yield (begun + line.removesuffix(b"\n")).decode("utf-8", "replace")
            begun = b""
        if begun:
            yield begun.decode("utf-8", "replace")

    @property
    def _gap(self) -> str:
        return f"… {self.left_out} bytes left out …"


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
class Heard:
    """The tools that said all they had to say: what they do not complain of is in order."""

    tools: frozenset[str] = frozenset()
    unread: frozenset[str] = frozenset()  # how ids begin of what they would not have said: the file does not parse

    def clears(self, id_: str) -> bool:
        """Whether a complaint under this id would have been heard."""
        return tool_of(id_) in self.tools and not id_.startswith(tuple(self.unread))


NOTHING_HEARD = Heard()


@dataclass(frozen=True)
class Green:
    """Exit code 0, and no report disagrees."""

    run: Run
    passed: frozenset[str]

    def passes(self, ids: Collection[str]) -> frozenset[str]:
        """Those that pass: tests that ran, and all that a tool may complain of."""
        return frozenset(id_ for id_ in ids if id_ in self.passed or tool_of(id_))


@dataclass(frozen=True)
class Red:
    """Something fails."""

    run: Run
    passed: frozenset[str]
    failures: tuple[Failure, ...]
    heard: Heard = NOTHING_HEARD

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(failure.id for failure in self.failures)

    def passes(self, ids: Collection[str]) -> frozenset[str]:
        """Those that pass: tests that ran, and what a tool does not complain of that was heard to its end."""
        failing = self.ids
        return frozenset(id_ for id_ in ids if id_ in self.passed or (id_ not in failing and self.heard.clears(id_)))


@dataclass(frozen=True)
class Unclear:
    """The machine gave out before the step could tell."""

    run: Run
    why: str  # "timeout after 60 s"

    def passes(self, ids: Collection[str]) -> frozenset[str]:
        """None."""
        return frozenset()


Result = Green | Red | Unclear


@dataclass(frozen=True)
class Planted:
    """Tests that must fail, and the changes that bring them in."""

    changes: Changes
    ids: frozenset[str]


Line = tuple[str, int]  # path relative to the tree, number from 1


@dataclass(frozen=True)
class Trace:
    """Which lines of the tree each test executed in one run. Nothing at all where that cannot be told."""

    lines: Mapping[str, frozenset[Line]] = field(default_factory=dict)  # under "": at import, for all tests
    passed: frozenset[str] = frozenset()  # of the tests in `lines`
    failed: frozenset[str] = frozenset()  # all that failed; a file that cannot be read has no lines of its own

    def executed(self, ids: Iterable[str]) -> frozenset[Line]:
        """The lines that any of these tests needs, those of imports too."""
        return frozenset().union(*(self.lines.get(id_, frozenset()) for id_ in ("", *ids)))


def ids_of(failures: Iterable[Failure]) -> frozenset[str]:
    """The ids of some failures."""
    return frozenset(failure.id for failure in failures)
