"""Where a ledger is, read from what `--ledger` says. No message here repeats the address: it may hold a password."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from selfheal_ci.errors import UsageError

SQLITE, POSTGRESQL = "sqlite", "postgresql"
FORMS = "write sqlite:///FILE, or postgresql://USER:PASSWORD@HOST/DATABASE, in a password %40 for @ and %2F for /"


@dataclass(frozen=True)
class Address:
    """A database, and what people call it."""

    url: URL
    name: str
    file: Path | None = None  # of SQLite


def read_address(said: str) -> Address:
    """The address of a ledger; a relative file is below the current folder. Raises UsageError."""
    try:
        url = make_url(said)
    except (ArgumentError, ValueError):
        raise UsageError("the ledger's address cannot be read", hint=FORMS) from None
    match url.drivername:
        case "sqlite":
            return _file(url)
        case "postgresql" | "postgresql+psycopg":
            return _server(url)
        case _:
            raise UsageError("the ledger's address is neither of SQLite nor of PostgreSQL", hint=FORMS)


def _file(url: URL) -> Address:
    if not url.database or url.database == ":memory:" or url.query or url.host:
        raise UsageError("the ledger's address names no file", hint="write sqlite:///FILE, or sqlite:////… from the root")
    if "\0" in url.database:
        raise UsageError("the ledger's file has a NUL in its name", hint="name another with --ledger")
    file = Path(url.database).absolute()
    if not file.parent.is_dir():
        raise UsageError(f"the ledger {file} cannot be made: there is no folder {file.parent}", hint="make it first")
    return Address(URL.create("sqlite+pysqlite", database=str(file)), str(file), file)


def _server(url: URL) -> Address:
    if "@" in (url.host or "") or "/" in (url.host or ""):
        raise UsageError("the ledger's address has more than one @ in it", hint=FORMS)
    where = f"{url.host or 'this machine'}:{url.port}" if url.port else url.host or "this machine"
    return Address(url.set(drivername="postgresql+psycopg"), f"on {where}")
