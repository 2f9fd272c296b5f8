"""Watch and Live over processes without a sandbox: what they hold must not depend on it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from selfheal_ci import shell
from selfheal_ci.engines import watch as module
from selfheal_ci.engines.usage import is_alive
from selfheal_ci.engines.watch import Live, Watch
from selfheal_ci.errors import EngineError
from selfheal_ci.values import Limits, Stop

LIMITS = Limits(memory=100 << 20, processes=20, output=1 << 20)


def a_watch(timeout: float = 20.0) -> Watch:
    return Watch(LIMITS, timeout)


def follow(watch: Watch, command: str) -> Stop:
    return watch.follow(shell.start(["sh", "-c", command], env=os.environ))


def python(watch: Watch, program: str) -> Stop:
    return watch.follow(shell.start([sys.executable, "-c", program], env=os.environ))


@pytest.fixture(autouse=True)
def took() -> Iterator[None]:
    """None of these may come near to how long its processes would go on, a minute."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 15


# what it prints -------------------------------------------------------------------------------------------------------


def test_what_a_run_prints_is_kept_until_its_end() -> None:
    watch = a_watch()

    assert follow(watch, "echo out; echo err >&2; sleep 0.2; echo last; exit 3") is Stop.EXITED
    assert watch.capture.output.text == "out\nerr\nlast\n"


def test_an_output_that_is_closed_early_is_no_end(tmp_path: Path) -> None:
    assert follow(a_watch(), f"exec >&- 2>&-; sleep 0.4; echo late > {tmp_path}/file") is Stop.EXITED
    assert (tmp_path / "file").read_text() == "late\n"


def test_an_endless_line_takes_no_more_memory_than_is_kept() -> None:
    watch = a_watch()
    tracemalloc.start()

    assert follow(watch, "head -c 100000000 /dev/zero") is Stop.EXITED

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    output = watch.capture.output
    assert len(output.head) + output.left_out + len(output.tail) == 100_000_000
    assert peak < 5 << 20


def test_a_survivor_that_has_the_output_does_not_hold_the_run(tmp_path: Path) -> None:
    watch = a_watch()
    code = follow(watch, f"echo said; setsid sleep 60 & echo $! > {tmp_path}/id; sleep 0.1")
    os.kill(int((tmp_path / "id").read_text()), 9)  # only a sandbox ends what has left the group of a launcher that ended

    assert (code, watch.capture.output.text) == (Stop.EXITED, "said\n")


# time -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["sleep 60", "exec >&- 2>&-; sleep 60", "yes"])
def test_a_run_ends_at_its_limit(command: str) -> None:
    began = time.monotonic()

    assert follow(a_watch(0.5), command) is Stop.TIMEOUT
    assert 0.5 <= time.monotonic() - began < 2


def test_what_hands_over_its_leftovers_may_take_longer() -> None:
    watch = a_watch(0.3)
    watch.packing.set()

    assert follow(watch, "sleep 0.8") is Stop.EXITED


def test_handing_over_has_a_limit_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PACKING", 0.5)
    watch = a_watch(0.3)
    watch.packing.set()
    began = time.monotonic()

    assert follow(watch, "sleep 60") is Stop.TIMEOUT
    assert 0.8 <= time.monotonic() - began < 3


def test_nothing_of_a_run_is_alive_after_its_limit(tmp_path: Path) -> None:
    hanging = "trap '' HUP INT TERM; for n in 1 2 3; do setsid sleep 60 & echo $! >> ids; done; sleep 60"

    assert follow(a_watch(0.5), f"cd {tmp_path}; {hanging}") is Stop.TIMEOUT
    assert [is_alive(int(each)) for each in (tmp_path / "ids").read_text().split()] == [False] * 3


# memory ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "program",
    [
        "import os, time; x = os.urandom(150 << 20); time.sleep(60)",
        "import os, time; os.fork(); x = os.urandom(80 << 20); time.sleep(60)",
        "import os, time; os.write(os.memfd_create(str()), bytes(80 << 20)); x = os.urandom(50 << 20); time.sleep(60)",
    ],
    ids=["of one", "of two", "of a file"],
)
def test_memory_is_limited_below_the_launcher(program: str) -> None:
    assert follow(a_watch(), f"{sys.executable} -c '{program}'; true") is Stop.MEMORY


def test_a_file_in_memory_that_is_mapped_is_no_more_for_that() -> None:
    opened = "import mmap, os, time; f = os.memfd_create(str()); os.truncate(f, 60 << 20); m = mmap.mmap(f, 60 << 20)"

    assert follow(a_watch(), f"{sys.executable} -c '{opened}; m[:] = bytes(60 << 20); time.sleep(1)'; true") is Stop.EXITED


def test_memory_that_forked_workers_share_is_no_more_for_each_of_them() -> None:
    program = "import os, time; x = os.urandom(50 << 20); os.fork(); os.fork(); time.sleep(1)"

    assert follow(a_watch(), f"{sys.executable} -c '{program}'; true") is Stop.EXITED


# processes ------------------------------------------------------------------------------------------------------------


def test_as_many_processes_as_there_may_be_are_a_crowd() -> None:
    watch = a_watch()
    follow(watch, "for n in $(seq 19); do sleep 0.5 & done; wait")

    assert watch.was_crowded(0)


def test_fewer_are_none() -> None:
    watch = a_watch()
    follow(watch, "for n in $(seq 10); do sleep 0.5 & done; wait")

    assert (watch.was_crowded(100), watch.most_threads) == (False, 10)


SHELLS = ["sh: 1: Cannot fork", "bash: fork: retry: Resource temporarily unavailable"]
OTHERS = [
    "RuntimeError: can't start new thread",
    "java.lang.OutOfMemoryError: unable to create native thread: possibly out of memory or process/resource limits reached",
]


@pytest.mark.parametrize("said", SHELLS + OTHERS)
@pytest.mark.parametrize("after", [0, 600_000], ids=["at the end", "before much else"])
def test_what_could_not_start_another_says_so(said: str, after: int) -> None:
    watch = a_watch()
    python(watch, f"print({said!r}); print('x' * {after})")
    alone = watch.was_crowded(19)
    watch.most_threads = 10

    assert (alone, watch.was_crowded(19)) == (False, True)


@pytest.mark.parametrize(("said", "crowded"), [*((each, True) for each in SHELLS), *((each, False) for each in OTHERS)])
def test_a_shell_is_believed_when_it_started_enough(said: str, *, crowded: bool) -> None:
    watch = a_watch()
    python(watch, f"print({said!r})")

    assert watch.was_crowded(20) is crowded


AGAIN, NO_THREAD = "BlockingIOError: [Errno 11] Resource temporarily unavailable", "RuntimeError: can't start new thread"
TRACEBACKS = {
    "a program": (f"    self.pid = _fork_exec(\n               ^^^^^^^^^^^\n{AGAIN}", True),
    "a program, as pytest has it": (
        f">   self.pid = _fork_exec(\n      args, env,\n      errpipe_write)\nE       {AGAIN}",
        True,
    ),
    "a process": (f"    os.fork()\n{AGAIN}", True),
    "a process, as pytest has it": (f">       os.fork()\nE       {AGAIN}", True),
    "a thread": (f"    _start_new_thread(self._bootstrap, ())\n{NO_THREAD}", True),
    "a thread, as Python 3.13 has it": (
        f">   _start_joinable_thread(self._bootstrap,\n    daemon=1)\nE     {NO_THREAD}",
        True,
    ),
    "a lock": (f"    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)\n{AGAIN}", False),
    "a lock after a process": (f"        os.fork()\n>       fcntl.flock(file, 6)\nE       {AGAIN}", False),
    "a test": (f"    _start_new_thread(work, ())\nE   assert \"{NO_THREAD}\" in ''", False),
}


@pytest.mark.parametrize(("said", "crowded"), TRACEBACKS.values(), ids=TRACEBACKS.keys())
def test_a_traceback_tells_what_could_not_be_started(said: str, *, crowded: bool) -> None:
    watch = a_watch()
    python(watch, f"print({said!r})")

    assert watch.was_crowded(19) is crowded


# the processes of a sandbox -------------------------------------------------------------------------------------------


def test_what_a_process_writes_to_its_standard_input_comes_to_us() -> None:
    with Live().start(["sh", "-c", "echo leftovers >&0"]) as (process, archive), process:
        assert archive.read() == b"leftovers\n"


def test_stop_ends_what_runs_in_other_threads_and_nothing_starts_afterwards(tmp_path: Path) -> None:
    live = Live()
    stops: list[Stop] = []

    def work() -> None:
        with live.start(["sh", "-c", f"setsid sleep 60 & echo $! > {tmp_path}/id; sleep 60"]) as (process, _):
            stops.append(a_watch().follow(process))

    thread = threading.Thread(target=work)
    thread.start()
    while not (tmp_path / "id").exists() or not (tmp_path / "id").read_text():
        time.sleep(0.01)
    live.stop()
    alive = is_alive(int((tmp_path / "id").read_text()))
    thread.join(5)

    assert (alive, stops) == (False, [Stop.EXITED])
    with pytest.raises(EngineError, match="was stopped"), live.start(["true"]):
        pass


def test_a_launcher_that_ended_long_ago_is_ended_again_without_harm() -> None:
    process = subprocess.Popen(["true"], start_new_session=True)
    process.wait()

    module.end(process)


def test_one_that_is_interrupted_while_it_starts_does_not_live_on(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    real = shell.start

    def start(*words: Any, **named: Any) -> subprocess.Popen[bytes]:
        started.append(real(*words, **named))
        os.kill(os.getpid(), signal.SIGTERM)
        return started[0]

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(shell, "start", start)
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt), Live().start(["sleep", "600"]):
            pass
    finally:
        signal.signal(signal.SIGTERM, before)

    assert started[0].poll() is not None
