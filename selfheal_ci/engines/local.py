"""The engine of this machine: bubblewrap inside bubblewrap. No daemon, no root, no image."""

from __future__ import annotations

import os
import signal
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import BufferedReader
from pathlib import Path
from types import MappingProxyType

from selfheal_ci import shell
from selfheal_ci.engines import host, toolchains
from selfheal_ci.engines.bubblewrap import FROZEN, Frozen, View, check_root, nested
from selfheal_ci.engines.layer import write_layer
from selfheal_ci.engines.readback import Leftovers, read_leftovers
from selfheal_ci.engines.seccomp import seccomp_filter
from selfheal_ci.engines.watch import Live, Watch
from selfheal_ci.errors import EngineError, UsageError
from selfheal_ci.terminal import interact
from selfheal_ci.values import NOTHING, Changes, Command, Limits, Output, Recipe, Run, Stop, Tree

SETUP_TIMEOUT = 1800.0
REMEDIES = (
    ("uid map", "this system restricts user namespaces (Ubuntu 24.04 and later do): install the distribution's bubblewrap"
     " with its AppArmor profile, or use --engine dagger"),
    ("creating new namespace", "this container forbids user namespaces (the Docker default): use --engine dagger, or a"
     " runner that allows them"),
    ("namespaces exceeded", "user namespaces are switched off here (sysctl user.max_user_namespaces), or nested too deep:"
     " use --engine dagger, or run outside of the sandbox that this is"),
    ("unshare failed: Operation not permitted", "root has no right to make mounts here: use --engine dagger, or start as"
     " another user"),
    ("mount proc", "this container hides /proc: use --engine dagger, or a runner that allows user namespaces"),
)  # fmt: skip


@dataclass(frozen=True)
class LocalEngine:
    """Runs steps on this machine's own tools, in namespaces. `export` writes a tree into a folder."""

    export: Callable[[Tree, Path], None]
    work: Path  # a folder of ours; everything below it is gone afterwards
    limits: Limits
    environ: Mapping[str, str]  # PATH, HOME and locale of the person or job that started us
    concurrency: int = 2
    platform: str = sys.platform
    name: str = "local"

    @contextmanager
    def prepare(self, tree: Tree, recipe: Recipe) -> Iterator[LocalSandbox]:
        """See Engine. Raises EngineError with the remedy where this machine cannot isolate."""
        if self.platform != "linux":
            hint = "start Docker, write `setup` in the configuration, and use --engine dagger"
            raise EngineError(f"the local sandbox needs Linux, and this is {self.platform}", hint=hint)
        check_root(tree.root)
        state = Path(tempfile.mkdtemp(prefix="state-", dir=self.work))
        try:
            sandbox = self._prepare(state, tree, recipe)
            try:
                yield sandbox
            finally:
                sandbox.stop()
        finally:
            host.remove(state)

    def _prepare(self, state: Path, tree: Tree, recipe: Recipe) -> LocalSandbox:
        root = os.geteuid() == 0
        uid = host.unused_uid() if root else os.geteuid()
        for name in ("tree", "home", "mnt", "runs"):
            (state / name).mkdir()
        if root:
            _give_first(uid, state)
        if root:  # the uid we drop to must reach what belongs to it
            self.work.chmod(0o711)
            state.chmod(0o711)
        bubblewrap = host.install_bubblewrap(state / "bubblewrap")
        if bubblewrap is None:
            raise EngineError("there is no bubblewrap on this machine", hint="install bubblewrap, or use --engine dagger")
        if refused := seccomp_filter():
            (state / "seccomp").write_bytes(refused)
        found = toolchains.look(self.environ, tree=tree.root)
        etc = {network: host.write_etc(state / f"etc-{network}", uid=uid, network=network) for network in (False, True)}
        frozen = Frozen(state, tree.root, uid, bubblewrap, found, etc)
        sandbox = LocalSandbox(frozen, tree, self.limits, self.concurrency, prepared=time.time())
        sandbox.self_test()
        self.export(tree, state / "tree")
        if root:
            host.give_to(uid, state / "tree")
        for line in recipe.setup:
            sandbox.set_up(line, recipe.setup_env)
        return replace(sandbox, prepared=time.time())


@dataclass(frozen=True)
class LocalSandbox:
    """A frozen tree and HOME; each run gets an overlay of its own over both."""

    frozen: Frozen
    tree: Tree
    limits: Limits
    concurrency: int
    prepared: float  # seconds since the epoch; changes are newer
    live: Live = field(default_factory=Live)

    def self_test(self) -> None:
        """Start the sandbox once. Raises EngineError with what stops it here and what to do."""
        tried = self._launch(["true"], Command("true", timeout=20))
        if tried.leftovers is None or tried.leftovers.exit_code != 0:
            said = " ".join(tried.output.text.split()) or "it said nothing"
            hint = next(
                (remedy for words, remedy in REMEDIES if words in said), "use --engine dagger, or see `selfheal doctor`"
            )
            raise EngineError(f"the local sandbox does not start on this machine: {said[:400]}", hint=hint)

    def set_up(self, line: str, env: Mapping[str, str]) -> None:
        """Run one line of setup on the tree itself, with network. Raises UsageError when it fails."""
        command = Command(line, timeout=SETUP_TIMEOUT, env=env, network=True)
        tried = self._launch(["sh", "-c", line], command, View(lasting=True))
        if tried.stop is not Stop.EXITED or tried.leftovers is None or tried.leftovers.exit_code != 0:
            last = "\n  ".join(tried.output.text.strip().splitlines()[-15:])
            code = tried.leftovers.exit_code if tried.leftovers else None
            how = f"exit code {code}" if tried.stop is Stop.EXITED else tried.stop.value
            raise UsageError(f"setup failed ({how}): {line}\n  {last}", hint="mend `setup` in the configuration")

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
        folder = Path(tempfile.mkdtemp(dir=self.frozen.state / "runs"))
        try:
            view = View(folder / "layer" if changes else None, folder / "support")
            (folder / "support").mkdir()
            if view.layer:
                view.layer.mkdir()
                write_layer(changes, view.layer, newer_than=self.prepared)
            for name, data in support.items():
                (folder / "support" / name).write_bytes(data)
            folder.chmod(0o711)
            if os.geteuid() == 0:
                host.give_to(self.frozen.uid, folder)
            yield view
        finally:
            host.remove(folder)

    def _launch(self, argv: Sequence[str], command: Command, view: View = FROZEN, changes: Changes = NOTHING) -> Launched:
        watch = Watch(self.limits, command.timeout)
        known = {path for path in self.tree.entries if changes.files.get(path, True)}
        known |= {path for path, content in changes.files.items() if content}

        def unpack(archive: BufferedReader) -> Leftovers:
            with archive:  # closed as soon as we have enough: what packs the rest does not wait for us
                archive.peek(1)
                watch.packing.set()
                return read_leftovers(archive, known=known, globs=command.reports)

        line = [*nested(self.frozen, view, command, self.limits), *argv]
        with ThreadPoolExecutor(max_workers=1) as pool, self.live.start(line) as (process, archive):
            leftovers = pool.submit(unpack, archive)
            stop = watch.follow(process)
            return Launched(stop, watch.capture.output, _leftovers(leftovers), crowded=watch.crowded)


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


def _give_first(uid: int, state: Path) -> None:
    """Give the empty folders to the uid that root drops to. Raises EngineError where there is no other uid."""
    try:
        for name in ("tree", "home", "mnt", "runs"):
            os.chown(state / name, uid, uid)
    except OSError as refused:
        hint = "start as another user, or use --engine dagger"
        raise EngineError(
            "the local sandbox does not start on this machine: root has no other uid here", hint=hint
        ) from refused


def _leftovers(left: Future[Leftovers]) -> Leftovers | None:
    try:
        return left.result()
    except (tarfile.TarError, EOFError, OSError, ValueError):
        return None
