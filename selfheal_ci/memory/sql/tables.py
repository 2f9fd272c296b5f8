"""The ledger's tables. What others wrote (names of tests, branches, addresses) is kept as digests alone: any bytes fit."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime

from sqlalchemy import BigInteger, Boolean, Column, Date, Integer, MetaData, String, Table

VERSION = 1  # of these tables; one more with each change of them
DIGEST = String(64)
COMMIT = String(64)

metadata = MetaData()
about = Table("selfheal_ledger", metadata, Column("version", Integer, primary_key=True, autoincrement=False))
days = Table(
    "selfheal_days",
    metadata,
    Column("day", Date, primary_key=True),  # UTC
    Column("nanos", BigInteger, nullable=False),  # spent, with all that is set aside
)
flaky = Table(
    "selfheal_flaky",
    metadata,
    Column("repository", DIGEST, primary_key=True),
    Column("test", DIGEST, primary_key=True),  # with its step
    Column("times", Integer, nullable=False),
    Column("since", Date, nullable=False),
    Column("seen", BigInteger, nullable=False),  # nanoseconds since 1970
)
greens = Table(
    "selfheal_greens",
    metadata,
    Column("repository", DIGEST, primary_key=True),
    Column("step", DIGEST, primary_key=True),
    Column("commit", COMMIT, primary_key=True),
    Column("whole", Boolean, nullable=False),
    Column("seen", BigInteger, nullable=False),
)


def today() -> date:
    """The day by which a ledger counts."""
    return datetime.now(UTC).date()


def digest(*texts: str) -> str:
    """The same for the same texts, whatever is in them."""
    total = hashlib.sha256()
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        total.update(len(data).to_bytes(8, "big") + data)
    return total.hexdigest()
