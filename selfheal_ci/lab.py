"""The lab: a prepared sandbox, the step, its runner and the time left. Stages touch the world only through it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from selfheal_ci.errors import OutOfTimeError
from selfheal_ci.events import Executed, Prepared, Ran
from selfheal_ci.ports import Engine, Files, Observer, Runner, Sandbox
from selfheal_ci.values import (
    NOTHING,
    Changes,
    Command,
    Content,
    Entry,
    Recipe,
    Result,
    Run,
    Step,
    Tree,
    Unclear,
)


@dataclass
class Meter:
    """Counts runs, and knows when the healing's time is over."""

    deadline: float  # on time.monotonic()
    runs: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def left(self) -> float:
        """Seconds until the healing's time is over."""
        return self.deadline - time.monotonic()

    def take(self, wanted: float) -> float:
        """Count a run and give the seconds it may take. Raises OutOfTimeError when none are left."""
        left = self.left()
        if left <= 0:
            raise OutOfTimeError("the time for this healing is over", hint="give more with --max-minutes")
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
    answers: dict[tuple[str, frozenset[str] | None], Result] = field(default_factory=dict)

    def run_step(self, changes: Changes = NOTHING, *, fresh: bool = False) -> Result:
        """The whole step with these changes."""
        return self._ask(None, changes, fresh=fresh)

    def run_tests(self, ids: Collection[str], changes: Changes = NOTHING, *, fresh: bool = False) -> Result:
        """Only these tests, where the runner can select; otherwise the whole step."""
        return self._ask(frozenset(ids) if self.select else None, changes, fresh=fresh)

    def run_command(self, shell: str, changes: Changes = NOTHING) -> Run:
        """A command beside the step, such as a fixer; its Run tells what it changed."""
        allowed = self.meter.take(self.step.timeout)
        run = self.sandbox.run(Command(shell, allowed), changes.over(self.below))
        self.tell(Executed(run))
        return run

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
        width = max(1, self.sandbox.concurrency)
        with self._side_by_side() as pool:
            for start in range(0, len(probes), width):
                window = probes[start : start + width]
                for offset, healed in enumerate(pool.map(lambda probe: self.heals(ids, probe), window)):
                    if healed:
                        return start + offset
        return None

    def heals(self, ids: Collection[str], changes: Changes = NOTHING, *, fresh: bool = False) -> bool:
        """Whether all these tests are there and pass with the changes."""
        result = self.run_tests(ids, changes, fresh=fresh)
        return not isinstance(result, Unclear) and frozenset(ids) <= result.passed

    def rerun(self, ids: Collection[str], times: int) -> list[Result]:
        """The same tests several times, side by side, nothing remembered."""
        with self._side_by_side() as pool:
            return list(pool.map(lambda _: self.run_tests(ids, fresh=True), range(times)))

    def whole_only(self) -> Lab:
        """The same lab, which always runs the whole step: for failures that need the others to fail."""
        return replace(self, select=False)

    def with_changes(self, changes: Changes) -> Lab:
        """The same lab, every run of which has these changes too."""
        return replace(self, below=changes.over(self.below))

    def at(self, tree: Tree) -> Lab:
        """A lab on another tree: as changes on this one where the setup is the same, else prepared on its own."""
        if any(self.tree.entries.get(path) != tree.entries.get(path) for path in self.recipe.build_files):
            return replace(self, tree=tree, sandbox=self.prepare(tree), below=NOTHING, answers={})
        return replace(self, below=difference(self.tree, tree, self.files.read))

    @contextmanager
    def _side_by_side(self) -> Iterator[ThreadPoolExecutor]:
        """Threads for runs; when something breaks in here, Ctrl-C above all, the runs are killed and not waited for."""
        pool = ThreadPoolExecutor(max_workers=max(1, self.sandbox.concurrency))
        try:
            yield pool
        except BaseException:  # Ctrl-C too; it goes on at once, only the runs are killed first
            pool.shutdown(wait=False, cancel_futures=True)
            self.sandbox.stop()
            raise
        finally:
            pool.shutdown()

    def _ask(self, ids: frozenset[str] | None, changes: Changes, *, fresh: bool) -> Result:
        key = (changes.over(self.below).digest, ids)
        if not fresh and key in self.answers:
            return self.answers[key]
        command = self.runner.command(self.step, ids)
        allowed = self.meter.take(command.timeout)
        run = self.sandbox.run(replace(command, timeout=allowed), changes.over(self.below))
        result = self.runner.read(run, self.step)
        self.answers[key] = result
        self.tell(Ran("the step" if ids is None else f"{len(ids)} test{'s' * (len(ids) != 1)}", result))
        return result


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

        def prepare(wanted: Tree) -> Sandbox:
            began = time.monotonic()
            sandbox = stack.enter_context(engine.prepare(wanted, recipe))
            tell(Prepared(len(wanted.entries), time.monotonic() - began))
            return sandbox

        sandbox = prepare(tree)
        yield lambda step, runner: Lab(tree, step, sandbox, runner, files, meter, tell, prepare, recipe)
