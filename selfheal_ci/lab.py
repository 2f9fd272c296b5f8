"""The lab: a prepared sandbox, the step, its runner and the time left. Stages touch the world only through it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar

from selfheal_ci.detect import Limit, gave_out, limit_of
from selfheal_ci.errors import OutOfTimeError
from selfheal_ci.events import Executed, Prepared, Ran
from selfheal_ci.ports import Engine, Files, Observer, Runner, Sandbox, Tracer
from selfheal_ci.values import (
    MORE,
    NOTHING,
    USUAL,
    Allowance,
    Changes,
    Command,
    Content,
    Entry,
    Recipe,
    Red,
    Result,
    Run,
    Step,
    Stop,
    Trace,
    Tree,
    Unclear,
    is_test,
    tool_of,
)

Item = TypeVar("Item")
Answer = TypeVar("Answer")
SLOWER = 5  # times as long as usual that tests may take while they are traced


@dataclass
class Meter:
    """Counts runs, and knows when the healing's time is over."""

    deadline: float  # on time.monotonic()
    runs: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def left(self) -> float:
        """Seconds until the healing's time is over."""
        return self.deadline - time.monotonic()

    def check(self) -> float:
        """The seconds left. Raises OutOfTimeError when there are none."""
        left = self.left()
        if left <= 0:
            raise OutOfTimeError("the time for this healing is over (limits.minutes)", hint="give more with --max-minutes")
        return left

    def take(self, wanted: float) -> float:
        """Count a run and give the seconds it may take. Raises OutOfTimeError when none are left."""
        left = self.check()
        with self.lock:
            self.runs += 1
        return min(wanted, left)


@dataclass(frozen=True)
class Lab:
    """One tree, ready to be tried with changes. Every answer is remembered unless a fresh one is asked for."""

    tree: Tree
    step: Step
    sandbox: Sandbox
    runner: Runner
    files: Files
    meter: Meter
    tell: Observer
    prepare: Callable[[Tree], Sandbox]
    recipe: Recipe
    below: Changes = NOTHING  # what every run has besides its own changes
    select: bool = True  # whether single tests may be run alone
    allowance: Allowance = USUAL
    answers: dict[tuple[str, frozenset[str] | None, Allowance], Result] = field(default_factory=dict)
    traces: dict[tuple[str, frozenset[str] | None, Allowance], Trace] = field(default_factory=dict)

    def run_step(self, changes: Changes = NOTHING, *, fresh: bool = False) -> Result:
        """The whole step with these changes."""
        return self._ask(None, changes, fresh=fresh)

    def run_tests(self, ids: Collection[str], changes: Changes = NOTHING, *, fresh: bool = False) -> Result:
        """Only these tests, where the runner can select; otherwise, and for what tools complain of, the whole step."""
        alone = self.select and not any(tool_of(id_) for id_ in ids)
        return self._ask(frozenset(ids) if alone else None, changes, fresh=fresh)

    def trace(self, ids: Collection[str] | None, changes: Changes = NOTHING) -> Trace:
        """Which lines of the tree these tests execute, or all of the step's. Nothing where no test can be traced."""
        wanted = frozenset(ids) if self.select and ids is not None else None
        key = (changes.over(self.below).digest, wanted, self.allowance)
        if key not in self.traces:
            self.traces[key] = self._trace(wanted, changes)
        return self.traces[key]

    def run_command(self, shell: str, changes: Changes = NOTHING) -> Run:
        """A command beside the step, such as a fixer; its Run tells what it changed."""
        run, _ = self._run(Command(shell, self.timeout), changes)
        self.tell(Executed(run))
        return run

    def run_batch(self, command: Command, seconds: float) -> Run:
        """A remedy's own command, which asks for many versions of the tree in one run of at most these seconds."""
        run, _ = self._run(replace(command, timeout=seconds), NOTHING)
        return run

    def side_by_side(self, ask: Callable[[Item], Answer], items: Sequence[Item]) -> list[Answer]:
        """The answers in the order of the items. What breaks in here, Ctrl-C too, kills the runs and does not wait."""
        pool = ThreadPoolExecutor(max_workers=self.width)
        try:
            return list(pool.map(ask, items))
        except BaseException:  # it goes on at once, only the runs are killed first
            pool.shutdown(wait=False, cancel_futures=True)
            self.sandbox.stop()
            raise
        finally:
            pool.shutdown()

    def read(self, path: str, changes: Changes = NOTHING) -> bytes | None:
        """The bytes a run with these changes would see at a path; None when there is no such regular file."""
        seen = changes.over(self.below).files
        if path in seen:
            content = seen[path]
            return content.data if content else None
        entry = self.tree.entries.get(path)
        return self.files.read(entry) if entry and entry.mode != "120000" else None

    def mode(self, path: str) -> str:
        """The mode of a file of the tree; that of an ordinary file where there is none."""
        entry = self.tree.entries.get(path)
        return entry.mode if entry else "100644"

    def first(self, probes: Sequence[Changes], ids: Collection[str]) -> int | None:
        """The lowest index whose changes turn all the tests green, tried side by side. The lowest wins, not the fastest."""
        for start in range(0, len(probes), self.width):
            healed = self.side_by_side(lambda probe: self.heals(ids, probe), probes[start : start + self.width])
            if True in healed:
                return start + healed.index(True)
        return None

    def heals(self, ids: Collection[str], changes: Changes = NOTHING, *, fresh: bool = False) -> bool:
        """Whether all these tests are there and pass with the changes."""
        result = self.run_tests(ids, changes, fresh=fresh)
        complained = any(tool_of(id_) for id_ in ids)
        return frozenset(ids) == result.passes(ids) and not (complained and self._brings_to_light(result))

    def rerun(self, ids: Collection[str], times: int) -> list[Result]:
        """The same tests several times, side by side, nothing remembered."""
        return self.side_by_side(lambda _: self.run_tests(ids, fresh=True), range(times))

    def whole_only(self) -> Lab:
        """The same lab, which always runs the whole step: for failures that need the others to fail."""
        return replace(self, select=False)

    def with_changes(self, changes: Changes) -> Lab:
        """The same lab, every run of which has these changes too."""
        return replace(self, below=changes.over(self.below))

    def allowing(self, allowance: Allowance) -> Lab:
        """The same lab, every run of which may use this."""
        return replace(self, allowance=allowance)

    @property
    def width(self) -> int:
        """Runs that may go on side by side."""
        return max(1, self.sandbox.concurrency)

    @property
    def timeout(self) -> float:
        """Seconds that the step may take."""
        return self.step.timeout * (MORE if self.allowance.more is Stop.TIMEOUT else 1)

    def limit(self, stop: Stop) -> Limit | None:
        """The limit that ends runs of this lab in this way."""
        return limit_of(stop, self.sandbox.limits.with_more(self.allowance.more), self.timeout)

    @property
    def stale(self) -> Sequence[str]:
        """Some of what setup made of the sources, which no change of them reaches; none where the step builds."""
        return () if self.step.build else self.sandbox.made

    def at(self, tree: Tree) -> Lab:
        """A lab on another tree: as changes on this one where setup would make the same of it, else prepared on its own."""
        changed = any(self.tree.entries.get(path) != tree.entries.get(path) for path in self.recipe.build_files)
        if changed or (self.stale and tree.entries != self.tree.entries):
            return replace(self, tree=tree, sandbox=self.prepare(tree), below=NOTHING, answers={}, traces={})
        return replace(self, below=difference(self.tree, tree, self.files.read))

    def _ask(self, ids: frozenset[str] | None, changes: Changes, *, fresh: bool) -> Result:
        key = (changes.over(self.below).digest, ids, self.allowance)
        if not fresh and key in self.answers:
            return self.answers[key]
        command = self.runner.command(self.step, ids)
        run, allowed = self._run(replace(command, timeout=min(self.timeout, self.allowance.seconds)), changes)
        result = self.runner.read(run, self.step)
        if isinstance(result, Unclear):
            result = replace(result, why=gave_out(run, self._limit(run, allowed)))
        self.answers[key] = result
        self.tell(Ran(_said(ids), result))
        return result

    def _trace(self, ids: frozenset[str] | None, changes: Changes) -> Trace:
        named = ids if ids is not None else self._known(changes)
        if not isinstance(self.runner, Tracer) or (named is not None and not any(is_test(id_) for id_ in named)):
            return Trace()
        command = self.runner.traced(self.step, ids)
        run, _ = self._run(replace(command, timeout=min(self.timeout, SLOWER * self.allowance.seconds)), changes)
        result = self.runner.read(run, self.step)
        self.tell(Ran(f"{_said(ids)}, traced", result))
        if isinstance(result, Unclear):
            return Trace()
        lines = self.runner.lines(run, self.tree.entries.keys() | changes.over(self.below).files.keys())
        failed = result.ids if isinstance(result, Red) else frozenset()
        return Trace(lines, result.passed & lines.keys(), failed)

    def _brings_to_light(self, result: Result) -> bool:
        """Whether something fails that did not before: of `lint && test`, what comes second."""
        before = self.answers.get((self.below.digest, None, self.allowance))
        return isinstance(result, Red) and isinstance(before, Red) and not result.ids <= before.ids

    def _known(self, changes: Changes) -> frozenset[str] | None:
        """The ids that the whole step is known to have; None before it was run."""
        result = self.answers.get((changes.over(self.below).digest, None, self.allowance))
        if result is None or isinstance(result, Unclear):
            return None
        return result.passed | (result.ids if isinstance(result, Red) else frozenset())

    def _run(self, command: Command, changes: Changes) -> tuple[Run, float]:
        """The run, and the seconds it was given."""
        allowed = self.meter.take(command.timeout)
        command = replace(command, timeout=allowed, more=self.allowance.more)
        return self.sandbox.run(command, changes.over(self.below)), allowed

    def _limit(self, run: Run, allowed: float) -> str:
        """The limit that ended a run, in words."""
        if run.stop is not Stop.TIMEOUT or allowed >= self.timeout:
            return str(self.limit(run.stop) or "")
        return "green takes much less" if allowed == self.allowance.seconds else "all that limits.minutes left"


def _said(ids: Collection[str] | None) -> str:
    return "the step" if ids is None else f"{len(ids)} test{'s' * (len(ids) != 1)}"


def difference(old: Tree, new: Tree, read: Callable[[Entry], bytes]) -> Changes:
    """The changes that turn one tree into the other."""
    files: dict[str, Content | None] = {path: None for path in old.entries if path not in new.entries}
    for path, entry in new.entries.items():
        if old.entries.get(path) != entry:
            files[path] = Content(read(entry), entry.mode)
    return Changes(files)


@contextmanager
def open_labs(
    tree: Tree, *, engine: Engine, recipe: Recipe, files: Files, meter: Meter, tell: Observer
) -> Iterator[Callable[[Step, Runner], Lab]]:
    """Prepare the tree once; every lab on it, and every sandbox made through one, ends with this."""
    with ExitStack() as stack:
        prepared: dict[str, Sandbox] = {}

        def prepare(wanted: Tree) -> Sandbox:
            if wanted.id in prepared:
                return prepared[wanted.id]
            began = time.monotonic()
            sandbox = stack.enter_context(engine.prepare(wanted, recipe))
            tell(Prepared(len(wanted.entries), time.monotonic() - began))
            prepared[wanted.id] = sandbox
            return sandbox

        sandbox = prepare(tree)
        yield lambda step, runner: Lab(tree, step, sandbox, runner, files, meter, tell, prepare, recipe)
