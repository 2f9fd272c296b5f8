"""What a run on Dagger takes beyond its command: on the engine that the environment names, else on a stub of its session.

`SELFHEAL_TEST_IMAGE` is the image on a real engine.
"""

from __future__ import annotations

import json
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.figures import Figure, median, seconds
from selfheal_ci import shell
from selfheal_ci.engines.dagger import DaggerEngine, DaggerSandbox
from selfheal_ci.errors import EngineError
from selfheal_ci.values import Changes, Command, Content, Entry, Limits, Recipe, Tree
from tests.dagger_stub import Faults, Stub

FILES = 5_000
AT_ONCE = 8
INTERRUPTED = 10 if os.environ.get("BENCH_QUICK") else 50
NAMES = ("DAGGER_SESSION_PORT", "_EXPERIMENTAL_DAGGER_RUNNER_HOST")
ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Bench:
    """An engine, and how it is called in what is printed."""

    environ: Mapping[str, str]
    work: Path
    stub: Stub | None

    @property
    def where(self) -> str:
        return "on the stub" if self.stub else "on a real engine"

    def engine(self, *, files: int = FILES, salt: str = "1") -> tuple[DaggerEngine, Tree]:
        entries = {f"package{n // 50}/module{n}.py": Entry("100644", salt) for n in range(files)}

        def export(tree: Tree, into: Path) -> None:
            for path in tree.entries:
                (into / path).parent.mkdir(parents=True, exist_ok=True)
                (into / path).write_text(f"x = {salt}\n")

        image = os.environ.get("SELFHEAL_TEST_IMAGE", "python:3.11-slim")
        engine = DaggerEngine(export, self.work, image, Limits(), self.environ, AT_ONCE)
        return engine, Tree(salt, Path("/home/me/project"), entries)


def measure() -> Iterator[Figure]:
    """Every figure that is published for Dagger."""
    with _bench() as bench:
        yield from _candidates(bench)
        yield from _setups(bench)
        yield from _orphans(bench)
        if bench.stub:
            yield from _losses(bench, bench.stub)
    yield Figure("module source", _size() / 1000, 500, " kB")


@contextmanager
def _bench() -> Iterator[Bench]:
    with tempfile.TemporaryDirectory(prefix="selfheal-bench-") as folder:
        work = Path(folder)
        work.chmod(0o755)
        (work / "stub").mkdir()
        if any(os.environ.get(name) for name in NAMES):
            yield Bench(os.environ, work, None)
            return
        with Stub.serving(work / "stub") as stub:
            yield Bench(stub.environ, work, stub)


def _candidates(bench: Bench) -> Iterator[Figure]:
    engine, tree = bench.engine()
    with engine.prepare(tree, Recipe()) as sandbox:

        def run(number: int) -> None:
            changes = Changes({"package0/module0.py": Content(b"x = %d\n" % number)})
            sandbox.run(Command("true", timeout=60), changes)

        run(0)
        one = median(partial(run, 1), times=5) / 1000
        with ThreadPoolExecutor(AT_ONCE) as pool:
            at_once = seconds(lambda: list(pool.map(run, range(AT_ONCE))))
        yield Figure(f"one more candidate on {FILES:,} files, {bench.where}", one, 1.5, " s")
        yield Figure(f"{AT_ONCE} at once, against one", at_once / one, 3, " x")


def _setups(bench: Bench) -> Iterator[Figure]:
    """How often setup ran again while only the source changed: by what it draws by lot."""
    engine, tree = bench.engine(files=50)
    drawn = Command("cat drawn", timeout=60)
    with engine.prepare(tree, Recipe(setup=("od -An -N8 -tx1 /dev/urandom >drawn",))) as sandbox:
        changed = [Changes({"package0/module0.py": Content(b"y = %d\n" % n)}) for n in range(5)]
        seen = {sandbox.run(drawn, changes).output.text for changes in changed}
    yield Figure(f"setup run again when only source changed, {bench.where}", len(seen) - 1, 0, " times")


def _orphans(bench: Bench) -> Iterator[Figure]:
    """Runs that go on after they were interrupted, as Ctrl-C does: each writes its mark while it lives."""
    engine, tree = bench.engine(files=1, salt="2")
    with engine.prepare(tree, Recipe()) as sandbox:
        alive = sum(_survives(sandbox) for _ in range(INTERRUPTED))
    yield Figure(f"runs left after {INTERRUPTED} interrupts, {bench.where}", alive, 0, " runs")


def _survives(sandbox: DaggerSandbox) -> bool:
    mark = f"{7_000_000 + time.monotonic_ns() % 1_000_000}"
    timer = threading.Timer(0.7, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with suppress(KeyboardInterrupt):
        sandbox.run(Command(f"sleep {mark}", timeout=60))
    timer.join()
    deadline = time.monotonic() + 5
    while (lives := _sleeps(mark)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return lives


def _sleeps(mark: str) -> bool:
    listed = shell.run(["ps", "-eo", "args"], env={"PATH": shell.PATH}).stdout.decode(errors="replace")
    return f"sleep {mark}" in listed.splitlines()


def _losses(bench: Bench, stub: Stub) -> Iterator[Figure]:
    engine, tree = bench.engine(files=50)

    def run(back_after: int) -> float:
        with engine.prepare(tree, Recipe()) as sandbox:
            stub.faults = Faults(lose_at=stub.calls + 1, back_at=stub.calls + 1 + back_after)
            with suppress(EngineError):
                return seconds(lambda: _ended(sandbox))
        return 0.0

    yield Figure("a lost engine that comes back, to the end of the repeated run, on the stub", run(2), 30, " s")
    yield Figure("a lost engine that stays away, to the error, on the stub", run(10**6), 30, " s")


def _ended(sandbox: DaggerSandbox) -> None:
    with suppress(EngineError):
        sandbox.run(Command("true", timeout=60))


def _size() -> int:
    """Bytes: Dagger sends files as they are."""
    patterns = json.loads((ROOT / "dagger.json").read_text())["include"]
    left_out = tuple(f"{pattern.removeprefix('!')}/" for pattern in patterns)
    listed = shell.run(["git", "-C", ROOT, "ls-files"], env={"PATH": shell.PATH, "HOME": "/nonexistent"}).stdout.decode()
    files = [ROOT / name for name in listed.splitlines() if not f"{name}/".startswith(left_out)]
    return sum(file.stat().st_size for file in files if file.is_file())
