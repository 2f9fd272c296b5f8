"""What earlier healings saw: which tests are flaky, which commits were green."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Table, delete, insert, select, update

from selfheal_ci.memory.sql.database import Database
from selfheal_ci.memory.sql.tables import digest, flaky, greens, today
from selfheal_ci.values import Flakiness, Healing, Kind, Remembered, Status, Step

KEPT = 1_000  # rows of each kind for a repository; the oldest go
AT_ONCE = 500  # ids in one question


@dataclass(frozen=True)
class Past:
    """The port Memory, for one repository. A ledger that breaks is told once, and knows nothing."""

    database: Database
    repository: str
    kept: int = KEPT

    def flaky(self, step: Step, ids: Collection[str]) -> Mapping[str, Flakiness]:
        """See Memory."""
        names = {_test(step, id_): id_ for id_ in sorted(ids)[:AT_ONCE]}
        question = select(flaky.c.test, flaky.c.times, flaky.c.since).where(
            flaky.c.repository == digest(self.repository), flaky.c.test.in_(names)
        )

        def ask(connection: Connection) -> Mapping[str, Flakiness]:
            return {names[row.test]: Flakiness(row.times, row.since) for row in connection.execute(question)}

        return self.database.spare(ask, {})

    def greens(self, step: Step) -> Sequence[Remembered]:
        """See Memory."""
        question = select(greens.c.commit, greens.c.whole).where(
            greens.c.repository == digest(self.repository), greens.c.step == _step(step)
        )

        def ask(connection: Connection) -> Sequence[Remembered]:
            return [Remembered(row.commit, row.whole) for row in connection.execute(question)]

        return self.database.spare(ask, ())

    def remember(self, healing: Healing) -> None:
        """See Memory."""
        unsteady, seen = _unsteady(healing), _seen_green(healing)
        if unsteady or seen:
            self.database.spare(lambda connection: self._write(connection, healing.step, unsteady, seen), None)

    def _write(self, connection: Connection, step: Step, unsteady: Sequence[str], seen: Sequence[Remembered]) -> None:
        repository = digest(self.repository)
        for id_ in unsteady[: self.kept]:
            _count(connection, repository, _test(step, id_))
        for green in seen:
            _note(connection, repository, _step(step), green)
        for table in (flaky, greens):
            _prune(connection, table, repository, self.kept)


def _unsteady(healing: Healing) -> Sequence[str]:
    """The tests that failed and passed here; not those of which only a report says so."""
    finding = healing.finding
    return [id_ for id_, kind in finding.kinds.items() if kind is Kind.FLAKY] if finding and finding.reproduced else []


def _seen_green(healing: Healing) -> Sequence[Remembered]:
    """The commit itself, where the step passed on just what is committed; the green revision, where it was confirmed."""
    source, finding = healing.source, healing.finding
    if healing.status is Status.HEALTHY and source.commit and not source.dirty:
        return [Remembered(source.commit, whole=True)]
    return [Remembered(finding.green_commit, whole=False)] if finding and finding.green_commit else []


def _count(connection: Connection, repository: str, test: str) -> None:
    """One more time that a test was flaky."""
    here = (flaky.c.repository == repository) & (flaky.c.test == test)
    now = time.time_ns()
    counted = connection.execute(update(flaky).where(here).values(times=flaky.c.times + 1, seen=now))
    if not counted.rowcount:
        row = {"repository": repository, "test": test, "times": 1, "since": today(), "seen": now}
        connection.execute(insert(flaky).values(row))


def _note(connection: Connection, repository: str, step: str, green: Remembered) -> None:
    """A green commit, once; what was seen of the whole step stays seen."""
    here = (greens.c.repository == repository) & (greens.c.step == step) & (greens.c.commit == green.commit)
    whole = connection.scalar(select(greens.c.whole).where(here))
    now = time.time_ns()
    if whole is None:
        row = {"repository": repository, "step": step, "commit": green.commit, "whole": green.whole, "seen": now}
        connection.execute(insert(greens).values(row))
    else:
        connection.execute(update(greens).where(here).values(whole=whole or green.whole, seen=now))


def _prune(connection: Connection, table: Table, repository: str, kept: int) -> None:
    """Let go of what was not seen for longest."""
    ours = table.c.repository == repository
    newest = select(table.c.seen).where(ours).order_by(table.c.seen.desc())
    if (oldest := connection.scalar(newest.offset(kept - 1).limit(1))) is not None:
        connection.execute(delete(table).where(ours, table.c.seen < oldest))


def _step(step: Step) -> str:
    return digest(step.name, step.run)


def _test(step: Step, id_: str) -> str:
    return digest(step.name, step.run, id_)
