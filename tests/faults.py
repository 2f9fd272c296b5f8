"""Runs the command line in processes of their own in which the n-th effect fails, or which are killed there or later."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from tests.builders import a_repository, branches, git
from tests.snapshots import seen

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
EFFECTS = frozenset({
    "fcntl.flock", "os.chmod", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.utime",
    "subprocess.Popen",
})  # fmt: skip
PRELOADED = ["git", "selfheal_ci.cli", "selfheal_ci.wiring", "selfheal_ci.publish", "selfheal_ci.forges.git", "tests.faults"]
ALL_OF_IT, HALF_A_YEAR = 120.0, 180 * 86400.0  # seconds
GOOD, BAD = b"def add(a, b):\n    return a + b\n", b"def add(a, b):\n    return a - b\n"
STEP = "[steps.check]\nrun = '''python -c 'from core import add; assert add(2, 3) == 5' '''\n"
HEAL, PUBLISH = ("heal", "--no-model", "--ladder", "revert"), ("publish",)
EXIT_CODES = frozenset({0, 2, 7, -signal.SIGKILL})  # of a run in which something goes wrong


class Fault(Enum):
    """What happens at an effect, before it is done."""

    FULL = "the disk is full"
    BROKEN = "the disk is broken"
    KILLED = "SIGKILL"
    KILLED_WITH_ALL = "SIGKILL, for everything that was started as well"


REFUSALS = {Fault.FULL: errno.ENOSPC, Fault.BROKEN: errno.EIO}


@dataclass(frozen=True)
class Plan:
    """What goes wrong, and when."""

    nth: int = 0  # the effect at which it does, from 1; 0: at none
    fault: Fault = Fault.KILLED
    among: str = ""  # only effects with this word count
    clock_jumps: bool = False


@dataclass(frozen=True)
class Ended:
    """How a process ended. exit_code: below zero the signal that ended it. effects: those it came to."""

    exit_code: int
    said: str
    effects: Sequence[str]

    @property
    def strange(self) -> list[str]:
        """What is wrong with it: whatever breaks, it says what, and what to do next."""
        checks = {
            f"exit code {self.exit_code}": self.exit_code in EXIT_CODES,
            f"it said {self.said}": "Traceback" not in self.said and "bug of selfheal" not in self.said,
            "it said nothing": self.exit_code <= 0 or "selfheal: " in self.said,
        }
        return [why for why, right in checks.items() if not right]


@dataclass(frozen=True)
class Started:
    """A process under way."""

    process: Any  # multiprocessing has a type for each way to start one
    log: Path

    def kill(self, *, with_all: bool) -> None:
        """SIGKILL; for the processes that it started as well, or for it alone."""
        if self.process.is_alive():
            (os.killpg if with_all else os.kill)(self.process.pid, signal.SIGKILL)

    def end(self) -> Ended:
        """Wait for it."""
        self.process.join(ALL_OF_IT)
        if self.process.is_alive():
            self.kill(with_all=True)
            raise TimeoutError(f"it did not end: {self.log.read_text()}")
        effects = Path(f"{self.log}.effects")
        lines = effects.read_text().splitlines() if effects.exists() else []
        return Ended(self.process.exitcode, self.log.read_text(), lines)


@dataclass(frozen=True)
class Machine:
    """A temporary folder and a place for logs; what is started knows no other."""

    temporary: Path
    logs: Path
    environ: Mapping[str, str] = field(default_factory=dict)

    def start(self, words: Sequence[str], folder: Path, plan: Plan | None = None) -> Started:
        """Start `selfheal` with these words in a folder."""
        log = self.logs / f"log{len(list(self.logs.iterdir()))}"
        log.touch()
        clean = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": "/nonexistent", "LANG": "C.UTF-8"}
        environ = clean | {"TMPDIR": str(self.temporary)} | dict(self.environ)
        process = _context().Process(target=_child, args=(list(words), str(folder), environ, plan or Plan(), str(log)))
        process.start()
        return Started(process, log)

    def run(self, words: Sequence[str], folder: Path, plan: Plan | None = None) -> Ended:
        """The same, to its end."""
        return self.start(words, folder, plan).end()


@dataclass(frozen=True)
class Scene:
    """A project that is broken, or healed and not yet published; put back to that as often as one likes."""

    machine: Machine
    place: Path

    @property
    def project(self) -> Path:
        return self.place / "project"

    @property
    def remote(self) -> Path:
        return self.place / "origin.git"

    @property
    def output(self) -> Path:
        return self.project / "selfheal-out"

    def save(self) -> None:
        """Remember the output folder and the remote as they are now."""
        for folder in (self.output, self.remote):
            if folder.exists():
                shutil.copytree(folder, self._saved(folder))

    def reset(self) -> None:
        """Put them back."""
        for folder in (self.output, self.remote):
            shutil.rmtree(folder, ignore_errors=True)
            if self._saved(folder).exists():
                shutil.copytree(self._saved(folder), folder)

    def run(self, words: Sequence[str], plan: Plan | None = None) -> Ended:
        return self.machine.run(words, self.project, plan)

    def start(self, words: Sequence[str], plan: Plan | None = None) -> Started:
        return self.machine.start(words, self.project, plan)

    def checkout(self) -> dict[str, tuple[object, ...]]:
        """All that can be told of the checkout, but for the output folder."""
        told = seen(self.project)
        del told[str(self.project)]  # its time: the output folder is made in it
        return {path: facts for path, facts in told.items() if not path.startswith(str(self.output))}

    def unpublished(self) -> list[str]:
        """What is not as it must be when the fix was published, once; nothing when all is."""
        made = branches(self.remote)
        fixes = {name: id_ for name, id_ in made.items() if name.startswith("selfheal/")}
        file, saved = self.output / "publish.json", self._saved(self.output)
        told = json.loads(file.read_text()) if file.exists() else {"branch": None, "commit": None}
        checks = {
            f"not one branch: {made}": len(fixes) == 1 and made["main"] == git(self.project, "rev-parse", "HEAD"),
            f"publish.json says {told}": fixes == {told["branch"]: told["commit"]},
            f"in the output folder: {_names(self.output)}": _names(self.output) == _names(saved) | {"publish.json"},
            "lost in the output folder": all(_bytes(self.output / name) == _bytes(saved / name) for name in _names(saved)),
            f"left in the remote: {self._debris()}": not self._debris(),
            f"left in the temporary folder: {_names(self.machine.temporary)}": not _names(self.machine.temporary),
        }
        git(self.remote, "fsck", "--strict")
        return [why for why, right in checks.items() if not right]

    def unhealed(self) -> list[str]:
        """What is not as it must be when the project was healed."""
        if not (self.output / "heal.json").exists():
            return [f"there is no heal.json: {_names(self.output)}"]
        told = json.loads((self.output / "heal.json").read_text())
        expected = {".gitignore", "heal.json", "report.md", "fix.patch", "events.jsonl", "logs"}
        checks = {
            f"the status is {told['status']}": told["status"] == "healed",
            f"in the output folder: {_names(self.output)}": _names(self.output) <= expected,
            f"left in the temporary folder: {_names(self.machine.temporary)}": not _names(self.machine.temporary),
        }
        return [why for why, right in checks.items() if not right]

    def _saved(self, folder: Path) -> Path:
        return self.place / "saved" / folder.name

    def _debris(self) -> list[str]:
        return [str(path) for path in self.remote.rglob("*") if path.name.endswith(".lock") or path.name.startswith("tmp_")]


@contextmanager
def a_scene(*, healed: bool) -> Iterator[Scene]:
    """A project whose last commit broke it, with a remote; on a machine of its own."""
    with a_machine() as machine:
        scene = Scene(machine, machine.temporary.parent)
        a_repository(scene.project, {"core.py": GOOD, ".selfheal.toml": STEP}, {"core.py": BAD}, remote=scene.remote)
        shutil.rmtree(scene.remote / "hooks", ignore_errors=True)  # samples, to be copied each time
        if healed:
            ended = scene.run(HEAL)
            assert ended.exit_code == 0, ended.said
            assert not scene.unhealed()
        scene.save()
        yield scene


@contextmanager
def a_machine(**environ: str) -> Iterator[Machine]:
    """One whose temporary folder is reached by the uid of runs, which that of a test is not. It is gone afterwards."""
    place = Path(tempfile.mkdtemp(prefix="selfheal-faults-"))
    try:
        place.chmod(0o755)
        (place / "tmp").mkdir()
        (place / "logs").mkdir()
        yield Machine(place / "tmp", place / "logs", {"XDG_CACHE_HOME": str(place / "cache")} | environ)
    finally:
        shutil.rmtree(place)


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


# ---------------------------------------------------------------------------------------------------------------------
# In the other process


def _context() -> Any:
    """Processes come from one that has imported everything and has no thread."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def _child(words: list[str], folder: str, environ: Mapping[str, str], plan: Plan, log: str) -> None:
    from selfheal_ci.cli import main  # noqa: PLC0415  the process that starts this one needs none of it

    os.setsid()
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(folder)
    tempfile.tempdir = None
    said = os.open(log, os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(said, stream)
    if plan.clock_jumps:
        _let_the_clock_jump()
    came: list[str] = []
    sys.addaudithook(_hook(came, plan))
    try:
        main(words, prog_name="selfheal")
    except SystemExit as ended:
        exit_code = ended.code if isinstance(ended.code, int) else 0
    told = "\n".join(came)
    came.extend([""] * plan.nth)  # nothing more goes wrong
    Path(f"{log}.effects").write_text(told)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)


def _hook(came: list[str], plan: Plan) -> Callable[[str, tuple[Any, ...]], None]:
    def hear(event: str, details: tuple[Any, ...]) -> None:
        if not _is_effect(event, details) or plan.among not in (shown := f"{event} {_shown(details)}"):
            return
        came.append(shown)
        if len(came) == plan.nth:
            if plan.fault in REFUSALS:
                raise OSError(REFUSALS[plan.fault], os.strerror(REFUSALS[plan.fault]), str(details[0]))
            (os.killpg if plan.fault is Fault.KILLED_WITH_ALL else os.kill)(os.getpid(), signal.SIGKILL)
            time.sleep(ALL_OF_IT)  # until the signal is there

    return hear


def _is_effect(event: str, details: tuple[Any, ...]) -> bool:
    if event == "open":
        return isinstance(details[2], int) and bool(details[2] & WRITING) and details[0] != os.devnull
    return event in EFFECTS


def _shown(details: tuple[Any, ...]) -> str:
    words = details[1] if len(details) > 1 and isinstance(details[1], list) else details
    return json.dumps([str(word) for word in words][-6:])[:300]


def _let_the_clock_jump() -> None:
    """Each look at the clock is half a year before or behind the last one."""
    usual, looks = time.time, iter(range(10**9))
    time.time = lambda: usual() + (HALF_A_YEAR if next(looks) % 2 else -HALF_A_YEAR)
