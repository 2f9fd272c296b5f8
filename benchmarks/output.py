"""What a gigabyte of output costs: time beyond the command's own, and memory of the process that reads it."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Iterator

from benchmarks.figures import Figure, seconds
from benchmarks.sandboxes import a_sandbox
from selfheal_ci import shell
from selfheal_ci.runners.python import PythonRunner
from selfheal_ci.values import Command, Step

SIZE = 1_000_000_000
PRINTING = {
    "1 GB of lines": f"yes 'tests/test_shop.py::test_total PASSED' | head -c {SIZE}",
    "1 GB in one line": f"head -c {SIZE} /dev/zero | tr '\\0' x",
}


def measure() -> Iterator[Figure]:
    """Each in a process of its own, whose peak is that of this one run."""
    for what, command in PRINTING.items():
        bare = seconds(lambda command=command: _run("sh", "-c", f"({command}) >/dev/null"))  # type: ignore[misc]
        for stage, took, peak in json.loads(_run(sys.executable, "-m", "benchmarks.output", command)):
            yield Figure(f"{what}, {stage}: beyond the command's own time", took - bare, 10, " s")
            yield Figure(f"{what}, {stage}: our own peak of memory", peak, 150, " MB")


def _run(*words: str) -> bytes:
    done = shell.run(words, env=dict(os.environ), timeout=300)
    if done.exit_code:
        raise SystemExit(f"{words} failed:\n{done.stderr.decode()}")
    return done.stdout


def _stages(command: str) -> Iterator[tuple[str, float, float]]:
    """Run it as a failing step, then find out what is wrong, as a healing does: the seconds until then, and our MB."""
    step = Step("noisy", f"{command}; exit 1")
    with a_sandbox() as sandbox:
        began = time.perf_counter()
        run = sandbox.run(Command(step.run, timeout=300))
        yield "run", time.perf_counter() - began, _peak()
        PythonRunner().read(run, step)
        yield "run and read", time.perf_counter() - began, _peak()


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


if __name__ == "__main__":
    print(json.dumps(list(_stages(sys.argv[1]))))
