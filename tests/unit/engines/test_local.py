"""What only the local engine promises: each limit is held and named."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfheal_ci.engines.local import LocalEngine, LocalSandbox
from selfheal_ci.values import Command, Limits, Recipe, Stop
from tests.builders_tree import a_tree, exporter

LIMITS = Limits(memory=200 << 20, processes=60, disk=20 << 20, output=1 << 20)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[LocalSandbox]:
    with tempfile.TemporaryDirectory(prefix="selfheal-test-") as folder:
        work = Path(folder)
        engine = LocalEngine(exporter({"a": b"x"}), work, LIMITS, os.environ, 2)
        with engine.prepare(a_tree(work / "checkout", {"a": b"x"}), Recipe()) as prepared:
            yield prepared


LIMITED = {
    "time": ("sleep 100", 1.0, Stop.TIMEOUT),
    "time, though it closed its output": ("exec >&- 2>&-; sleep 100", 1.0, Stop.TIMEOUT),
    "time, though it printed": ("yes", 1.0, Stop.TIMEOUT),
    "memory": ("exec python3 -c 'x = bytearray(300 << 20); import time; time.sleep(30)'", 20.0, Stop.MEMORY),
    "memory of many": (
        "for n in 1 2 3; do python3 -c 'x = bytearray(90 << 20); import time; time.sleep(30)' & done; wait", 20.0, Stop.MEMORY,
    ),
    "processes": ("for n in $(seq 100); do sleep 3 & done; wait", 20.0, Stop.PROCESSES),
    "disk, in the tree": ("dd if=/dev/zero of=big bs=1M count=100", 20.0, Stop.DISK),
    "disk, in /tmp": ("dd if=/dev/zero of=/tmp/big bs=1M count=100", 20.0, Stop.DISK),
    "disk, in HOME": ("dd if=/dev/zero of=$HOME/big bs=1M count=100", 20.0, Stop.DISK),
    "disk, in shared memory": ("dd if=/dev/zero of=/dev/shm/big bs=1M count=100", 20.0, Stop.DISK),
    "a signal": ("kill -9 $$", 20.0, Stop.KILLED),
}  # fmt: skip


@pytest.mark.parametrize(("shell", "timeout", "stop"), LIMITED.values(), ids=LIMITED.keys())
def test_each_limit_has_its_name(sandbox: LocalSandbox, shell: str, timeout: float, stop: Stop) -> None:
    began = time.monotonic()

    run = sandbox.run(Command(shell, timeout))

    assert run.stop is stop, run.output.text
    assert time.monotonic() - began < timeout + 5


def test_what_stays_within_its_limits_exits(sandbox: LocalSandbox) -> None:
    run = sandbox.run(Command("dd if=/dev/zero of=a bs=1M count=5 2>/dev/null; sleep 0.5; exit 3", 20.0))

    assert (run.stop, run.exit_code) == (Stop.EXITED, 3)
