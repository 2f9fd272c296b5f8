"""What the gate takes beyond the runs that it asks for, on a project of 5,000 files."""

from __future__ import annotations

import hashlib
import os
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.figures import Figure
from selfheal_ci.engines.local import LocalEngine
from selfheal_ci.gate.policy import Policy
from selfheal_ci.gate.verify import Gate
from selfheal_ci.lab import Lab, Meter
from selfheal_ci.ports import Sandbox
from selfheal_ci.runners import runner_for
from selfheal_ci.values import (
    NOTHING,
    Candidate,
    Case,
    Changes,
    Command,
    Content,
    Entry,
    Finding,
    Kind,
    Limits,
    Recipe,
    Red,
    Refused,
    Run,
    Step,
    Tree,
    Verdict,
    Verified,
)
from selfheal_ci.wiring.workplace import workplace

FILES = 5_000
TIMES = 7
MODULE = b"import json\n\n\ndef total(items):\n    return sum(items) - 1\n"
TEST = b"from cart import total\n\n\ndef test_total():\n    assert total([1, 2]) == 3\n"
RIGHT = MODULE.replace(b" - 1", b"")
CANDIDATES: Mapping[str, tuple[bytes, type[Verdict]]] = {
    "a fix": (RIGHT, Verified),
    "what is refused after a look at all sources": (b"import subprocess\n" + RIGHT, Refused),
}


@dataclass
class Timed:
    """A sandbox, and how long its runs took in all."""

    inner: Sandbox
    seconds: float = 0.0
    concurrency: int = 1
    limits: Limits = field(default_factory=Limits)
    made: tuple[str, ...] = ()

    def run(self, command: Command, changes: Changes = NOTHING) -> Run:
        began = time.perf_counter()
        try:
            return self.inner.run(command, changes)
        finally:
            self.seconds += time.perf_counter() - began

    def stop(self) -> None:
        self.inner.stop()


@dataclass(frozen=True)
class Blobs:
    """The port Files, as far as the gate needs it."""

    data: Mapping[str, bytes]

    def read(self, entry: Entry) -> bytes:
        return self.data[entry.blob]


def measure() -> Iterator[Figure]:
    """One figure for each kind of candidate: the median."""
    files = {f"package{n // 50}/module{n}.py": b"import json\nx = %d\n" % n for n in range(FILES)}
    files |= {"cart.py": MODULE, "tests/test_cart.py": TEST, "Makefile": b"test:\n\tpytest\n"}
    blobs = {_id(data): data for data in files.values()}
    with workplace() as work:
        tree = Tree("", work / "checkout", {path: Entry("100644", _id(data)) for path, data in files.items()})
        environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        engine = LocalEngine(lambda _, into: _export(files, into), work, Limits(), environ, 1)
        with engine.prepare(tree, Recipe()) as sandbox:
            for what, (data, verdict) in CANDIDATES.items():
                beyond = statistics.median(_beyond(tree, sandbox, blobs, data, verdict) for _ in range(TIMES))
                yield Figure(f"the gate beyond its runs, 5,000 files: {what}", 1000 * beyond, 200, " ms")


def _beyond(tree: Tree, sandbox: Sandbox, blobs: Mapping[str, bytes], data: bytes, expected: type[Verdict]) -> float:
    """Seconds of one judgement without its runs."""
    timed, step, meter = Timed(sandbox), Step("tests", "python -m pytest -q tests"), Meter(time.monotonic() + 600)
    lab = Lab(tree, step, timed, runner_for(step), Blobs(blobs), meter, print_nothing, _no, Recipe())  # type: ignore[arg-type]
    red = lab.run_step()
    assert isinstance(red, Red), red  # noqa: S101
    finding = Finding(Kind.NEW_FAILURE, "", {failure.id: Kind.NEW_FAILURE for failure in red.failures})
    case = Case(tree, step, red.failures, finding, before=red)
    timed.seconds, began = 0.0, time.perf_counter()
    verdict = Gate(Policy()).judge(Candidate("model", Changes({"cart.py": Content(data)}), "why"), case, lab)
    seconds = time.perf_counter() - began - timed.seconds
    if not isinstance(verdict, expected):
        raise SystemExit(f"{verdict.reason}: this was to be {expected.__name__}")
    return seconds


def print_nothing(_: object) -> None:
    """An observer."""


def _no(_: Tree) -> Sandbox:
    raise AssertionError("nothing is prepared anew")


def _export(files: Mapping[str, bytes], into: Path) -> None:
    for path, data in files.items():
        (into / path).parent.mkdir(parents=True, exist_ok=True)
        (into / path).write_bytes(data)


def _id(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()
