"""Whether a run that hangs is dead after its limit, with everything that it started."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.sandboxes import a_sandbox
from selfheal_ci.ports import Sandbox
from selfheal_ci.values import Command, Stop

RUNS = 200
LIMIT = 0.3  # seconds
# Two in sessions of their own that ignore what they can, one whose parent is gone, and the command itself.
HANGING = """
trap '' HUP INT TERM
for n in 1 2; do setsid sleep {mark} & done
(setsid sleep {mark} >/dev/null 2>&1 &)
echo started
sleep {mark}
"""


def measure() -> Iterator[Figure]:
    """The worst time from the limit to the answer, and how many left something alive at that moment."""
    with a_sandbox() as sandbox, ThreadPoolExecutor(sandbox.concurrency) as pool:
        hung = list(pool.map(lambda number: _hang(sandbox, number), range(RUNS)))
    late, alive = max(late for late, _ in hung), sum(alive > 0 for _, alive in hung)
    yield Figure(f"a run that hangs is dead after its limit, the worst of {RUNS}", late, 5, " s")
    yield Figure("runs that hung and left a process alive", alive, 0, f"/{RUNS}")


def _hang(sandbox: Sandbox, number: int) -> tuple[float, int]:
    """The seconds from its limit to the answer, and its processes that are alive then."""
    mark = f"86399.{os.getpid():07}{number:03}"  # seconds that nobody else sleeps
    began = time.perf_counter()
    run = sandbox.run(Command(HANGING.format(mark=mark), LIMIT))
    late = time.perf_counter() - began - LIMIT
    if run.stop is not Stop.TIMEOUT or run.output.head != b"started\n":
        raise SystemExit(f"this one did not hang: {run}")
    return late, _count(mark)


def _count(mark: str) -> int:
    """The processes of this machine that were started with this word."""
    return sum(mark.encode() in _words(process) for process in Path("/proc").glob("[0-9]*"))


def _words(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""
