"""What only the local engine promises: each limit is held and named."""

from __future__ import annotations

import os
import platform
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from selfheal_ci.engines.host import Bubblewrap, find_bubblewraps
from selfheal_ci.engines.local import LocalEngine
from selfheal_ci.engines.sandbox import LocalSandbox
from selfheal_ci.errors import EngineError, UsageError
from selfheal_ci.values import REPORTS, SUPPORT, Changes, Command, Content, Limits, Recipe, Stop
from tests.builders_tree import a_tree, exporter

LIMITS = Limits(memory=200 << 20, processes=60, disk=20 << 20, output=1 << 20)


FILES = {"a": b"x"}


def an_engine(work: Path) -> LocalEngine:
    return LocalEngine(exporter(FILES), work, LIMITS, os.environ, 2)


@pytest.fixture
def work() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="selfheal-test-") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[LocalSandbox]:
    with tempfile.TemporaryDirectory(prefix="selfheal-test-") as folder:
        work = Path(folder)
        with an_engine(work).prepare(a_tree(work / "checkout", FILES), Recipe()) as prepared:
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


@pytest.mark.parametrize("name", ["memory", "processes", "disk, in /tmp"])
def test_a_command_may_have_twice_as_much_of_what_ran_out(sandbox: LocalSandbox, name: str) -> None:
    shell, _, stop = LIMITED[name]
    less = shell.replace("time.sleep(30)", "time.sleep(1)").replace("count=100", "count=30")

    run = sandbox.run(Command(less.replace("seq 100", "seq 80"), 20.0, more=stop))

    assert (run.stop, run.exit_code) == (Stop.EXITED, 0), run.output.text


def test_what_stays_within_its_limits_exits(sandbox: LocalSandbox) -> None:
    run = sandbox.run(Command("dd if=/dev/zero of=a bs=1M count=5 2>/dev/null; sleep 0.5; exit 3", 20.0))

    assert (run.stop, run.exit_code) == (Stop.EXITED, 3)


# the kernel's keyrings ------------------------------------------------------------------------------------------------

KEYCTL = {"x86_64": 250, "aarch64": 219}
KEYS = f"""python3 -c '
import ctypes
kernel = ctypes.CDLL(None, use_errno=True)
print(kernel.syscall({KEYCTL.get(platform.machine())}, 0, -3, 1), ctypes.get_errno())
'; ls /proc/self/fd | tr "\\n" " " """


def test_a_step_and_setup_have_no_keyring_and_no_file_of_ours(sandbox: LocalSandbox, work: Path) -> None:
    assert sandbox.run(Command(KEYS, 20.0)).output.text == "-1 1\n0 1 2 3 "

    with an_engine(work).prepare(a_tree(work / "checkout", FILES), Recipe(setup=(f"({KEYS}) > ~/said",))) as prepared:
        assert prepared.run(Command("cat ~/said", 20.0)).output.text == "-1 1\n0 1 2 3 "


# setup ----------------------------------------------------------------------------------------------------------------

SETUPS = {
    "disk": ("while dd if=/dev/zero bs=1M count=4 status=none >> big; do sleep 0.05; done", "disk", "--max-disk, 20m now"),
    "disk, in HOME": ("dd if=/dev/zero of=$HOME/big bs=1M count=60 status=none; sleep 5", "disk", "--max-disk, 20m now"),
    "no disk": ("for f in /x /home/x /dev/x; do touch $f && exit 5; done; exit 3", "exit code 3", "mend it: `setup`"),
    "memory": ("python3 -c 'x = bytearray(300 << 20); import time; time.sleep(30)'", "memory", "--max-memory, 200m now"),
    "an exit code": ("echo no; exit 3", "exit code 3", "mend it: `setup`"),
}


@pytest.mark.parametrize(("line", "how", "hint"), SETUPS.values(), ids=SETUPS.keys())
def test_setup_is_held_to_the_limits_too(work: Path, line: str, how: str, hint: str) -> None:
    tree = a_tree(work / "checkout", FILES)

    with pytest.raises(UsageError) as told, an_engine(work).prepare(tree, Recipe(setup=(line,))):
        pass

    assert f"setup failed ({how})" in told.value.message
    assert hint in told.value.hint


# where the tree lies --------------------------------------------------------------------------------------------------


def test_a_checkout_below_the_home_of_the_sandbox_is_seen(work: Path) -> None:
    command = Command(f"pwd; cat a b {SUPPORT}/s; echo 1 > a; echo r > {REPORTS}/r; touch ~/x", 20.0, support={"s": b"s"})
    tree = a_tree(Path("/home/selfheal/project"), FILES)

    with an_engine(work).prepare(tree, Recipe(setup=("echo b > b",))) as prepared:
        run = prepared.run(command, Changes({"a": Content(b"new")}))

    assert run.output.text == "/home/selfheal/project\nnewb\ns"
    assert (run.changed, run.reports) == (Changes({"a": Content(b"1\n")}), {"r": b"r\n"})


def test_a_checkout_that_hides_the_sandbox_is_refused_before_anything_starts(work: Path) -> None:
    with pytest.raises(EngineError, match="cannot be run"), an_engine(work).prepare(a_tree(Path("/"), FILES), Recipe()):
        pass

    assert list(work.iterdir()) == []


# where it does not start ----------------------------------------------------------------------------------------------


def bubblewraps(*programs: str) -> list[Bubblewrap]:
    """Those of this machine, but started by other programs."""
    real = find_bubblewraps(None)[0]
    return [real if program == "real" else Bubblewrap(Path(program), program, "0.9.0") for program in programs]


def test_the_next_bubblewrap_is_tried_before_giving_up(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfheal_ci.engines.host.find_bubblewraps", lambda _: bubblewraps("/bin/false", "real"))

    with an_engine(work).prepare(a_tree(work / "checkout", FILES), Recipe()) as prepared:
        assert prepared.run(Command("exit 3", 20.0)).exit_code == 3


def test_where_none_starts_there_is_a_way_out(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfheal_ci.engines.host.find_bubblewraps", lambda _: bubblewraps("/bin/false", "/bin/false"))

    with pytest.raises(EngineError) as told, an_engine(work).prepare(a_tree(work / "checkout", FILES), Recipe()):
        pass

    assert told.value.message == "the local sandbox does not start on this machine: it said nothing"
    assert told.value.hint == "use --engine dagger"


# what is left behind --------------------------------------------------------------------------------------------------

STRANGE = """python3 -c '
import os
os.close(os.open(b"x\\n1 hdrcharset=\\xff\\xff\\n", os.O_CREAT | os.O_WRONLY))'; exit 3"""
MANY = """python3 -c '
import os
for number in range(5000): os.close(os.open(str(number), os.O_CREAT | os.O_WRONLY))'; exit 3"""


def test_a_name_that_cannot_be_read_hides_no_exit_code(sandbox: LocalSandbox) -> None:
    run = sandbox.run(Command(STRANGE, 20.0))

    assert (run.stop, run.exit_code) == (Stop.EXITED, 3), run.output.text


def test_too_many_files_hide_no_exit_code(sandbox: LocalSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfheal_ci.engines.readback.MEMBERS", 500)

    run = sandbox.run(Command(MANY, 20.0))

    assert (run.stop, run.exit_code, run.changed) == (Stop.EXITED, 3, Changes({})), run.output.text


# stopping it ----------------------------------------------------------------------------------------------------------


def test_what_runs_in_other_threads_ends_with_the_sandbox(work: Path) -> None:
    ended: list[Exception] = []

    def wait_in(sandbox: LocalSandbox) -> None:
        try:
            sandbox.run(Command("sleep 50", 60.0))
        except EngineError as broken:
            ended.append(broken)

    began = time.monotonic()
    with suppress(KeyboardInterrupt), an_engine(work).prepare(a_tree(work / "checkout", FILES), Recipe()) as prepared:
        thread = threading.Thread(target=wait_in, args=(prepared,))
        thread.start()
        time.sleep(1)
        raise KeyboardInterrupt
    thread.join(10)

    assert (len(ended), time.monotonic() - began < 20) == (1, True)
    with pytest.raises(EngineError, match="was stopped"):
        prepared.live.start(["true"]).__enter__()
    assert [path.name for path in work.iterdir()] == []


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_another_system_is_told_what_to_use(tmp_path: Path, platform: str) -> None:
    engine = LocalEngine(exporter({}), tmp_path, LIMITS, os.environ, platform=platform)

    with pytest.raises(EngineError) as told, engine.prepare(a_tree(tmp_path / "checkout", {}), Recipe()):
        pass

    assert told.value.message == f"the local sandbox needs Linux, and this is {platform}"
    assert "--engine dagger" in told.value.hint
