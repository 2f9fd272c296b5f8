"""What a run in the local sandbox takes over the bare command, and how well runs go side by side."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from benchmarks.figures import Figure, median, seconds
from benchmarks.sandboxes import a_sandbox
from selfheal_ci import shell
from selfheal_ci.ports import Sandbox
from selfheal_ci.values import NOTHING, Changes, Command, Content

TIMES = 21
RUNS = 8
# Mostly waits, as tests do that talk to servers or sleep, and works for about a tenth of a second.
LIGHT = "awk 'BEGIN { for (n = 0; n < 1000000; n++) sum += n }'; sleep 0.5"


def measure() -> Iterator[Figure]:
    """The overhead without changes, and with one changed file; then eight runs."""
    with a_sandbox(files=5_000) as sandbox:
        yield from _overhead(sandbox)
        yield from _side_by_side(sandbox)


def _overhead(sandbox: Sandbox) -> Iterator[Figure]:
    bare = median(lambda: shell.run(["sh", "-c", "true"], env={"PATH": shell.PATH}), times=TIMES)
    for what, changes in {
        "one run over the bare command, 5,000 files": NOTHING,
        "the same with one changed file": Changes({"package0/module0.py": Content(b"x = 2\n")}),
    }.items():
        run = median(partial(sandbox.run, Command("true", timeout=60), changes), times=TIMES)
        yield Figure(what, run - bare, 60, " ms")


def _side_by_side(sandbox: Sandbox) -> Iterator[Figure]:
    """As many at once as the sandbox says, as the lab does it."""

    def run(_: int) -> None:
        if sandbox.run(Command(LIGHT, timeout=60)).exit_code:
            raise SystemExit(f"this failed: {LIGHT}")

    def in_a_row() -> None:
        for number in range(RUNS):
            run(number)

    def at_once() -> None:
        with ThreadPoolExecutor(sandbox.concurrency) as pool:
            list(pool.map(run, range(RUNS)))

    faster = statistics.median(seconds(in_a_row) / seconds(at_once) for _ in range(3))
    what = f"{RUNS} runs of a CPU-light step, {sandbox.concurrency} side by side, against one after the other"
    yield Figure(what, faster, 1.8, " x", at_least=True)
