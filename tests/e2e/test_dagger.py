"""The whole line on the Dagger engine, over the stub of its session: the command line, and the module's functions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import dagger
import pytest

from pipelines import SelfhealCi
from tests.builders import Files, a_repository
from tests.dagger_stub import Stub
from tests.e2e.test_heal import BROKEN, GREEN, selfheal

SETUP: Files = {**GREEN, ".selfheal.toml": 'setup = ["true"]\n' + str(GREEN[".selfheal.toml"])}


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


def test_the_modules_heal_gives_the_output_folder(
    broken: Path, stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path / "module")
    for name, value in stub.environ.items():
        monkeypatch.setenv(name, value)

    async def called() -> None:
        async with dagger.connection():
            source = dagger.dag.host().directory(str(broken))
            result = await SelfhealCi().heal(source, no_model=True)
            await result.export(str(tmp_path / "selfheal-out"))

    asyncio.run(called())

    told = json.loads((tmp_path / "selfheal-out/heal.json").read_text())
    assert (told["status"], told["engine"]) == ("healed", "dagger")
    assert list((tmp_path / "selfheal-out/logs").iterdir())


def test_an_engine_that_is_gone_is_exit_7_with_a_hint(broken: Path) -> None:
    ended = selfheal(broken, "heal", "--no-model", environ={"DAGGER_SESSION_PORT": "9", "DAGGER_SESSION_TOKEN": "a-token"})

    assert ended.exit_code == 7
    assert "Dagger" in ended.stderr
    assert ended.told["status"] == "error"
