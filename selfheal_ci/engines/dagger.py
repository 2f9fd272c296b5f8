"""The engine that runs steps in containers, through Dagger: here, in CI, on another machine."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from selfheal_ci.engines import dockerfile
from selfheal_ci.engines.dagger_session import Given, Session, open_session
from selfheal_ci.engines.parcel import Parcel, pack_tree
from selfheal_ci.errors import EngineError, UsageError
from selfheal_ci.values import NOTHING, Changes, Command, Limits, Recipe, Run, Tree

if TYPE_CHECKING:
    import dagger

PULLING = 900.0  # seconds for the image to arrive
MARGIN = 120.0  # seconds beyond a command's own for what happens around it


def _unheard(_: str) -> None:
    return None


@dataclass(frozen=True)
class DaggerEngine:
    """Runs steps in containers of `image`. `export` writes a tree into a folder; environment folders stay here."""

    export: Callable[[Tree, Path], None]
    work: Path  # a folder of ours; everything below it is gone afterwards
    image: str  # what the tree needs when its recipe does not say
    limits: Limits
    environ: Mapping[str, str]  # of the person or job that started us: where the engine is
    concurrency: int = 2
    given: Given | None = None  # inside a Dagger module
    patience: float = 300.0  # seconds for an engine to start
    log: Callable[[str], None] = _unheard  # hears what the engine says of itself
    name: str = field(default="dagger", init=False)

    @contextmanager
    def prepare(self, tree: Tree, recipe: Recipe) -> Iterator[DaggerSandbox]:
        """See Engine."""
        state = Path(tempfile.mkdtemp(prefix="dagger-", dir=(self.given and self.given.workdir) or self.work))
        state.chmod(0o755)
        try:
            with open_session(self.environ, patience=self.patience, log=self.log, given=self.given) as session:
                yield self._prepare(session, state, tree, recipe)
        finally:
            shutil.rmtree(state)

    def _prepare(self, session: Session, state: Path, tree: Tree, recipe: Recipe) -> DaggerSandbox:
        exported, packed = state / "exported", state / "tree"
        exported.mkdir()
        packed.mkdir()
        self.export(replace(tree, environment=()), exported)
        known = pack_tree(exported, packed)
        shutil.rmtree(exported)

        image, root = recipe.image or self.image, dockerfile.place(tree.root)
        text = dockerfile.prepared(image=image, root=root, setup=recipe.setup, env=recipe.setup_env)
        directory = session.ask(session.folder(packed).sync, within=MARGIN)
        sandbox = DaggerSandbox(
            session, state, directory, text, Parcel(root, known, self.limits, self.concurrency), self.concurrency
        )
        sandbox.set_up(image, recipe)
        return sandbox


@dataclass(frozen=True)
class DaggerSandbox:
    """A frozen tree in the engine's cache; each run is one more layer, thrown away."""

    session: Session
    state: Path
    tree: dagger.Directory
    dockerfile: str  # up to the frozen state
    parcel: Parcel
    concurrency: int
    made: tuple[str, ...] = ()  # not looked at: the frozen state stays in the engine

    @property
    def limits(self) -> Limits:
        """See Sandbox."""
        return self.parcel.limits

    def set_up(self, image: str, recipe: Recipe) -> None:
        """Bring about the frozen state. Raises UsageError when setup fails, EngineError for an unfit image."""
        import dagger  # noqa: PLC0415

        built = self._context(self.dockerfile).docker_build()
        allowed = PULLING + MARGIN + dockerfile.SETUP_TIMEOUT * len(recipe.setup)
        try:
            self.session.ask(built.sync, within=allowed)
        except dagger.ExecError as failed:
            raise _why_not_set_up(failed, image) from failed

    def run(self, command: Command, changes: Changes = NOTHING) -> Run:
        """See Sandbox."""
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=self.state))
        folder.chmod(0o755)
        try:
            for name in ("changes", "out"):
                (folder / name).mkdir()
            self.parcel.write(folder / "changes", command, changes)
            self._execute(command, changes=folder / "changes", out=folder / "out")
            return self.parcel.read(folder / "out", command, changes)
        finally:
            shutil.rmtree(folder)

    def stop(self) -> None:
        """See Sandbox."""
        self.session.stop()

    def _execute(self, command: Command, *, changes: Path, out: Path) -> None:
        import dagger  # noqa: PLC0415

        text = dockerfile.with_run(self.dockerfile, network=command.network)
        context = self._context(text).with_directory("changes", self.session.folder(changes))
        built = context.docker_build(build_args=[dagger.BuildArg("NONCE", uuid.uuid4().hex)])
        left = built.directory(dockerfile.OUT)
        try:
            self.session.ask(lambda: left.export(str(out)), within=command.timeout + MARGIN)
        except dagger.ExecError as broken:
            raise _why_not_run(broken) from broken

    def _context(self, text: str) -> dagger.Directory:
        empty = self.session.client.directory()
        return empty.with_new_file("Dockerfile", text).with_directory("tree", self.tree)


def _why_not_set_up(failed: dagger.ExecError, image: str) -> UsageError | EngineError:
    said = failed.stdout.strip()
    if failed.exit_code == dockerfile.SETUP_FAILED:
        last = "\n  ".join(said.splitlines()[-15:])
        return UsageError(f"setup failed: {failed.command[-1]}\n  {last}", hint="mend `setup` in the configuration")
    if failed.exit_code == dockerfile.IMAGE_LACKS:
        return EngineError(
            f"the image {image} has no {said}",
            hint="take an image with util-linux, such as python:3.11-slim (on Alpine: apk add util-linux), as `image`",
        )
    return EngineError(f"the Dagger engine could not prepare the tree: {_last_words(failed)}", hint="run again")


def _why_not_run(broken: dagger.ExecError) -> EngineError:
    """A command that fails leaves by 0; so this is the wrapper, or what the engine does around it."""
    if broken.exit_code == dockerfile.CHANGES_FAILED:
        return EngineError(f"a change cannot be laid over the tree: {_last_words(broken)}", hint="mend `setup`")
    return EngineError(
        f"a run broke inside the Dagger engine (exit code {broken.exit_code}): {_last_words(broken)}",
        hint="run again; 137 is an engine out of memory: give it more, or lower --concurrency",
    )


def _last_words(error: dagger.ExecError) -> str:
    return " ".join(f"{error.stdout}\n{error.stderr}\n{error.message}".split())[-400:]
