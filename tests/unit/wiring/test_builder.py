"""What is built from the settings, and what is said where a part cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfheal_ci.config import Settings
from selfheal_ci.memory.sql import open_ledger, read_address
from selfheal_ci.redact import Redactor
from selfheal_ci.store import open_store
from selfheal_ci.values import Finding, Healing, Kind, Status
from selfheal_ci.wiring.builder import Builder
from tests.healings import SOURCE, STEP, TEST


def others_can_write(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [(Path.touch, "{}: File exists"), (others_can_write, "others can write into {}: no prepared state is safe")],
)
def test_a_cache_that_is_of_no_use_is_told_once_and_ends_nothing(tmp_path: Path, spoil: object, said: str) -> None:
    cache = tmp_path / "cache"
    spoil(cache)  # type: ignore[operator]
    (tmp_path / "project").mkdir()
    warned: list[str] = []

    builder = Builder(Settings(cache_dir=str(cache)), {}, Redactor({}), warn=warned.append)
    with open_store(tmp_path / "project", tmp_path / "store") as store:
        engine = builder.local(store, tmp_path, None)

    assert (engine.states, len(warned)) == (None, 1)
    assert warned[0].startswith(f"nothing is kept for the next healing: {said.format(cache)}")
    assert "name another folder with --cache-dir" in warned[0]


def test_the_judge_knows_what_the_ledger_has_seen_flaky(tmp_path: Path) -> None:
    address = read_address(f"sqlite:///{tmp_path}/ledger.db")
    ledger = open_ledger(address, "shop", cap=None, redact=str, warn=print)
    finding = Finding(Kind.FLAKY, "flaky", {TEST: Kind.FLAKY}, reproduced=3)
    ledger.past.remember(Healing(Status.FLAKY, STEP, SOURCE, finding=finding))

    gate = Builder(Settings(), {}, Redactor({}), ledger=ledger).gate()

    assert [before.times for before in gate.flaky(STEP, {TEST, "other"}).values()] == [1]
    assert not Builder(Settings(), {}, Redactor({})).gate().flaky(STEP, {TEST})
