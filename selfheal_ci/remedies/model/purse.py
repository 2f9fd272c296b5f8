"""The money for one healing: reserved before each call, settled after it, never more than its cap and the day's."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from selfheal_ci.errors import LedgerError
from selfheal_ci.ports import Day
from selfheal_ci.remedies.model.prices import NANO, Price, Prices, Usage
from selfheal_ci.values import Cost, Lack, Reserved, Short


class NotReservedError(Exception):
    """No money was set aside: the call may not be made."""

    lack = Lack.MONEY


class OutOfMoneyError(NotReservedError):
    """The next call could cost more than is left."""


class NobodyCountsError(NotReservedError):
    """What is left of the day is not known."""

    lack = Lack.SERVICE


@dataclass(frozen=True)
class Reservation:
    """Money set aside for one call."""

    number: int
    price: Price
    nanos: int
    of_day: Reserved | None = None


class Purse:
    """What may be spent and what is. Several threads may share one."""

    def __init__(self, cap_usd: float, prices: Prices, day: Day | None = None) -> None:
        self._cap = int(cap_usd * NANO)
        self._prices = prices
        self._day = day
        self._spent = 0
        self._open: dict[int, int] = {}
        self._count = 0
        self._lock = threading.Lock()

    @property
    def spent(self) -> float:
        """USD, kept reservations included."""
        return self._spent / NANO

    def reserve(self, model: str, input_tokens: int, max_output: int) -> Reservation:
        """Set aside the most that a call can cost. Raises NotReservedError, UsageError for a model without a price."""
        price = self._prices.of(model)
        nanos = price.at_most(input_tokens, max_output)
        with self._lock:
            left = self._cap - self._spent - sum(self._open.values())
            if nanos > left:
                raise OutOfMoneyError(f"{_asking(model, nanos, left, self._cap)}: raise --max-cost-usd")
            of_day = _of_day(self._day, model, nanos) if self._day else None
            self._count += 1
            self._open[self._count] = nanos
            return Reservation(self._count, price, nanos, of_day)

    def settle(self, reservation: Reservation, usage: Usage) -> Cost:
        """The call was answered: pay what it took."""
        nanos = self._close(reservation, reservation.price.of(usage))
        fresh = usage.input + usage.cache_written
        return Cost(1, fresh, usage.output, usage.cache_read, nanos / NANO)

    def keep(self, reservation: Reservation) -> Cost:
        """Nobody said what the call took, and it may have been billed: pay all that was set aside."""
        return Cost(calls=1, usd=self._close(reservation, reservation.nanos) / NANO)

    def release(self, reservation: Reservation) -> None:
        """The call was not billed."""
        self._close(reservation, 0)

    def _close(self, reservation: Reservation, nanos: int) -> int:
        with self._lock:
            del self._open[reservation.number]
            self._spent += nanos
        if self._day and reservation.of_day:
            self._day.settle(reservation.of_day, nanos)
        return nanos


def _of_day(day: Day, model: str, nanos: int) -> Reserved:
    """The same money, of the day's."""
    try:
        found = day.reserve(nanos)
    except LedgerError as broken:
        told = f"no model was asked, because nobody can tell what is left of model.max-cost-usd-per-day: {broken.message}"
        raise NobodyCountsError(told) from broken
    match found:
        case Reserved():
            return found
        case Short(left, cap):
            raise OutOfMoneyError(
                f"{_asking(model, nanos, left, cap)} today (UTC): wait, or raise model.max-cost-usd-per-day"
            )


def _asking(model: str, nanos: int, left: int, cap: int) -> str:
    return f"asking {model} may cost ${nanos / NANO:.4f}, and ${max(left, 0) / NANO:.4f} of ${cap / NANO:.4f} are left"
