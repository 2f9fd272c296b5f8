"""What the stages need from the world, as Protocols of a few methods with their promises."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from selfheal_ci.events import Event
from selfheal_ci.values import (
    NOTHING,
    Candidate,
    Case,
    Changes,
    Command,
    Commit,
    Entry,
    FailedJob,
    Finding,
    Flakiness,
    Healing,
    Hunk,
    Limits,
    Line,
    Planted,
    Publication,
    Published,
    Recipe,
    Remembered,
    Reserved,
    Result,
    Run,
    Short,
    Shortfall,
    Step,
    Tree,
    Verdict,
)

if TYPE_CHECKING:
    from selfheal_ci.lab import Lab


class Sandbox(Protocol):
    """A prepared tree."""

    @property
    def concurrency(self) -> int:
        """How many runs go side by side."""

    @property
    def limits(self) -> Limits:
        """What each run may use, unless its command asks for more."""

    @property
    def made(self) -> Sequence[str]:
        """Some of what setup made of the tree's own sources, where that is known: no change of those reaches it."""

    def run(self, command: Command, changes: Changes = NOTHING) -> Run:
        """Run on the frozen state plus these changes. A failing command is a Run, never an exception.

        Nothing it writes is seen by the next run, it has no secret, and no network unless the command asks.
        Raises EngineError when the engine broke.
        """

    def stop(self) -> None:
        """Kill every run that is under way, from any thread: nobody waits for them any more."""


class Engine(Protocol):
    """Where steps run."""

    @property
    def name(self) -> str:
        """As `--engine` and the artifact say it."""

    def prepare(self, tree: Tree, recipe: Recipe) -> AbstractContextManager[Sandbox]:
        """Copy the tree, run setup once (with network, without secrets), freeze the result.

        Raises EngineError when the engine cannot start, UsageError when setup fails.
        """


class History(Protocol):
    """The commits of the repository under repair."""

    def tree(self, revision: str) -> Tree:
        """The tree of a revision. Raises UsageError when there is no such revision."""

    def commits(self, old: str, new: str) -> Sequence[Commit]:
        """The commits that new has and old has not, oldest first."""

    def before(self, revision: str, most: int) -> Sequence[str]:
        """The ids of the commits before a revision along first parents, nearest first; fewer where the history ends."""

    def hunks(self, old: Tree, new: Tree) -> Sequence[Hunk]:
        """What changed between two trees, path by path in order, zero context."""

    def healed(self, fingerprints: Collection[str]) -> Sequence[Commit]:
        """The commits that fixed one of these failures, as their trailers say, newest first.

        Only of those that the failing commit has, and not far back.
        """


class Files(Protocol):
    """The bytes behind the trees."""

    def read(self, entry: Entry) -> bytes:
        """The bytes of one file."""

    def export(self, tree: Tree, into: Path) -> None:
        """Write the tree and its environment into an existing empty folder."""

    def write(self, tree: Tree, changes: Changes) -> Tree:
        """The tree with these changes, its new bytes kept."""

    def patch(self, old: Tree, new: Tree) -> bytes:
        """What changed, in git's format."""


class Runner(Protocol):
    """What we know of one test tool."""

    name: str

    def recognise(self, command: str) -> bool:
        """Whether this is the tool that a step's command starts."""

    def command(self, step: Step, ids: Collection[str] | None = None) -> Command:
        """The step, asked for a report; only these tests of it, where the tool can."""

    def read(self, run: Run, step: Step) -> Result:
        """What the run says about the step."""


@runtime_checkable
class Tracer(Protocol):
    """A runner that can tell which lines tests execute."""

    def traced(self, step: Step, ids: Collection[str] | None = None) -> Command:
        """What `Runner.command` gives, asked for the lines as well."""

    def lines(self, run: Run, paths: Collection[str]) -> Mapping[str, frozenset[Line]]:
        """The lines of these paths that each test executed, and under "" those that imports did."""


@runtime_checkable
class Canary(Protocol):
    """A runner that can add tests which must fail."""

    def canary(self, ids: Collection[str], read: Callable[[str], bytes | None]) -> Planted | None:
        """Such tests beside these, which are in the files that `read` gives; None where that is not possible."""


class Remedy(Protocol):
    """A way of healing."""

    @property
    def name(self) -> str:
        """What people call it in `--ladder`."""

    def candidates(self, case: Case, lab: Lab) -> Generator[Candidate, Verdict, Finding | Shortfall | None]:
        """Yield candidates, hear the verdict on each.

        Return a Finding only if no later remedy can help (the test is wrong), a Shortfall when something was missing
        (a key, money) and the next remedy may do better, None when there is nothing more to try.
        """


class Forge(Protocol):
    """Where fixes go."""

    def publish(self, publication: Publication) -> Published:
        """Create the fix branch, once: the same publication again finds the first one.

        Raises TargetMovedError when the patched files differ on the target, ForgeError when the remote refuses.
        """


class FailedJobs(Protocol):
    """Who knows what of this run failed before."""

    def failed(self) -> Sequence[FailedJob]:
        """The jobs that failed and that count. Raises ForgeError when nobody says so in time."""


class Day(Protocol):
    """What the model may cost in one day (UTC), for all healings together. In nano-dollars."""

    def reserve(self, nanos: int) -> Reserved | Short:
        """Set this much aside, for good if it is never settled. No day passes its cap, however many ask at once.

        Raises LedgerError when nobody can tell what is left.
        """

    def settle(self, reserved: Reserved, nanos: int) -> None:
        """Only this much of it was spent. Where that cannot be written down, all of it stays spent."""


class Memory(Protocol):
    """What earlier healings of a repository saw. Whatever breaks in it, it only knows less."""

    def flaky(self, step: Step, ids: Collection[str]) -> Mapping[str, Flakiness]:
        """Those of these tests that were seen flaky."""

    def greens(self, step: Step) -> Sequence[Remembered]:
        """The commits on which the step was green, in no order; some may be gone from the repository."""

    def remember(self, healing: Healing) -> None:
        """Keep what this healing saw."""


class Observer(Protocol):
    """Someone who is told."""

    def __call__(self, event: Event, /) -> None:
        """Hear what happened. Never decides anything."""
