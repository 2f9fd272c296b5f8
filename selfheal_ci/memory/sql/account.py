"""What the model cost per day, in nano-dollars, all healings of a ledger together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial

from sqlalchemy import Connection, insert, select, update

from selfheal_ci.memory.sql.database import Database
from selfheal_ci.memory.sql.tables import days, today
from selfheal_ci.values import Reserved, Short

MOST = 1 << 62  # that a column holds, with some to spare


@dataclass(frozen=True)
class Account:
    """The port Day. What was set aside and never settled stays spent."""

    database: Database
    cap: int | None  # None: the days are counted and have no end
    today: Callable[[], date] = today

    def reserve(self, nanos: int) -> Reserved | Short:
        """See Day. Without a cap a broken ledger ends nothing: then there is nothing to hold to."""
        wanted = Reserved(self.today(), min(nanos, MOST))
        if self.cap is None:
            counted: Reserved | Short = wanted
            return self.database.spare(partial(_take, wanted=wanted, cap=MOST), counted)
        with self.database.transaction() as connection:
            return _take(connection, wanted, min(self.cap, MOST))

    def settle(self, reserved: Reserved, nanos: int) -> None:
        """See Day."""
        if nanos != reserved.nanos:
            self.database.spare(partial(_correct, day=reserved.day, nanos=min(nanos, MOST) - reserved.nanos), None)

    def spent(self, day: date) -> int:
        """What a day has cost so far, with all that is set aside. Raises LedgerError."""
        with self.database.transaction() as connection:
            return _spent(connection, day) or 0


def _take(connection: Connection, wanted: Reserved, cap: int) -> Reserved | Short:
    spent = _spent(connection, wanted.day)
    if (spent or 0) + wanted.nanos > cap:
        return Short(max(cap - (spent or 0), 0), cap)
    if spent is None:
        connection.execute(insert(days).values(day=wanted.day, nanos=wanted.nanos))
    else:
        _correct(connection, wanted.day, wanted.nanos)
    return wanted


def _correct(connection: Connection, day: date, nanos: int) -> None:
    connection.execute(update(days).where(days.c.day == day).values(nanos=days.c.nanos + nanos))


def _spent(connection: Connection, day: date) -> int | None:
    return connection.scalar(select(days.c.nanos).where(days.c.day == day))
