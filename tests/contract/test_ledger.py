"""What every ledger does, whatever database is behind it. PostgreSQL is tried where a server is to be had."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import insert, text

from selfheal_ci.errors import LedgerError, UsageError
from selfheal_ci.memory.sql import Account, Past, open_database, read_address
from selfheal_ci.memory.sql.database import Database
from selfheal_ci.memory.sql.tables import about, flaky, greens, metadata, today
from selfheal_ci.values import Failure, Finding, Flakiness, Healing, Kind, Remembered, Reserved, Short, Status, Step
from tests.fakes import a_step
from tests.healings import SOURCE
from tests.postgres import PASSWORD, PostgresServer, postgres, programs

ROOT = Path(__file__).parents[2]
ASKED_FOR = os.environ.get("SELFHEAL_TEST_POSTGRES")  # `make test-tools`: missing is a failure then
DAY, NEXT = date(2026, 11, 25), date(2026, 11, 26)
STEP = a_step()
COMMITS = [f"{number:040x}" for number in range(20)]
HOSTILE = [
    "",
    "\0",
    "a\0b",
    "\ud800",
    "\udcff",
    "x" * 10_000,
    "é" * 10_000,
    "'; DROP TABLE selfheal_flaky; --",
    "%s :x ?",
    "🤖",
]


@dataclass
class Place:
    """Where a ledger is, and how it is opened."""

    url: str
    warned: list[str]

    def open(self) -> Database:
        return open_database(read_address(self.url), redact=str, warn=self.warned.append)


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    found = programs()
    if found is None:
        assert not ASKED_FOR, "there is no PostgreSQL server"
        pytest.skip("there is no PostgreSQL server here; `make test-tools` brings one")
    with postgres(found) as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return Place(f"sqlite:///{tmp_path}/ledger.db", [])
    url = request.getfixturevalue("server").url()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return Place(url, [])


def account(place: Place, cap: int | None, day: date = DAY) -> Account:
    return Account(place.open(), cap, lambda: day)


def a_flaky(*ids: str, step: Step = STEP) -> Healing:
    finding = Finding(Kind.FLAKY, "flaky", dict.fromkeys(ids, Kind.FLAKY), reproduced=3)
    return Healing(Status.FLAKY, step, SOURCE, finding=finding)


def a_healthy(commit: str | None, *, dirty: bool = False, step: Step = STEP) -> Healing:
    return Healing(Status.HEALTHY, step, replace(SOURCE, commit=commit, dirty=dirty))


# Money


def test_money_is_reserved_and_settled_by_day(place: Place) -> None:
    first = account(place, 100)

    assert first.reserve(60) == Reserved(DAY, 60)
    assert account(place, 100).reserve(41) == Short(40, 100)
    first.settle(Reserved(DAY, 60), 25)
    assert account(place, 100).reserve(75) == Reserved(DAY, 75)
    assert account(place, 100, NEXT).reserve(100) == Reserved(NEXT, 100)
    assert (first.spent(DAY), first.spent(NEXT)) == (100, 100)


def test_what_was_not_billed_can_be_spent_again(place: Place) -> None:
    held = account(place, 100).reserve(100)
    assert isinstance(held, Reserved)

    account(place, 100).settle(held, 0)

    assert account(place, 100).spent(DAY) == 0


def test_what_is_settled_after_midnight_counts_for_the_day_it_was_reserved_on(place: Place) -> None:
    held = account(place, 100).reserve(100)
    assert isinstance(held, Reserved)

    account(place, 100, NEXT).settle(held, 30)

    assert (account(place, 100).spent(DAY), account(place, 100).spent(NEXT)) == (30, 0)


def test_a_cap_of_nothing_lets_nothing_be_spent_and_no_cap_counts_alone(place: Place) -> None:
    assert account(place, 0).reserve(1) == Short(0, 0)
    assert account(place, 0).reserve(0) == Reserved(DAY, 0)
    assert account(place, None).reserve(1 << 40) == Reserved(DAY, 1 << 40)
    assert account(place, 10**40).spent(DAY) == 1 << 40
    assert account(place, 10**40).reserve(10**30) == Short((1 << 62) - (1 << 40), 1 << 62)


def spender(place: Place, *words: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.ledger_spender", place.url, *map(str, words)]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_the_cap_holds_exactly_whoever_spends_at_the_same_time(place: Place) -> None:
    # 4 × 60 want 7 each, 10 are left when all have spent; while one is open, half of it is given back later.
    spenders = [spender(place, 10**9, 60, 7) for _ in range(4)]
    told = [process.communicate(timeout=120) for process in spenders]

    assert [errors for _, errors in told] == [""] * 4
    reserved = sum(int(output) for output, _ in told)
    assert reserved == 4 * 60
    assert account(place, 10**9).spent(today()) == reserved * 3


def test_at_the_cap_no_one_gets_more_whoever_asks_at_the_same_time(place: Place) -> None:
    spenders = [spender(place, 300, 60, 7) for _ in range(4)]
    told = [process.communicate(timeout=120) for process in spenders]

    assert [errors for _, errors in told] == [""] * 4
    spent = account(place, 300).spent(today())
    assert spent == 3 * sum(int(output) for output, _ in told)
    assert 300 - 7 < spent <= 300  # so little is left that nobody could reserve once more


def test_threads_share_one_account(place: Place) -> None:
    one = account(place, 50)
    with ThreadPoolExecutor(4) as pool:
        held = list(pool.map(lambda _: one.reserve(3), range(30)))

    assert sum(isinstance(each, Reserved) for each in held) == 16
    assert one.spent(DAY) == 48


def test_what_a_killed_process_had_set_aside_stays_spent(place: Place) -> None:
    process = spender(place, 100, 1, 60, "HANG")
    assert process.stdout is not None
    assert process.stdout.readline() == "reserved\n"

    process.send_signal(signal.SIGKILL)
    process.communicate()

    assert account(place, 100).spent(today()) == 60
    assert Account(place.open(), 100).reserve(41) == Short(40, 100)


def test_many_may_make_the_ledger_at_once(place: Place) -> None:
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(lambda _: place.open(), range(8)))

    assert Account(opened[0], 1).spent(DAY) == 0


# Flaky tests


def test_a_test_that_was_seen_flaky_is_known_with_how_often_and_since_when(place: Place) -> None:
    for healing in (a_flaky("t::a", "t::b"), a_flaky("t::a")):
        Past(place.open(), "shop").remember(healing)

    past = Past(place.open(), "shop")
    assert past.flaky(STEP, ["t::a", "t::b", "t::c"]) == {"t::a": Flakiness(2, today()), "t::b": Flakiness(1, today())}
    assert past.flaky(a_step("lint"), ["t::a"]) == {}
    assert past.flaky(STEP, []) == {}
    assert Past(place.open(), "other").flaky(STEP, ["t::a"]) == {}


def test_what_only_a_report_says_is_not_remembered(place: Place) -> None:
    reported = replace(a_flaky("t::a"), finding=Finding(Kind.FLAKY, "a report says so", {"t::a": Kind.FLAKY}))
    Past(place.open(), "shop").remember(reported)

    assert Past(place.open(), "shop").flaky(STEP, ["t::a"]) == {}


def test_only_the_flaky_ones_of_several_failures_are_remembered(place: Place) -> None:
    finding = Finding(Kind.REGRESSION, "broke", {"t::a": Kind.FLAKY, "t::b": Kind.REGRESSION}, reproduced=9)
    Past(place.open(), "shop").remember(Healing(Status.HEALED, STEP, SOURCE, finding=finding))

    assert list(Past(place.open(), "shop").flaky(STEP, ["t::a", "t::b"])) == ["t::a"]


def test_names_of_any_characters_are_kept_apart(place: Place) -> None:
    Past(place.open(), "\0\ud800").remember(a_flaky(*HOSTILE, step=a_step("tests", "\0\ud800")))

    past = Past(place.open(), "\0\ud800")
    assert set(past.flaky(a_step("tests", "\0\ud800"), [*HOSTILE, "x" * 9_999, "a", "b"])) == set(HOSTILE)
    assert place.warned == []


def test_a_thousand_ids_can_be_asked_for(place: Place) -> None:
    assert Past(place.open(), "shop").flaky(STEP, [f"t::{number}" for number in range(40_000)]) == {}
    assert place.warned == []


# Green revisions


def test_a_commit_on_which_the_step_passed_is_green(place: Place) -> None:
    past = Past(place.open(), "shop")
    for healing in (
        a_healthy(COMMITS[1]),
        a_healthy(COMMITS[2], dirty=True),
        a_healthy(None),
        a_healthy(COMMITS[3], step=a_step("lint")),
    ):
        past.remember(healing)

    assert past.greens(STEP) == [Remembered(COMMITS[1], whole=True)]
    assert Past(place.open(), "other").greens(STEP) == []
    assert past.greens(replace(STEP, run="pytest -x")) == []


def test_a_confirmed_green_revision_is_remembered_for_what_it_is(place: Place) -> None:
    past = Past(place.open(), "shop")
    finding = Finding(Kind.REGRESSION, "broke", {"t::a": Kind.REGRESSION}, reproduced=9, green_commit=COMMITS[1])
    broken = Healing(Status.NOT_HEALED, STEP, SOURCE, failures=(Failure("t::a", "1:x", "m"),), finding=finding)

    past.remember(broken)
    assert past.greens(STEP) == [Remembered(COMMITS[1], whole=False)]
    past.remember(a_healthy(COMMITS[1]))
    past.remember(broken)
    assert past.greens(STEP) == [Remembered(COMMITS[1], whole=True)]


def test_each_repository_keeps_so_many_rows_and_the_oldest_go(place: Place) -> None:
    past, neighbour = Past(place.open(), "shop", kept=3), Past(place.open(), "other", kept=3)
    neighbour.remember(a_healthy(COMMITS[0]))
    for commit in COMMITS[1:6]:
        past.remember(a_healthy(commit))
        past.remember(a_flaky(f"t::{commit}"))

    assert {green.commit for green in past.greens(STEP)} == set(COMMITS[3:6])
    assert set(past.flaky(STEP, [f"t::{commit}" for commit in COMMITS])) == {f"t::{commit}" for commit in COMMITS[3:6]}
    assert len(neighbour.greens(STEP)) == 1
    with place.open().transaction() as connection:
        counts = [connection.scalar(text(f"SELECT count(*) FROM {table.name}")) for table in (flaky, greens)]
    assert counts == [3, 4]


def test_one_healing_with_more_flaky_tests_than_are_kept_does_not_let_the_ledger_grow(place: Place) -> None:
    past = Past(place.open(), "shop", kept=3)
    past.remember(a_flaky(*(f"t::{number}" for number in range(50))))

    assert len(past.flaky(STEP, [f"t::{number}" for number in range(50)])) == 3


# What breaks


def test_a_ledger_of_a_newer_version_is_not_touched(place: Place) -> None:
    with place.open().transaction() as connection:
        connection.execute(about.delete())
        connection.execute(insert(about).values(version=2))

    with pytest.raises(UsageError, match=r"made by another version of selfheal \(2; here 1\)\n  pip install --upgrade"):
        place.open()


def gone_in_the_middle(place: Place) -> Database:
    """An open ledger whose tables somebody has dropped since."""
    database = place.open()
    with place.open().transaction() as connection:
        metadata.drop_all(connection)
    return database


def test_what_breaks_later_is_told_once_and_knows_nothing(place: Place) -> None:
    database = gone_in_the_middle(place)
    past, counting = Past(database, "shop"), Account(database, None, lambda: DAY)

    past.remember(a_healthy(COMMITS[1]))
    assert (past.flaky(STEP, ["t::a"]), past.greens(STEP)) == ({}, ())
    assert counting.reserve(5) == Reserved(DAY, 5)
    counting.settle(Reserved(DAY, 5), 3)

    [told] = place.warned
    assert told.startswith("the ledger ")
    assert told.endswith("; the healing goes on without it")


@pytest.fixture
def mortal(server: PostgresServer) -> Iterator[PostgresServer]:
    """A server that may be stopped: it runs again for the next test."""
    yield server
    if not server.running:
        server.start()


def test_a_server_that_goes_in_the_middle_lets_no_capped_money_be_spent(mortal: PostgresServer) -> None:
    place = Place(mortal.url(), [])
    database = place.open()
    capped, past = Account(database, 100), Past(database, "shop")
    mortal.stop()

    with pytest.raises(LedgerError, match=r"the ledger on 127\.0\.0\.1:\d+ does not answer: connection failed"):
        capped.reserve(1)
    past.remember(a_healthy(COMMITS[1]))
    assert len(place.warned) == 1
    mortal.start()
    past.remember(a_healthy(COMMITS[2]))
    assert Remembered(COMMITS[2], whole=True) in past.greens(STEP)


def test_a_server_that_is_down_or_refuses_the_password_says_what_to_see_to(mortal: PostgresServer) -> None:
    with pytest.raises(UsageError) as refused:
        Place(mortal.url(password="wr0ng-password"), []).open()
    mortal.stop()
    with pytest.raises(UsageError) as down:
        Place(mortal.url(), []).open()

    assert "password authentication failed" in str(refused.value)
    assert "refused" in str(down.value)
    for told in (str(refused.value), str(down.value)):
        assert "see that the server runs, and to user, password and database in --ledger" in told
        assert PASSWORD not in told
        assert "wr0ng-password" not in told


def test_a_lock_that_somebody_keeps_is_not_waited_for_without_end(place: Place) -> None:
    place.open()
    waiting = open_database(read_address(place.url), redact=str, warn=place.warned.append, patience=0.3)
    with place.open().transaction(), pytest.raises(LedgerError, match=r"database is locked|lock timeout"):
        Account(waiting, 100).reserve(1)

    assert Account(waiting, 100).reserve(1) == Reserved(today(), 1)
