"""What a step gets that means harm: its right name within its limit, and nothing of it is left anywhere."""

from __future__ import annotations

import ctypes
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from selfheal_ci.engines.local import LocalEngine
from selfheal_ci.engines.sandbox import LocalSandbox
from selfheal_ci.values import REPORTS, Command, Limits, Recipe, Run, Stop, Tree
from tests.builders_tree import Files, a_tree, exporter
from tests.snapshots import seen

LIMITS = Limits(memory=200 << 20, processes=60, disk=20 << 20, output=1 << 20)
MARGIN = 5.0  # seconds that a run may take beyond its own time
FILES: Files = {"a": b"a\n", "src/b": b"b\n", "reports/kept.xml": b"stale\n"}
GIT: Files = {".git/HEAD": b"ref: refs/heads/main\n", ".git/config": b"[core]\n\tbare = false\n"}
LATE = 0.7  # seconds for a step that never ends by itself
SOON = 20.0
PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Place:
    """A prepared sandbox, and the folders of this machine that no step may change."""

    sandbox: LocalSandbox
    work: Path
    checkout: Path
    host: Path

    @contextmanager
    def unharmed(self) -> Iterator[None]:
        """Whatever runs within: nobody of it is alive afterwards, no folder is left, and nothing of the host changed."""
        before = seen(self.checkout), seen(self.host), folders(self.work), descendants()

        yield

        assert (seen(self.checkout), seen(self.host)) == before[:2]
        assert folders(self.work) == before[2]
        assert survivors(before[3]) == {}
        assert self.sandbox.run(Command("cat a src/b .git/config", SOON)).output.text == "a\nb\n[core]\n\tbare = false\n"

    def run(self, shell: str, timeout: float, reports: tuple[str, ...] = ()) -> Run:
        began = time.monotonic()
        with self.unharmed():
            run = self.sandbox.run(Command(shell, timeout, {"HOST": str(self.host)}, reports))
            took = time.monotonic() - began
        assert took < timeout + MARGIN, (took, run.stop)
        assert len(run.output.head) + len(run.output.tail) <= LIMITS.output
        return run


@pytest.fixture(scope="module", autouse=True)
def _orphans_are_ours() -> Iterator[None]:
    """What loses its parent becomes a child of this process, where it is seen, and not of the machine's first."""
    kernel = ctypes.CDLL(None)
    kernel.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    yield
    kernel.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@pytest.fixture(scope="module", params=[True, False], ids=["overlays", "copies"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="selfheal-hostile-") as name:
        top = Path(name)
        top.chmod(0o755)
        work, checkout, host = top / "work", top / "checkout", top / "host"
        for folder in (work, checkout / ".git/hooks", host / "deep"):
            folder.mkdir(parents=True)
        for file in (checkout / "a", checkout / ".git/config", host / "plain", host / "deep/er"):
            file.write_text(f"{file.name}, untouched\n")
        for open_to_all in (checkout, checkout / ".git", checkout / ".git/hooks", host, host / "deep"):
            open_to_all.chmod(0o777)
        with an_engine(work, overlays=request.param).prepare(a_tree(checkout, FILES), Recipe()) as sandbox:
            yield Place(sandbox, work, checkout, host)
        assert list(work.iterdir()) == []


def an_engine(work: Path, *, overlays: bool = True) -> LocalEngine:
    def export(tree: Tree, into: Path) -> None:
        exporter(FILES)(tree, into)
        exporter(GIT)(a_tree(into, GIT), into)

    return LocalEngine(export, work, LIMITS, os.environ, 2, overlays=overlays)


def folders(work: Path) -> set[str]:
    return {str(path) for pattern in ("*", "*/*", "*/runs/*") for path in work.glob(pattern)}


def descendants() -> dict[int, str]:
    """The processes below this one that live, with their names."""
    found: dict[int, str] = {}
    there, waiting = _processes(), [os.getpid()]
    while waiting:
        parent = waiting.pop()
        for pid, process in there.items():
            if process.parent == parent:
                waiting.append(pid)
                found |= {} if process.dead else {pid: process.name}
    return found


def survivors(before: dict[int, str]) -> dict[int, str]:
    """Who lives on; those whose death is under way get a moment for it."""
    end = time.monotonic() + 2
    while (alive := descendants().items() - before.items()) and time.monotonic() < end:
        time.sleep(0.02)
    for pid, process in _processes().items():
        if process.dead and process.parent == os.getpid():
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
    return dict(alive)


@dataclass(frozen=True)
class Process:
    name: str
    dead: bool
    parent: int


def _processes() -> dict[int, Process]:
    found: dict[int, Process] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            name, _, rest = (folder / "stat").read_text(errors="replace").partition("(")[2].rpartition(")")
            state, parent = rest.split()[:2]
            found[int(folder.name)] = Process(name, state in "ZX", int(parent))
    return found


# it does not end, or takes too much -----------------------------------------------------------------------------------

DEAF = """setsid sh -c 'trap "" TERM HUP INT QUIT; while :; do sleep 1; done' &"""
FORKS = "python3 -c 'import os, time\nwhile True:\n try: os.fork()\n except OSError: time.sleep(0.1)'"
STARTS = 'python3 -c \'import subprocess\nwhile True: subprocess.Popen(["sleep", "30"])\''
THREADS = "python3 -c 'import threading, time\nfor _ in range(99): threading.Thread(target=time.sleep, args=(1,)).start()'"
LOCKED = """python3 -c 'import fcntl; x, y = open("a"), open("a"); fcntl.flock(x, 6); fcntl.flock(y, 6)'"""
DIGS = 'python3 -c \'import os\nfor _ in range(500): os.mkdir("d"); os.chdir("d")\''
ELSEWHERE = "for f in /x /home/x /dev/x /etc/x /var/x; do dd if=/dev/zero of=$f bs=1M count=60 2>/dev/null && exit 5; done"
LITTERS = "python3 -c 'import itertools\nfor n in itertools.count(): open(str(n), \"w\").close()'"
TALKS_TO_ITSELF = "python3 -c 'import os\nours, theirs = os.openpty()\nwhile True: os.write(theirs, b\"x\" * 4096)'"
HIDES = """python3 -c '
import ctypes, os, time
x = bytearray(50 << 20)
{}
for _ in range(8): hide(); time.sleep(0.05)
time.sleep(30)'"""
IN_A_FILE = "hide = lambda f=os.memfd_create(str()): os.write(f, x)"
IN_A_SEGMENT = """c = ctypes.CDLL(None); c.shmat.restype = ctypes.c_void_p; c.shmdt.argtypes = (ctypes.c_void_p,)
def hide():
    at = c.shmat(c.shmget(0, ctypes.c_size_t(50 << 20), 0o1600), None, 0)
    ctypes.memset(at, 1, 50 << 20); c.shmdt(at)"""
ENDS: dict[str, tuple[str, float, Stop, int | None]] = {
    "it hangs with a deaf grandchild in a session of its own": (f"{DEAF} sleep 100", LATE, Stop.TIMEOUT, None),
    "it leaves a deaf grandchild behind": (f"{DEAF} exit 4", SOON, Stop.EXITED, 4),
    "it leaves many behind": (f"for n in 1 2 3 4 5 6 7 8; do {DEAF} done; exit 4", SOON, Stop.EXITED, 4),
    "it forks until it cannot": ("bomb() { bomb | bomb; }; bomb", SOON, Stop.PROCESSES, 2),
    "it forks and waits": ("bomb() { bomb | bomb & }; (bomb); while :; do :; done", LATE, Stop.TIMEOUT, None),
    "it forks and hides": ("bomb() { bomb | bomb & }; (bomb) 2>/dev/null; exit 0", SOON, Stop.EXITED, 0),
    "it forks something large": (f"exec {FORKS}", LATE, Stop.TIMEOUT, None),
    "it starts programs until it cannot": (f"exec {STARTS}", SOON, Stop.PROCESSES, 1),
    "it starts threads until it cannot": (f"exec {THREADS}", SOON, Stop.PROCESSES, 1),
    "it cannot get a lock": (LOCKED, SOON, Stop.EXITED, 1),
    "it speaks of threads": ("echo \"assert 'can't start new thread' in ''\"; echo Cannot fork; exit 1", SOON, Stop.EXITED, 1),
    "it eats memory": ("exec python3 -c 'x = []\nwhile True: x.append(bytearray(1 << 20))'", SOON, Stop.MEMORY, None),
    "it eats memory in the dark": (
        "setsid python3 -c 'x = []\nwhile True: x.append(bytearray(1 << 20))' >&- 2>&- & exec >&- 2>&-; sleep 100",
        SOON, Stop.MEMORY, None,
    ),
    "it hides memory in a file without a name": (HIDES.format(IN_A_FILE), SOON, Stop.MEMORY, None),
    "it hides memory in a segment": (HIDES.format(IN_A_SEGMENT), SOON, Stop.MEMORY, None),
    "it fills the disk": ("cat /dev/zero > big", SOON, Stop.DISK, 1),
    "it fills every disk": ("for f in /tmp/x ~/x /dev/shm/x /var/tmp/x x; do cat /dev/zero > $f; done", SOON, Stop.DISK, 1),
    "it looks for a disk without a limit": (f"{ELSEWHERE}; exit 3", SOON, Stop.EXITED, 3),
    "it makes files without number": (LITTERS, LATE, Stop.TIMEOUT, None),
    "it digs a deep hole": (f"{DIGS}; exit 3", SOON, Stop.EXITED, 3),
    "it prints without end": ("yes", LATE, Stop.TIMEOUT, None),
    "it prints one line without end": ("yes | tr -d '\\n'", LATE, Stop.TIMEOUT, None),
    "it stops everything, itself last": ("kill -STOP -1; kill -STOP $$", LATE, Stop.TIMEOUT, None),
    "it kills everything": ("kill -9 -1; kill -9 $$", SOON, Stop.KILLED, 137),
}  # fmt: skip


@pytest.mark.parametrize(("shell", "timeout", "stop", "exit_code"), ENDS.values(), ids=ENDS.keys())
def test_its_end_has_the_right_name(place: Place, shell: str, timeout: float, stop: Stop, exit_code: int | None) -> None:
    run = place.run(shell, timeout)

    assert (run.stop, run.exit_code) == (stop, exit_code), run.output.text[-2000:]


def test_of_hundreds_of_megabytes_that_it_prints_the_ends_are_kept(place: Place) -> None:
    run = place.run("echo first; yes | head -c 300000000; echo last; exit 3", SOON)

    kept = len(run.output.head) + len(run.output.tail)
    assert (run.stop, run.exit_code) == (Stop.EXITED, 3)
    assert (run.output.head[:6], run.output.tail[-5:]) == (b"first\n", b"last\n")
    assert run.output.left_out + kept == 300000000 + len("first\nlast\n")


# its terminal ---------------------------------------------------------------------------------------------------------

TERMINALS = {
    "it reads what nobody writes": ("cat; cat <&0; exit 3", SOON, Stop.EXITED, 3),
    "it closes its input": ("exec <&-; cat 2>/dev/null; exit 3", SOON, Stop.EXITED, 3),
    "it closes all three": ("exec <&- >&- 2>&-; exit 3", SOON, Stop.EXITED, 3),
    "it closes its output and goes on": ("exec >&- 2>&-; sleep 100", LATE, Stop.TIMEOUT, None),
    "it opens the terminal": ("(: </dev/tty) 2>/dev/null || exit 3", SOON, Stop.EXITED, 3),
    "it asks the terminal": ("setsid --ctty sh -c 'read x' 2>/dev/null; stty 2>/dev/null || exit 3", SOON, Stop.EXITED, 3),
    "it never reads a terminal of its own": (TALKS_TO_ITSELF, LATE, Stop.TIMEOUT, None),
}


@pytest.mark.parametrize(("shell", "timeout", "stop", "exit_code"), TERMINALS.values(), ids=TERMINALS.keys())
def test_no_terminal_holds_it(place: Place, shell: str, timeout: float, stop: Stop, exit_code: int | None) -> None:
    run = place.run(shell, timeout)

    assert (run.stop, run.exit_code) == (stop, exit_code), run.output.text[-2000:]


# its tree and its reports ---------------------------------------------------------------------------------------------


def test_it_deletes_its_own_tree(place: Place) -> None:
    run = place.run('rm -rf "$PWD" 2>/dev/null; ls -A; exit 6', SOON)

    assert (run.stop, run.exit_code, run.output.text) == (Stop.EXITED, 6, "")
    assert run.changed.files == dict.fromkeys(FILES)


def test_it_locks_its_own_tree(place: Place) -> None:
    run = place.run(f"chmod 000 {REPORTS} src .; exit 3", SOON)

    assert (run.stop, run.exit_code, run.reports) == (Stop.EXITED, 3, {})


NO_REPORTS = {
    "a link to a file": "ln -s /etc/passwd",
    "a link without end": "ln -s /dev/zero",
    "a link to itself": "ln -s kept.xml",
    "a pipe": "mkfifo",
    "a folder": "mkdir",
    "a socket": "python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])'",
    "a hole of 12 GB": "truncate -s 12G",
}


@pytest.mark.parametrize("instead", NO_REPORTS.values(), ids=NO_REPORTS.keys())
def test_only_a_file_that_it_wrote_is_a_report(place: Place, instead: str) -> None:
    there = "rm -f kept.xml; echo ok > good.xml"
    shell = f"cd reports; {there}; {instead} kept.xml; cd {REPORTS}; {there}; {instead} kept.xml; exit 3"

    run = place.run(shell, SOON, reports=("reports/*.xml",))

    assert (run.stop, run.exit_code) == (Stop.EXITED, 3), run.output.text
    assert run.reports == {"good.xml": b"ok\n", "reports/good.xml": b"ok\n"}


def test_a_hole_of_12_gb_in_the_tree_is_no_change(place: Place) -> None:
    run = place.run("truncate -s 12G hole; echo new > a; exit 3", SOON)

    assert (run.stop, run.exit_code) == (Stop.EXITED, 3), run.output.text
    assert {path: content and content.data for path, content in run.changed.files.items()} == {"a": b"new\n"}


PLANTS = """
hook='#!/bin/sh
touch "$HOST/owned"'
mkdir -p .git/hooks
for name in pre-commit post-checkout pre-push; do echo "$hook" > .git/hooks/$name; chmod 755 .git/hooks/$name; done
printf '[core]\\n\\tfsmonitor = touch %s/owned\\n\\thooksPath = %s\\n' "$HOST" "$HOST" > .git/config
rm .git/HEAD; ln -s "$HOST/plain" .git/HEAD; echo owned > .git/HEAD; exit 7
"""


def test_what_it_writes_into_its_git_folder_stays_there(place: Place) -> None:
    run = place.run(PLANTS, SOON)

    assert (run.stop, run.exit_code) == (Stop.EXITED, 7)
    assert run.changed.files == {}


def test_it_writes_through_links_to_nothing_of_the_host(place: Place) -> None:
    shell = 'ln -s "$HOST" way; echo x > way/plain; rm -rf way/deep; mkdir -p "$HOST"; echo x > "$HOST/plain"; exit 3'

    assert place.run(shell, SOON).exit_code == 3


# afterwards -----------------------------------------------------------------------------------------------------------


def test_with_the_sandbox_everything_is_gone(tmp_path: Path) -> None:
    before = descendants()
    with tempfile.TemporaryDirectory(prefix="selfheal-hostile-") as name:
        with an_engine(Path(name)).prepare(a_tree(tmp_path / "checkout", FILES), Recipe()) as sandbox:
            run = sandbox.run(Command(f"{DEAF} mkdir locked; chmod 000 locked; kill -STOP -1; sleep 100", 1.0))

        assert run.stop is Stop.TIMEOUT
        assert (list(Path(name).iterdir()), survivors(before)) == ([], {})


def test_a_survivor_would_be_seen() -> None:
    before = descendants()
    shell = os.posix_spawn("/bin/sh", ["sh", "-c", "setsid sleep 30 & sleep 0.1"], {})
    os.waitpid(shell, 0)

    alive = survivors(before)

    for pid in alive:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert list(alive.values()) == ["sleep"]
