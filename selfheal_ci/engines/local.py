"""The engine of this machine: bubblewrap inside bubblewrap. No daemon, no root, no image."""

from __future__ import annotations

import errno
import logging
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from selfheal_ci.engines import host, toolchains
from selfheal_ci.engines.bridge import bridges
from selfheal_ci.engines.bubblewrap import Frozen, check_root
from selfheal_ci.engines.host import Bubblewrap
from selfheal_ci.engines.layer import lay_tree
from selfheal_ci.engines.made import copies, survey
from selfheal_ci.engines.obstacles import way_out
from selfheal_ci.engines.sandbox import LocalSandbox
from selfheal_ci.engines.seccomp import seccomp_filter
from selfheal_ci.engines.states import SETUP_AGE, Record, State, States, identity, key_of, try_room, unkept
from selfheal_ci.engines.usage import bytes_below
from selfheal_ci.errors import EngineError, SelfhealError, ToolError
from selfheal_ci.values import Limits, Recipe, Tree

log = logging.getLogger(__name__)

UNFIT = {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT}  # for keeping anything
TICK = 0.02  # seconds within which the kernel gives files the same time


@dataclass(frozen=True)
class LocalEngine:
    """Runs steps on this machine's own tools, in namespaces. `export` writes a tree into a folder."""

    export: Callable[[Tree, Path], None]
    work: Path  # a folder of ours; everything below it is gone afterwards
    limits: Limits
    environ: Mapping[str, str]  # PATH, HOME and locale of the person or job that started us
    concurrency: int = 2
    states: States | None = None  # where prepared states are kept; None: nowhere
    scope: str = ""  # a kept state serves no other scope: not everyone's setup is trusted
    overlays: bool = True  # lay folders over each other where this machine can; else every run gets a copy
    warn: Callable[[str], None] = log.warning
    platform: str = sys.platform
    name: str = "local"

    @contextmanager
    def prepare(self, tree: Tree, recipe: Recipe) -> Iterator[LocalSandbox]:
        """See Engine. Raises EngineError with the remedy where this machine cannot isolate."""
        if self.platform != "linux":
            hint = "start Docker, write `setup` in the configuration, and use --engine dagger"
            raise EngineError(f"the local sandbox needs Linux, and this is {self.platform}", hint=hint)
        check_root(tree.root)
        host.check_programs(root=os.geteuid() == 0)
        work = Path(tempfile.mkdtemp(prefix="prepared-", dir=self.work))
        try:
            bubblewraps = _bubblewraps(work)
            empty = _tried(self._empty(work, tree, bubblewraps[0]), bubblewraps, overlays=self.overlays)
            empty = _bridged(empty)
            with ExitStack() as stack:
                state = self._enter(stack, empty, tree, recipe)
                sandbox = self._on(state, empty, tree)
                try:
                    yield sandbox
                finally:
                    sandbox.stop()
        finally:
            host.remove(work)

    def obstacle(self) -> EngineError | None:
        """What stops this engine here, by starting it on nothing; None where it starts."""
        try:
            bare = replace(self, export=lambda _tree, _into: None, states=None)
            with bare.prepare(Tree("", self.work / "nothing", {}), Recipe()):
                return None
        except EngineError as stopped:
            return stopped
        except ToolError as missing:
            return EngineError(missing.message, hint=missing.hint)

    def _empty(self, work: Path, tree: Tree, bubblewrap: Bubblewrap) -> LocalSandbox:
        """A sandbox without the tree, to see whether one starts here."""
        root = os.geteuid() == 0
        uid = host.unused_uid() if root else os.geteuid()
        for name in ("probe/old", "home", "mnt", "runs"):
            (work / name).mkdir(parents=True)
        (work / "probe" / "old" / "file").touch()
        if root:  # the uid we drop to must reach what belongs to it
            _check_uid(uid, work / "home")
            self.work.chmod(0o711)
            work.chmod(0o711)
        if refused := seccomp_filter():
            (work / "seccomp").write_bytes(refused)
        found = toolchains.look(self.environ, tree=tree.root)
        resolver = host.resolver_of_this_machine()
        etc = {
            network: host.write_etc(work / f"etc-{network}", uid=uid, resolver=resolver * network)
            for network in (False, True)
        }
        frozen = Frozen(work / "probe", work / "home", work, tree.root, uid, bubblewrap, found, etc)
        host.give_to(uid, frozen.tree)
        return LocalSandbox(frozen, tree, self.limits, self.concurrency, prepared=time.time())

    def _enter(self, stack: ExitStack, empty: LocalSandbox, tree: Tree, recipe: Recipe) -> State:
        """A filled state, held until the stack ends; one of this healing's own where nothing can be kept."""
        copied = [path for path in tree.environment if self.states and tree.root / path in self.states.folder.parents]
        if self.states and copied:
            self.warn(unkept(f"{self.states.folder} lies in {copied[0]}, of which every state has a copy"))
        elif self.states:
            try:
                return stack.enter_context(self._filled(self.states, empty, tree, recipe))
            except OSError as closed:
                folder = str(self.states.folder)
                if closed.errno not in UNFIT or not str(closed.filename or folder).startswith(folder):
                    raise
                self.warn(unkept(f"{folder}: {closed.strerror}"))
        return stack.enter_context(self._filled(States(empty.frozen.work), empty, tree, recipe))

    @contextmanager
    def _filled(self, states: States, empty: LocalSandbox, tree: Tree, recipe: Recipe) -> Iterator[State]:
        key = key_of(tree, recipe, empty.frozen.host, uid=empty.frozen.uid, scope=self.scope)
        with states.take(key, identity(tree), age=SETUP_AGE if recipe.setup else math.inf) as state:
            if state.record is None:
                try:
                    states.keep(state, key, self._fill(state.folder, empty, tree, recipe), tree.entries)
                except SelfhealError:
                    try_room(state.folder)  # a full disk explains more than what setup said of it
                    raise
            yield state

    def _fill(self, state: Path, empty: LocalSandbox, tree: Tree, recipe: Recipe) -> Record:
        """Copy the tree and run setup."""
        for name in ("tree", "home", "git"):
            (state / name).mkdir()
        frozen = replace(empty.frozen, tree=state / "tree", home=state / "home")
        self.export(tree, frozen.tree)
        host.give_to(frozen.uid, frozen.tree, frozen.home)
        time.sleep(TICK)
        began = time.time()
        for line in recipe.setup:
            replace(empty, frozen=frozen).set_up(line, recipe.setup_env)
        prepared = time.time()
        if os.path.lexists(frozen.tree / ".git"):  # it is of this very tree; another one gets another
            (frozen.tree / ".git").rename(state / "git" / ".git")
        left = survey(frozen.tree, tree, fixed=recipe.build_files, began=began)
        installed = [f"~/.local/{path}" for path in copies(frozen.home / ".local", tree.root, began=began)]
        return Record(identity(tree), prepared, left.size + bytes_below(frozen.home), [*left.made, *installed])

    def _on(self, state: State, empty: LocalSandbox, tree: Tree) -> LocalSandbox:
        """The sandbox for a tree, on a state that may have been made from another one."""
        assert state.record is not None  # noqa: S101  it is filled
        layer, prepared = state.folder / "git", state.record.prepared
        if state.record.tree != identity(tree):
            layer = empty.frozen.work / "layer"
            layer.mkdir()
            prepared = lay_tree(tree, state.entries, layer, export=self.export, newer_than=prepared)
            host.give_to(empty.frozen.uid, layer)
        tree_, home, size = state.folder / "tree", state.folder / "home", state.record.size
        frozen = replace(empty.frozen, tree=tree_, home=home, layers=(layer,), size=size)
        return replace(empty, frozen=frozen, prepared=prepared, made=tuple(map(str, state.record.made)))


def _bubblewraps(work: Path) -> Sequence[Bubblewrap]:
    """What to try, the best first. Raises EngineError where there is none."""
    found = host.find_bubblewraps(work / "bubblewrap" if os.geteuid() == 0 else None)
    if not found:
        raise EngineError("there is no bubblewrap on this machine", hint="install bubblewrap, or use --engine dagger")
    return found


def _tried(sandbox: LocalSandbox, bubblewraps: Sequence[Bubblewrap], *, overlays: bool) -> LocalSandbox:
    """The sandbox in the way in which it starts here. Raises EngineError with what stops it and what to do."""
    told: list[tuple[Bubblewrap, str]] = []
    for bubblewrap, laid_over in product(bubblewraps, (True, False) if overlays else (False,)):
        sandbox = replace(sandbox, frozen=replace(sandbox.frozen, bubblewrap=bubblewrap, overlays=laid_over))
        said = sandbox.try_out()
        if not said:
            return sandbox
        told.append((bubblewrap, said))
        log.info("bubblewrap %s does not start%s: %s", bubblewrap.version, "" if laid_over else " with copies either", said)
    # Rather of the one that is ours: the system's may have a profile that forbids to nest it.
    bubblewrap, said = next((each for each in reversed(told) if each[0].folders), told[-1])
    hint = way_out(said, bubblewrap, another_user=lambda: host.makes_namespaces(sandbox.frozen.uid))
    raise EngineError(f"the local sandbox does not start on this machine: {said}", hint=hint)


def _bridged(sandbox: LocalSandbox) -> LocalSandbox:
    """The sandbox whose setup has a network of its own, where a bridge is installed and works."""
    frozen = sandbox.frozen
    told = []
    for bridge in bridges():
        resolver = f"nameserver {bridge.resolver}\n"
        etc = host.write_etc(frozen.work / f"etc-{bridge.name}", uid=frozen.uid, resolver=resolver)
        bridged = replace(sandbox, frozen=replace(frozen, bridge=bridge, etc={**frozen.etc, True: etc}))
        said = bridged.try_out(network=True)
        if not said:
            return bridged
        log.info("%s gives setup no network here: %s", bridge.name, said)
        told.append(f"{bridge.name}: {said}")
    return replace(sandbox, frozen=replace(frozen, unbridged="; ".join(told)))


def _check_uid(uid: int, folder: Path) -> None:
    """Raises EngineError where root has no other uid to drop to."""
    try:
        os.chown(folder, uid, uid)
    except OSError as refused:
        said = "the local sandbox does not start on this machine: root has no other uid here"
        raise EngineError(said, hint="start as another user, or use --engine dagger") from refused
