"""Which engine is taken, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from selfheal_ci.ci import read_ci
from selfheal_ci.config import Settings
from selfheal_ci.engines.docker import Docker, ask_docker
from selfheal_ci.errors import EngineError, UsageError

GIVEN = ("DAGGER_SESSION_PORT", "_EXPERIMENTAL_DAGGER_RUNNER_HOST")  # a Dagger engine is there already
NO_SETUP = UsageError(
    "the Dagger engine needs `setup`, and there is none",
    hint='write setup = ["pip install …"]; environment folders such as .venv are not sent into containers',
)
SelfTest = Callable[[], EngineError | None]  # why the local engine does not start here


@dataclass(frozen=True)
class Choice:
    """One of the two."""

    engine: str
    why: str


def choose(
    settings: Settings,
    environ: Mapping[str, str],
    self_test: SelfTest,
    *,
    inside: bool = False,
    ask: Callable[..., Docker] = ask_docker,
) -> Choice:
    """As `engine` says; inside: in a Dagger module. Raises UsageError for Dagger without setup, EngineError for none."""
    if settings.engine == "local":
        return Choice("local", "it was asked for")
    if settings.engine == "dagger" and not settings.setup:
        raise NO_SETUP
    if settings.engine == "dagger":
        return Choice("dagger", "it was asked for")
    if not settings.setup:
        return Choice("local", "without `setup` it is the only one")
    if reason := given(settings, environ, inside=inside):
        return Choice("dagger", reason)
    asked = ask(environ) if read_ci(environ) else None
    if asked and asked.version:
        return Choice("dagger", f"this is CI, and docker {asked.version} answers")
    return _local_if_it_starts(environ, self_test, asked, ask)


def given(settings: Settings, environ: Mapping[str, str], *, inside: bool = False) -> str | None:
    """What says that a Dagger engine is there already."""
    if inside:
        return "this is a Dagger module"
    named = next((name for name in GIVEN if environ.get(name)), None)
    return f"{named} is set" if named else "dagger.hosts names it" if settings.dagger_hosts else None


def _local_if_it_starts(
    environ: Mapping[str, str], self_test: SelfTest, asked: Docker | None, ask: Callable[[Mapping[str, str]], Docker]
) -> Choice:
    obstacle = self_test()
    if obstacle is None:
        return Choice("local", "its self-test passes")
    docker = asked or ask(environ)
    if docker.version:
        return Choice("dagger", f"{obstacle.message}; docker {docker.version} answers")
    raise EngineError(f"no engine can be used: {obstacle.message}; {docker.said}", hint=obstacle.hint)
