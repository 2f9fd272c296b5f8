"""The row `engine`: which one is taken where."""

from __future__ import annotations

import pytest

from selfheal_ci.config import Settings
from selfheal_ci.engines.docker import Docker
from selfheal_ci.errors import EngineError, UsageError
from selfheal_ci.wiring.engine_choice import choose

STOPPED = EngineError("the local sandbox does not start", hint="a profile")
ANSWERS, SILENT, NONE = Docker(True, "27.1"), Docker(True, said="it does not answer"), Docker(False, said="not installed")
CI = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "push"}
SESSION = {"DAGGER_SESSION_PORT": "1"}
SETUP = ("pip install .",)


def taken(settings: Settings, environ: dict[str, str], docker: Docker, obstacle: EngineError | None = None) -> str:
    return choose(settings, environ, lambda: obstacle, ask=lambda _: docker).engine


@pytest.mark.parametrize(
    ("settings", "environ", "docker", "obstacle", "engine"),
    [
        (Settings(engine="local", setup=SETUP), SESSION, ANSWERS, STOPPED, "local"),
        (Settings(engine="dagger", setup=SETUP), {}, NONE, None, "dagger"),
        (Settings(setup=SETUP), SESSION, NONE, None, "dagger"),
        (Settings(setup=SETUP), {"_EXPERIMENTAL_DAGGER_RUNNER_HOST": "unix:///x"}, NONE, None, "dagger"),
        (Settings(setup=SETUP, dagger_hosts=("tcp://x:1",)), {}, NONE, None, "dagger"),
        (Settings(setup=SETUP), CI, ANSWERS, None, "dagger"),
        (Settings(setup=SETUP), CI, SILENT, None, "local"),
        (Settings(setup=SETUP), {}, ANSWERS, None, "local"),
        (Settings(setup=SETUP), {}, ANSWERS, STOPPED, "dagger"),
        (Settings(), SESSION, ANSWERS, None, "local"),
        (Settings(), CI, ANSWERS, STOPPED, "local"),
    ],
)
def test_one_is_taken(
    settings: Settings, environ: dict[str, str], docker: Docker, obstacle: EngineError | None, engine: str
) -> None:
    assert taken(settings, environ, docker, obstacle) == engine


def test_inside_a_module_it_is_dagger() -> None:
    assert choose(Settings(setup=SETUP), {}, lambda: None, inside=True).engine == "dagger"


def test_docker_is_asked_only_where_that_decides() -> None:
    def asked(_: object) -> Docker:
        raise AssertionError

    for settings, environ in [(Settings(setup=SETUP), {}), (Settings(), CI), (Settings(setup=SETUP), SESSION | CI)]:
        choose(settings, environ, lambda: None, ask=asked)


def test_no_engine_is_exit_7_with_both_reasons() -> None:
    with pytest.raises(EngineError) as told:
        taken(Settings(setup=SETUP), {}, SILENT, STOPPED)

    assert told.value.message == "no engine can be used: the local sandbox does not start; it does not answer"
    assert (told.value.hint, told.value.exit_code) == ("a profile", 7)


def test_dagger_without_setup_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="needs `setup`"):
        taken(Settings(engine="dagger"), {}, ANSWERS)
