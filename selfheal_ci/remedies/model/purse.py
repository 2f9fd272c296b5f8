"""The money for one healing: reserved before each call, settled after it, never more than the cap."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from selfheal_ci.remedies.model.prices import NANO, Price, Prices, Usage
from selfheal_ci.values import Cost


class OutOfMoneyError(Exception):
    """The next call could cost more than is left."""


@dataclass(frozen=True)
class Reservation:
    """Money set aside for one call."""

    number: int
    price: Price
    nanos: int


class Purse:
    """What may be spent and what is. Several threads may share one."""

    def __init__(self, cap_usd: float, prices: Prices) -> None:
        self._cap = int(cap_usd * NANO)
        self._prices = prices
        self._spent = 0
        self._open: dict[int, int] = {}
        self._count = 0
        self._lock = threading.Lock()

    @property
    def spent(self) -> float:
        """USD, kept reservations included."""
        return self._spent / NANO

    def reserve(self, model: str, input_tokens: int, max_output: int) -> Reservation:
        """Set aside the most that a call can cost. Raises OutOfMoneyError, UsageError for a model without a price."""
        price = self._prices.of(model)
        nanos = price.at_most(input_tokens, max_output)
        with self._lock:
            left = self._cap - self._spent - sum(self._open.values())
            if nanos > left:
                raise OutOfMoneyError(
                    f"asking {model} may cost ${nanos / NANO:.4f}, and ${max(left, 0) / NANO:.4f} of "
                    f"${self._cap / NANO:.4f} are left: raise --max-cost-usd"
                )
            self._count += 1
            self._open[self._count] = nanos
            return Reservation(self._count, price, nanos)

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
        return nanos
