"""The ledger that was asked for, and the green revision that it knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from selfheal_ci.config import Settings
from selfheal_ci.errors import UsageError
from selfheal_ci.ports import Memory
from selfheal_ci.redact import Redactor
from selfheal_ci.remedies.model.prices import NANO
from selfheal_ci.store import Store
from selfheal_ci.values import Attested, Base, Source, Step

if TYPE_CHECKING:
    from selfheal_ci.memory.sql import Ledger


def ledger_of(settings: Settings, store: Store, redactor: Redactor, warn: Callable[[str], None]) -> Ledger | None:
    """The open ledger, None where none was asked for. Raises UsageError where it cannot be had."""
    cap = settings.max_cost_usd_per_day
    if not settings.ledger:
        if cap is not None:
            hint = 'name one: ledger = "sqlite:////path/to/ledger.db", or --ledger (SELFHEAL_LEDGER)'
            raise UsageError("`model.max-cost-usd-per-day` is set and `ledger` is not: nobody counts the day", hint=hint)
        return None
    try:
        from selfheal_ci.memory.sql import open_ledger, read_address

        address = read_address(settings.ledger)
        if address.file and store.tracks(address.file):
            raise UsageError(f"the ledger {address.name} is a file of the repository", hint="name another with --ledger")
        nanos = None if cap is None else int(cap * NANO)
        repository = store.checkout.repository
        return open_ledger(address, repository, cap=nanos, redact=redactor.text, warn=warn)
    except ImportError as missing:
        raise UsageError(f"a ledger needs {missing.name}", hint="pip install 'selfheal-ci[ledger]'") from missing


def based(source: Source, step: Step, memory: Memory, store: Store) -> Source:
    """The source on the newest commit that is remembered as green for the step, unless somebody named the base.

    Where not the whole step was seen there it is a guess, and uncommitted changes have a nearer one.
    """
    if source.base and source.base.attested_by is Attested.OPTION:
        return source
    greens = {green.commit: green for green in memory.greens(step) if green.whole or not source.dirty}
    newest = store.newest(greens)
    if newest is None:
        return source
    return replace(source, base=Base(newest, Attested.LEDGER if greens[newest].whole else Attested.GUESS))
