"""The frozen state of a tree in a Dagger engine: what is sent there, set up, and found to have been made of the sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from selfheal_ci.engines import dockerfile
from selfheal_ci.engines.dagger_session import Session
from selfheal_ci.engines.dagger_words import LostError, RefusedError, no_image, refused_by_engine, short
from selfheal_ci.engines.made_inside import read_made
from selfheal_ci.engines.parcel import Prints
from selfheal_ci.errors import EngineError, UsageError
from selfheal_ci.values import Recipe

if TYPE_CHECKING:
    import dagger

PULLING = 900.0  # seconds for the image to arrive
MARGIN = 120.0  # seconds beyond a command's own for what happens around it
BASE = "base"  # folder of the context that holds an image from a file


@dataclass(frozen=True)
class Ready:
    """A frozen state that one session knows."""

    session: Session
    context: dagger.Directory  # all of a build's folder but the Dockerfile and the changes
    dockerfile: str  # up to the frozen state
    made: tuple[str, ...]  # see Sandbox

    def build(self, text: str, changes: dagger.Directory | None = None, nonce: str = "") -> dagger.Container:
        """What this Dockerfile makes of it."""
        import dagger  # noqa: PLC0415

        context = self.context.with_new_file("Dockerfile", text)
        if changes:
            context = context.with_directory("changes", changes)
        return context.docker_build(build_args=[dagger.BuildArg("NONCE", nonce)] if nonce else [])


@dataclass(frozen=True)
class State:
    """What a frozen state is made from; it is made anew in every engine that is connected."""

    packed: Path  # the folder with the tree's archive
    known: Prints
    image: str
    root: str  # the tree's place inside
    recipe: Recipe
    archives: Path  # what the path of an image file is relative to

    def on(self, session: Session) -> Ready:
        """Bring it about. Raises UsageError when setup fails, EngineError for an unfit image or a broken engine."""
        tree = session.ask(session.folder(self.packed).sync, within=MARGIN)
        context = session.client.directory().with_directory("tree", tree)
        base: Sequence[str] = [f"FROM {dockerfile.named(self.image)}"] if not self._file else []
        if self._file:
            context, base = self._unpacked(session, self._file, context)
        text = dockerfile.prepared(base=base, root=self.root, setup=self.recipe.setup, env=self.recipe.setup_env)
        ready = Ready(session, context, text, ())
        self._set_up(ready)
        return Ready(session, context, text, self._made(ready))

    @property
    def _file(self) -> Path | None:
        """The archive that `image` names, if it names one."""
        name = self.image.removeprefix("file:")
        return self.archives / name if name != self.image else None

    def _unpacked(self, session: Session, archive: Path, context: dagger.Directory) -> tuple[dagger.Directory, list[str]]:
        """The context with the files of an image that is an archive, and how a Dockerfile begins on it."""
        if not archive.is_file():
            hint = 'write image = "file:PATH" with an archive that docker save or an OCI tool wrote'
            raise UsageError(f"the image {self.image} is no file: {archive}", hint=hint)
        container = session.client.container().import_(session.file(archive))

        async def variables() -> list[tuple[str, str]]:
            return [(await each.name(), await each.value()) for each in await container.env_variables()]

        try:
            env = session.ask(variables, within=PULLING)
        except RefusedError as refused:
            said = f"the image {self.image} cannot be read: {short(refused.said)}"
            raise EngineError(said, hint="write it with docker save, or as an OCI archive") from refused
        return context.with_directory(BASE, container.rootfs()), dockerfile.from_folder(BASE, dict(env))

    def _set_up(self, ready: Ready) -> None:
        import dagger  # noqa: PLC0415

        allowed = PULLING + MARGIN + dockerfile.SETUP_TIMEOUT * len(self.recipe.setup)
        try:
            ready.session.ask(ready.build(ready.dockerfile).sync, within=allowed)
        except dagger.ExecError as failed:
            raise _why_not_set_up(failed, self.image) from failed
        except RefusedError as refused:
            raise no_image(refused.said, self.image) or refused from refused

    def _made(self, ready: Ready) -> tuple[str, ...]:
        if not self.recipe.setup:
            return ()
        text = dockerfile.with_survey(ready.dockerfile, self.root)
        listed = ready.session.ask(ready.build(text).file(dockerfile.MADE).contents, within=MARGIN)
        return read_made(listed, self.known, fixed=self.recipe.build_files)


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
    why = refused_by_engine(last_words(failed))
    if isinstance(why, LostError | RefusedError):
        return LostError(f"the Dagger engine could not prepare the tree: {last_words(failed)}", hint="run again")
    return why


def last_words(error: dagger.ExecError) -> str:
    """What a broken run left to be read."""
    return short(f"{error.stdout}\n{error.stderr}\n{error.message}")
