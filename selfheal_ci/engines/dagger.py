"""The engine that runs steps in containers, through Dagger: here, in CI, on another machine."""

from __future__ import annotations

import logging
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from selfheal_ci.engines import dockerfile
from selfheal_ci.engines.dagger_line import Line, Place
from selfheal_ci.engines.dagger_services import SERVICE_DIED, STARTING, ServiceError, no_service, served
from selfheal_ci.engines.dagger_session import Given, environments, open_session
from selfheal_ci.engines.dagger_state import MARGIN, Ready, State, last_words
from selfheal_ci.engines.dagger_words import LostError, RefusedError, refused_by_engine
from selfheal_ci.engines.images import usual_image
from selfheal_ci.engines.parcel import Parcel, pack_tree
from selfheal_ci.errors import EngineError
from selfheal_ci.values import NOTHING, Changes, Command, Limits, Recipe, Run, Tree

if TYPE_CHECKING:
    import dagger


def _unheard(_: str) -> None:
    return None


@dataclass(frozen=True)
class DaggerEngine:
    """Runs steps in containers of `image`. `export` writes a tree into a folder; environment folders stay here."""

    export: Callable[[Tree, Path], None]
    work: Path  # a folder of ours; everything below it is gone afterwards
    image: str | None  # what the tree needs when its recipe does not say; None: that of the language found
    limits: Limits
    environ: Mapping[str, str]  # of the person or job that started us: where the engine is
    concurrency: int = 2
    given: Given | None = None  # inside a Dagger module
    patience: float = 300.0  # seconds for an engine to start
    log: Callable[[str], None] = _unheard  # hears what the engine says of itself
    hosts: Sequence[str] = ()  # runner hosts, tried in order after what the environment names
    archives: Path = Path()  # what `file:` images are relative to
    warn: Callable[[str], None] = logging.getLogger(__name__).warning
    name: str = field(default="dagger", init=False)

    @contextmanager
    def prepare(self, tree: Tree, recipe: Recipe) -> Iterator[DaggerSandbox]:
        """See Engine."""
        folder = Path(tempfile.mkdtemp(prefix="dagger-", dir=(self.given and self.given.workdir) or self.work))
        folder.chmod(0o755)
        try:
            state = self._pack(folder, tree, recipe)
            parcel = Parcel(state.root, state.known, self.limits, self.concurrency)
            with Line(self._places(), state.on, self.warn).opened(self.patience) as line:
                yield DaggerSandbox(line, folder, parcel, self.concurrency)
        finally:
            shutil.rmtree(folder)

    def _pack(self, folder: Path, tree: Tree, recipe: Recipe) -> State:
        exported, packed = folder / "exported", folder / "tree"
        exported.mkdir()
        packed.mkdir()
        self.export(replace(tree, environment=()), exported)
        known = pack_tree(exported, packed)
        named = self.image if recipe.image is None else recipe.image
        image = usual_image(exported) if named is None else named
        shutil.rmtree(exported)
        return State(packed, known, image, dockerfile.place(tree.root), recipe, self.archives)

    def _places(self) -> list[Place]:
        """Where to look for an engine, in order."""

        def place(name: str, environ: Mapping[str, str]) -> Place:
            return Place(name, lambda patience: open_session(environ, patience=patience, log=self.log, given=self.given))

        if self.given:
            return [place("the module's own", {})]
        return [place(name, environ) for name, environ in environments(self.environ, self.hosts)]


@dataclass(frozen=True)
class DaggerSandbox:
    """A frozen tree in the engine's cache; each run is one more layer, thrown away."""

    line: Line[Ready]
    folder: Path
    parcel: Parcel
    concurrency: int

    @property
    def limits(self) -> Limits:
        """See Sandbox."""
        return self.parcel.limits

    @property
    def made(self) -> Sequence[str]:
        """See Sandbox."""
        return self.line.ask(lambda ready: ready.made)

    @property
    def version(self) -> str:
        """Of the engine that answers now."""
        return self.line.ask(lambda ready: ready.session.ask(ready.session.client.version, within=MARGIN))

    def run(self, command: Command, changes: Changes = NOTHING) -> Run:
        """See Sandbox. A run whose engine is lost, or whose service died, is run again: by the next engine that answers."""
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=self.folder))
        folder.chmod(0o755)
        try:
            (folder / "changes").mkdir()
            self.parcel.write(folder / "changes", command, changes)
            return self.parcel.read(self._served(command, folder), command, changes)
        finally:
            shutil.rmtree(folder)

    def stop(self) -> None:
        """See Sandbox."""
        self.line.stop()

    def _served(self, command: Command, folder: Path) -> Path:
        """Run it, and once more where a service did not start or did not answer in the end."""
        execute = partial(self._execute, command, folder)
        try:
            out = self.line.ask(execute)
        except ServiceError:
            return self.line.ask(execute)
        return self.line.ask(execute) if (out / SERVICE_DIED).exists() else out

    def _execute(self, command: Command, folder: Path, ready: Ready) -> Path:
        """Run it, and give the folder with what it left."""
        import dagger  # noqa: PLC0415

        out = Path(tempfile.mkdtemp(prefix="out-", dir=folder))
        changed, nonce = ready.session.folder(folder / "changes"), uuid.uuid4().hex
        if command.services:
            ran = served(ready, command.services, changed, nonce)
        else:
            ran = ready.build(dockerfile.with_run(ready.dockerfile, network=command.network), changed, nonce)
        left = ran.directory(dockerfile.OUT)
        try:
            ready.session.ask(
                lambda: left.export(str(out)), within=command.timeout + MARGIN + STARTING * len(command.services)
            )
        except dagger.ExecError as broken:
            raise _why_not_run(broken, command) from broken
        except RefusedError as refused:
            raise no_service(refused.said, command.services) or refused from refused
        return out


def _why_not_run(broken: dagger.ExecError, command: Command) -> EngineError:
    """A command that fails leaves by 0; so this is the wrapper, or what the engine does around it."""
    if broken.exit_code == dockerfile.CHANGES_FAILED:
        return EngineError(f"a change cannot be laid over the tree: {last_words(broken)}", hint="mend `setup`")
    why = refused_by_engine(last_words(broken))
    if not isinstance(why, LostError | RefusedError):
        return why
    if unserved := no_service(last_words(broken), command.services):
        return unserved
    return LostError(
        f"a run broke inside the Dagger engine (exit code {broken.exit_code}): {last_words(broken)}",
        hint="run again; 137 is an engine out of memory: give it more, or lower --concurrency",
    )
