"""What `--ledger` may say, and that no message repeats it: it may hold a password."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from selfheal_ci.errors import UsageError
from selfheal_ci.memory.sql import Account, open_database, read_address
from selfheal_ci.memory.sql.tables import today
from selfheal_ci.values import Reserved

SECRET = "hunter-22"


def test_a_relative_file_is_below_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    address = read_address("sqlite:///a b%20c.db")

    assert (address.file, address.name) == (tmp_path / "a b c.db", str(tmp_path / "a b c.db"))


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (f"postgresql://ada:{SECRET}@db.example.com/ledger", "on db.example.com"),
        (f"postgresql://ada:{SECRET}@db.example.com:5433/ledger?sslmode=require", "on db.example.com:5433"),
        (f"postgresql+psycopg:///ledger?host=/run/postgresql&password={SECRET}", "on this machine"),
        (f"postgresql://ada:{SECRET}%40%2F@[::1]/ledger", "on ::1"),
    ],
)
def test_a_server_is_called_by_its_host_alone(said: str, name: str) -> None:
    assert read_address(said).name == name
    assert read_address(said).url.drivername == "postgresql+psycopg"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("ledger.db", "the ledger's address cannot be read"),
        (f"postgresql://ada:{SECRET}@host:port/x", "the ledger's address cannot be read"),
        (f"mysql://ada:{SECRET}@host/x", "the ledger's address is neither of SQLite nor of PostgreSQL"),
        (f"postgres://ada:{SECRET}@host/x", "the ledger's address is neither of SQLite nor of PostgreSQL"),
        (f"postgresql://ada:un@{SECRET}@host/x", "the ledger's address has more than one @ in it"),
        ("sqlite://", "the ledger's address names no file"),
        ("sqlite:///", "the ledger's address names no file"),
        ("sqlite:///:memory:", "the ledger's address names no file"),
        ("sqlite:///file:a?mode=memory&uri=true", "the ledger's address names no file"),
        ("sqlite://host/a.db", "the ledger's address names no file"),
        ("sqlite:///a\0b", "the ledger's file has a NUL in its name"),
    ],
)
def test_refuses_what_is_no_address_without_repeating_it(said: str, told: str) -> None:
    with pytest.raises(UsageError) as no:
        read_address(said)

    assert str(no.value).startswith(f"{told}\n  ")
    assert SECRET not in str(no.value)
    assert no.value.__context__ is None or no.value.__suppress_context__


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"there is no folder {tmp_path}/none\n  make it first"):
        read_address(f"sqlite:///{tmp_path}/none/ledger.db")


def opened(file: Path, patience: float = 0.2) -> Account:
    return Account(open_database(read_address(f"sqlite:///{file}"), redact=str, warn=print, patience=patience), 100)


@pytest.mark.parametrize("data", [b"no database at all, but long enough to be read as one" * 100, b"[tool]\n"])
def test_a_file_that_is_no_database_is_refused_and_stays_as_it_was(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_bytes(data)

    with pytest.raises(UsageError, match=r"does not answer: file is not a database\n  see to the file"):
        opened(tmp_path / "file")

    assert (tmp_path / "file").read_bytes() == data


def test_a_folder_is_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unable to open database file\n  see to the file"):
        opened(tmp_path)


def test_a_ledger_that_stays_locked_is_refused_after_a_while(tmp_path: Path) -> None:
    opened(tmp_path / "ledger.db")
    holder = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")

    with pytest.raises(UsageError, match=r"database is locked\n  see to the file, its folder and who keeps it locked"):
        opened(tmp_path / "ledger.db")

    holder.execute("ROLLBACK")
    assert opened(tmp_path / "ledger.db").reserve(1) == Reserved(today(), 1)


def test_tables_of_others_in_the_same_file_are_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "theirs.db") as theirs:
        theirs.execute("CREATE TABLE days (day TEXT)")
        theirs.execute("INSERT INTO days VALUES ('Monday')")

    opened(tmp_path / "theirs.db").reserve(1)

    assert theirs.execute("SELECT * FROM days").fetchall() == [("Monday",)]
