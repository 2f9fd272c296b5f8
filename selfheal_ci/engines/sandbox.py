"""A prepared tree in namespaces of its own: bubblewrap inside bubblewrap, watched from outside."""

from __future__ import annotations

import signal
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import BufferedReader
from pathlib import Path
from types import MappingProxyType

from selfheal_ci import shell
from selfheal_ci.detect.limits import limit_of
from selfheal_ci.engines import host
from selfheal_ci.engines.bubblewrap import FROZEN, Frozen, View, nested
from selfheal_ci.engines.layer import write_layer
from selfheal_ci.engines.readback import Leftovers, read_leftovers
from selfheal_ci.engines.usage import Growth
from selfheal_ci.engines.watch import Live, Watch
from selfheal_ci.errors import EngineError, UsageError
from selfheal_ci.terminal import interact
from selfheal_ci.values import NOTHING, Changes, Command, Limits, Output, Run, Stop, Tree

SETUP_TIMEOUT = 1800.0
TRIAL = "rm -r old && mkdir old && test ! -e old/file && touch old/new"  # not every overlay can replace a folder


@dataclass(frozen=True)
class LocalSandbox:
    """A frozen tree and HOME; each run gets an overlay of its own over both."""

    frozen: Frozen
    tree: Tree
    limits: Limits
    concurrency: int
    prepared: float  # seconds since the epoch; changes are newer
    made: tuple[str, ...] = ()
    live: Live = field(default_factory=Live)

    def try_out(self, *, network: bool = False) -> str:
        """Start the sandbox on the frozen `old/file`; what it said, nothing when all works."""
        tried = self._launch(["sh", "-c", TRIAL], Command(TRIAL, timeout=20, network=network))
        if tried.leftovers and tried.leftovers.exit_code == 0:
            return ""
        return " ".join(tried.output.text.split())[:400] or "it said nothing"

    def set_up(self, line: str, env: Mapping[str, str]) -> None:
        """Run one line of setup on the tree itself, with network. Raises UsageError when it fails."""
        command = Command(line, timeout=SETUP_TIMEOUT, env=env, network=True)
        tried = self._launch(["sh", "-c", line], command, View(lasting=True))
        if tried.stop is not Stop.EXITED or tried.leftovers is None or tried.leftovers.exit_code != 0:
            last = "\n  ".join(tried.output.text.strip().splitlines()[-15:])
            code = tried.leftovers.exit_code if tried.leftovers else None
            how = f"exit code {code}" if tried.stop is Stop.EXITED else tried.stop.value
            limit = limit_of(tried.stop, self.limits, SETUP_TIMEOUT)
            hint = f"raise {limit.key} ({limit.flag}, {limit.value} now)" if limit and limit.flag else "mend it"
            raise UsageError(f"setup failed ({how}): {line}\n  {last}", hint=f"{hint}: `setup` in the configuration")

    def interact(self, changes: Changes = NOTHING) -> int:
        """A shell for a person, who sees what a step sees; its exit code."""
        with self._view(changes) as view:
            command = Command("sh", timeout=0, env={"PS1": "selfheal sandbox $ ", "TERM": "xterm"})
            line = nested(self.frozen, replace(view, terminal=True), command, self.limits)
            return interact([*line, "setsid", "--ctty", "--wait", "sh", "-i"], env={"PATH": shell.PATH})

    def run(self, command: Command, changes: Changes = NOTHING) -> Run:
        """See Sandbox."""
        with self._view(changes, command.support) as view:
            began = time.monotonic()
            tried = self._launch(["sh", "-c", command.shell], command, view, changes)
            return tried.as_run(command, time.monotonic() - began)

    def stop(self) -> None:
        """Kill what runs, in whichever thread it was started, and start nothing more."""
        self.live.stop()

    @contextmanager
    def _view(self, changes: Changes, support: Mapping[str, bytes] = MappingProxyType({})) -> Iterator[View]:
        """The folders with what one run sees besides the frozen state."""
        folder = Path(tempfile.mkdtemp(dir=self.frozen.work / "runs"))
        try:
            view = View(folder / "layer" if changes else None, folder / "support")
            (folder / "support").mkdir()
            if view.layer:
                view.layer.mkdir()
                write_layer(changes, view.layer, newer_than=self.prepared)
            for name, data in support.items():
                (folder / "support" / name).write_bytes(data)
            folder.chmod(0o711)
            host.give_to(self.frozen.uid, folder)
            yield view
        finally:
            host.remove(folder)

    def _launch(self, argv: Sequence[str], command: Command, view: View = FROZEN, changes: Changes = NOTHING) -> Launched:
        limits = self.limits.with_more(command.more)
        growth = Growth(self.frozen.tree, self.frozen.home) if view.lasting else None
        watch = Watch(limits, command.timeout, growth=growth)
        known = {path for path in self.tree.entries if changes.files.get(path, True)}
        known |= {path for path, content in changes.files.items() if content}

        def unpack(archive: BufferedReader) -> Leftovers:
            with archive:  # closed as soon as we have enough: what packs the rest does not wait for us
                archive.peek(1)
                watch.packing.set()
                return read_leftovers(archive, known=known, globs=command.reports)

        line = [*nested(self.frozen, view, command, limits), *argv]
        with ThreadPoolExecutor(max_workers=1) as pool, self.live.start(line) as (process, archive):
            leftovers = pool.submit(unpack, archive)
            stop = watch.follow(process)
            left = _leftovers(leftovers)
            return Launched(stop, watch.capture.output, left, crowded=watch.was_crowded(left.started if left else 0))


@dataclass(frozen=True)
class Launched:
    """One start of the sandbox, as it ended. leftovers None: it did not come far enough to hand anything over."""

    stop: Stop
    output: Output
    leftovers: Leftovers | None
    crowded: bool  # it came to its limit of processes

    def as_run(self, command: Command, seconds: float) -> Run:
        """The Run it was. Raises EngineError when the sandbox broke rather than the command."""
        left = self.leftovers
        if self.stop is not Stop.EXITED:
            return Run(command.shell, self.stop, None, self.output, seconds)
        if left is None or left.exit_code is None:
            said = self.output.text.strip()[-400:] or "it said nothing"
            raise EngineError(f"the local sandbox broke: {said}", hint="run again; `selfheal doctor` tests the sandbox")
        return Run(command.shell, self._why(left), left.exit_code, self.output, seconds, left.reports, left.changed)

    def _why(self, left: Leftovers) -> Stop:
        """Which limit explains a failure; a run that succeeds ran into none that matters."""
        if left.exit_code and left.disk_full:
            return Stop.DISK
        if left.exit_code and self.crowded:
            return Stop.PROCESSES
        return Stop.KILLED if left.exit_code == 128 + signal.SIGKILL else Stop.EXITED


def _leftovers(left: Future[Leftovers]) -> Leftovers | None:
    try:
        return left.result()
    except (tarfile.TarError, EOFError, OSError, ValueError):
        return None
