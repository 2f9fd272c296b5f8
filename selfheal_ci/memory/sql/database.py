"""One database, opened: transactions that come one after the other, whoever else is at work in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, insert, select
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from selfheal_ci.errors import LedgerError, UsageError
from selfheal_ci.memory.sql.address import POSTGRESQL, SQLITE, Address
from selfheal_ci.memory.sql.tables import VERSION, about, metadata
from selfheal_ci.words import one_line

Answer = TypeVar("Answer")

PATIENCE = 30.0  # seconds that a transaction waits for those of others
CONNECTING = 10  # seconds
LOCK = 0x5E1F_4EA1  # PostgreSQL's advisory lock on the ledger
HINTS = {
    SQLITE: "see to the file, its folder and who keeps it locked, or name another with --ledger (SELFHEAL_LEDGER)",
    POSTGRESQL: "see that the server runs, and to user, password and database in --ledger (SELFHEAL_LEDGER)",
}


@dataclass
class Database:
    """A database that may break at any time."""

    engine: Engine
    name: str
    redact: Callable[[str], str]
    warn: Callable[[str], None]
    warned: list[str] = field(default_factory=list)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """All of it or nothing, and no other at the same time. Raises LedgerError when the database breaks."""
        try:
            with self.engine.begin() as connection:
                yield connection
        except SQLAlchemyError as broken:
            said = broken.orig if isinstance(broken, DBAPIError) else broken
            raise LedgerError(f"the ledger {self.name} does not answer: {one_line(self.redact(str(said)))}") from broken

    def spare(self, act: Callable[[Connection], Answer], otherwise: Answer) -> Answer:
        """What a transaction gives that the healing can do without; the first time that it breaks is told."""
        try:
            with self.transaction() as connection:
                return act(connection)
        except LedgerError as broken:
            if not self.warned:
                self.warned.append(broken.message)
                self.warn(f"{broken.message}; the healing goes on without it")
            return otherwise


def open_database(
    address: Address, *, redact: Callable[[str], str], warn: Callable[[str], None], patience: float = PATIENCE
) -> Database:
    """The database with its tables, made where they are missing. Raises UsageError that says what to do."""
    kind = SQLITE if address.file else POSTGRESQL
    database = Database(_engine(address, patience), address.name, redact, warn)
    try:
        with database.transaction() as connection:
            _prepare(connection, address.name)
    except LedgerError as closed:
        raise UsageError(closed.message, hint=HINTS[kind]) from closed
    return database


def _engine(address: Address, patience: float) -> Engine:
    """Each transaction has a connection of its own: one that was lost in the meantime breaks nothing."""
    if address.file:
        engine = create_engine(address.url, poolclass=NullPool, connect_args={"timeout": patience})
        event.listen(engine, "connect", _leave_transactions_to_us)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        return engine
    lost = {"connect_timeout": CONNECTING, "tcp_user_timeout": int(patience * 1000)}
    engine = create_engine(address.url, poolclass=NullPool, connect_args=lost)
    event.listen(engine, "begin", lambda connection: _take_turns(connection, int(patience * 1000)))
    return engine


def _leave_transactions_to_us(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # The driver's own BEGIN comes late and is no IMMEDIATE: two that read and then write would break each other.
    # https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#serializable-isolation-savepoints-transactional-ddl
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA trusted_schema=OFF")  # the file may come from others
    cursor.close()


def _take_turns(connection: Connection, milliseconds: int) -> None:
    for setting, patience in (("lock", 1), ("statement", 2), ("idle_in_transaction_session", 2)):
        connection.exec_driver_sql(f"SET LOCAL {setting}_timeout = {patience * milliseconds}")
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")


def _prepare(connection: Connection, name: str) -> None:
    metadata.create_all(connection)
    version = connection.scalar(select(about.c.version))
    if version is None:
        connection.execute(insert(about).values(version=VERSION))
    elif version != VERSION:
        hint = "pip install --upgrade 'selfheal-ci[ledger]', or name another ledger with --ledger"
        raise UsageError(f"the ledger {name} was made by another version of selfheal ({version}; here {VERSION})", hint=hint)
