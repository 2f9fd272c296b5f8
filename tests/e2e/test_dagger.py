"""The whole line on the Dagger engine, over the stub of its session: the command line, and the module's functions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import dagger
import pytest

from pipelines import SelfhealCi
from tests.builders import Files, a_repository
from tests.dagger_stub import Stub
from tests.e2e.test_heal import BROKEN, GREEN, selfheal
from tests.messages_api import MessagesServer, fixes

SETUP_TEXT = 'setup = ["true"]\n' + str(GREEN[".selfheal.toml"])
SETUP: Files = {**GREEN, ".selfheal.toml": SETUP_TEXT}
Called = Callable[[SelfhealCi], Coroutine[Any, Any, dagger.Directory]]


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[Stub]:
    (tmp_path / "stub").mkdir()
    (tmp_path / "module").mkdir()
    with Stub.serving(tmp_path / "stub", workdir=tmp_path / "module") as serving:
        yield serving


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    return a_repository(tmp_path / "project", SETUP, BROKEN)


def test_the_same_verdict_and_patch_as_on_the_local_engine(broken: Path, stub: Stub) -> None:
    local = selfheal(broken, "heal", "--no-model", "--engine", "local")
    here = (local.told, (local.folder / "fix.patch").read_bytes())

    dagger = selfheal(broken, "heal", "--no-model", environ=stub.environ)

    assert dagger.exit_code == 0, dagger.stderr
    assert dagger.told["engine"] == "dagger"
    assert (dagger.folder / "fix.patch").read_bytes() == here[1]
    for key in ("status", "failures", "diagnosis", "patch", "key"):
        assert dagger.told[key] == here[0][key]


@pytest.fixture
def module(stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Called], Any]:
    """Calls a function of the module as Dagger would, and gives what heal.json says."""
    monkeypatch.chdir(tmp_path / "module")
    for name, value in stub.environ.items():
        monkeypatch.setenv(name, value)

    async def call(called: Called) -> None:
        async with dagger.connection():
            await (await called(SelfhealCi())).export(str(tmp_path / "selfheal-out"))

    def told(called: Called) -> Any:
        asyncio.run(call(called))
        return json.loads((tmp_path / "selfheal-out/heal.json").read_text())

    return told


def the_source(project: Path) -> dagger.Directory:
    return dagger.dag.host().directory(str(project))


def test_the_modules_heal_gives_the_output_folder(broken: Path, module: Callable[[Called], Any], tmp_path: Path) -> None:
    told = module(lambda ours: ours.heal(the_source(broken), no_model=True, ladder=["revert"]))

    assert (told["status"], told["engine"], told["attempts"][-1]["remedy"]) == ("healed", "dagger", "revert")
    assert list((tmp_path / "selfheal-out/logs").iterdir())


def test_the_modules_diagnose_takes_a_configuration_file(
    broken: Path, module: Callable[[Called], Any], tmp_path: Path
) -> None:
    (tmp_path / "mine.toml").write_text(SETUP_TEXT.replace("[steps.tests]", "[steps.mine]"))

    told = module(lambda ours: ours.diagnose(the_source(broken), config=dagger.dag.host().file(str(tmp_path / "mine.toml"))))

    assert (told["status"], told["step"]) == ("not_healed", "mine")


def test_a_models_server_on_the_callers_machine_is_asked_with_the_key(
    broken: Path, stub: Stub, module: Callable[[Called], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_CALLER", "sk-ant-of-the-caller")
    stub.entrypoints["server"] = ("sleep", "60")
    with MessagesServer([fixes("calc/core.py", "a - b", "a + b")]) as api:
        told = module(
            lambda ours: ours.heal(
                the_source(broken),
                ladder=["model"],
                anthropic_api_key=dagger.dag.secret("env://OF_THE_CALLER"),
                model_server=dagger.dag.container()
                .from_("server")
                .with_exposed_port(int(api.url.rpartition(":")[2]))
                .as_service(),
            )
        )

    assert told["status"] == "healed"
    assert {request.headers["authorization"] for request in api.requests} == {"Bearer sk-ant-of-the-caller"}


def test_an_engine_that_is_gone_is_exit_7_with_a_hint(broken: Path) -> None:
    ended = selfheal(broken, "heal", "--no-model", environ={"DAGGER_SESSION_PORT": "9", "DAGGER_SESSION_TOKEN": "a-token"})

    assert ended.exit_code == 7
    assert "Dagger" in ended.stderr
    assert ended.told["status"] == "error"
