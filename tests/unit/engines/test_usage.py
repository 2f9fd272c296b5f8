from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from selfheal_ci import shell
from selfheal_ci.engines import usage as module
from selfheal_ci.engines.usage import descendants, is_alive, memory_closely, memory_in_files, usage

THREE = ("sh", "-c", "sleep 60 & sleep 60 & echo ready; wait")  # a shell and two sleeps
THREADS = """
import threading
for _ in range(5): threading.Thread(target=threading.Event().wait).start()
print("ready", flush=True)"""
BY_A_THREAD = """
import subprocess, threading
def work(): subprocess.Popen(["sleep", "60"]); print("ready", flush=True); threading.Event().wait()
threading.Thread(target=work).start()"""
FORKED = """
import os, time
shared = os.urandom(60 << 20)
for _ in range(3):
    if not os.fork(): time.sleep(60)
print("ready", flush=True); time.sleep(60)"""

MEMFDS = """
import mmap, os, time
files = [os.memfd_create("held") for _ in range(2)]
for file in files: os.write(file, bytes(40 << 20))
seen = mmap.mmap(files[0], 40 << 20)
sum(seen[::4096])
if os.fork(): print("ready", flush=True)
time.sleep(60)"""

Launch = Callable[..., int]


@pytest.fixture
def launch() -> Iterator[Launch]:
    """Start a program below a launcher, whose id it gives once the program is ready."""
    with ExitStack() as stack:

        def start(*words: str) -> int:
            launcher = shell.start(["sh", "-c", '"$@"; true', "sh", *words], env=os.environ)
            stack.callback(shell.kill_group, launcher)
            assert launcher.stdout
            assert stack.enter_context(launcher.stdout).readline() == b"ready\n"
            return launcher.pid

        yield start


@pytest.fixture(params=["listed", "scanned"])
def found(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two ways to find what is below a process: not every kernel lists children."""
    if request.param == "scanned":
        monkeypatch.setattr(module, "are_listed", lambda: False)


@pytest.mark.usefixtures("found")
def test_all_that_is_below_the_launcher_counts(launch: Launch) -> None:
    launcher = launch(*THREE)

    assert len(descendants(launcher)) == usage(launcher).threads == 3
    assert 3 * 10_000 < usage(launcher).memory < 3 * 10_000_000


@pytest.mark.usefixtures("found")
def test_each_thread_counts(launch: Launch) -> None:
    assert usage(launch(sys.executable, "-c", THREADS)).threads == 6


@pytest.mark.usefixtures("found")
def test_what_a_thread_started_counts(launch: Launch) -> None:
    assert len(descendants(launch(sys.executable, "-c", BY_A_THREAD))) == 2


def test_memory_that_is_shared_counts_once_when_looked_at_closely(launch: Launch) -> None:
    launcher = launch(sys.executable, "-c", FORKED)

    assert usage(launcher).memory > 4 * 60 << 20
    assert 60 << 20 < memory_closely(launcher) < 2 * 60 << 20


def test_a_file_in_memory_counts_once_whoever_has_it_open_or_mapped(launch: Launch) -> None:
    launcher = launch(sys.executable, "-c", MEMFDS)

    assert 80 << 20 < memory_closely(launcher) < 110 << 20
    assert memory_in_files() > 80 << 20


def test_what_has_ended_is_neither_counted_nor_alive() -> None:
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

    assert not is_alive(process.pid)  # a zombie
    process.wait()
    assert not is_alive(process.pid)
    assert (descendants(process.pid), usage(process.pid).threads, memory_closely(process.pid)) == ([], 0, 0)
    assert is_alive(os.getpid())
