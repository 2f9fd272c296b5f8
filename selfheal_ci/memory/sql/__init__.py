"""The ledger: one SQLite file, or a PostgreSQL for many machines. SQLAlchemy is imported with it, and only then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from selfheal_ci.memory.sql.account import Account
from selfheal_ci.memory.sql.address import Address, read_address
from selfheal_ci.memory.sql.database import open_database
from selfheal_ci.memory.sql.past import Past

__all__ = ["Account", "Address", "Ledger", "Past", "open_database", "open_ledger", "read_address"]


@dataclass(frozen=True)
class Ledger:
    """An open ledger, as its two ports."""

    day: Account
    past: Past


def open_ledger(
    address: Address,
    repository: str,
    *,
    cap: int | None,
    redact: Callable[[str], str],
    warn: Callable[[str], None],
) -> Ledger:
    """The ledger at an address, for one repository; a day costs `cap` nano-dollars at most. Raises UsageError."""
    database = open_database(address, redact=redact, warn=warn)
    return Ledger(Account(database, cap), Past(database, repository))
