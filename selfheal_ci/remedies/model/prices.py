"""What models cost, in one dated table."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from selfheal_ci.errors import UsageError

NANO = 1_000_000_000  # parts of a dollar that we count in: whole numbers add up exactly


@dataclass(frozen=True)
class Usage:
    """Tokens that a call took."""

    input: int = 0
    output: int = 0
    cache_written: int = 0
    cache_read: int = 0


UNUSED = Usage()


@dataclass(frozen=True)
class Price:
    """USD per million tokens."""

    input: float
    output: float
    cache_read: float
    cache_written: float

    def of(self, usage: Usage) -> int:
        """What a call cost, in nano-dollars, rounded up."""
        micro = (
            usage.input * self.input
            + usage.output * self.output
            + usage.cache_read * self.cache_read
            + usage.cache_written * self.cache_written
        )
        return math.ceil(micro * 1000)

    def at_most(self, input_tokens: int, output_tokens: int) -> int:
        """What a call can cost, whatever of its input is read from the cache or written to it."""
        dearest = max(self.input, self.cache_read, self.cache_written)
        return math.ceil((input_tokens * dearest + output_tokens * self.output) * 1000)


CACHE_WRITE = 1.25  # times the price of input, for a cache of five minutes


def _price(input_: float, output: float, cache_read: float | None = None, cache_written: float | None = None) -> Price:
    return Price(
        input_,
        output,
        input_ if cache_read is None else cache_read,
        input_ * CACHE_WRITE if cache_written is None else cache_written,
    )


AS_OF = "2026-11-24"  # from the table in litellm 1.109.1
TABLE: Mapping[str, Price] = MappingProxyType(
    {
        "claude-haiku-5-5": _price(0.10, 0.50, 0.01),
        "claude-sonnet-5-5": _price(2, 10, 0.10),
        "claude-opus-5-5": _price(4, 20, 0.20),
        "claude-fable-5-1": _price(10, 50, 0.25),
        "claude-opus-4-8": _price(5, 25, 0.50),
        "claude-haiku-4-5": _price(1, 5, 0.10),
    }
)
_DATED = re.compile(r"-\d{8}$")


@dataclass(frozen=True)
class Prices:
    """The table, and what the configuration says over it."""

    own: Mapping[str, Price] = field(default_factory=dict)

    def of(self, model: str) -> Price:
        """Raises UsageError for a model whose price nobody told us."""
        for name in (model, _DATED.sub("", model)):
            if price := self.own.get(name) or TABLE.get(name):
                return price
        raise UsageError(
            f"the price of the model {model!r} is not known",
            hint=f'say it in USD per million tokens, input and output: model.prices = {{ "{model}" = [2, 10] }}',
        )


def prices(configured: Mapping[str, Sequence[float]] | None = None) -> Prices:
    """The prices by `model.prices`: for each model input, output and, if it has a cache, cache read and cache write."""
    return Prices({name: read_price(numbers, f"model.prices of {name!r}") for name, numbers in (configured or {}).items()})


def read_price(numbers: object, where: str) -> Price:
    """A price from two to four numbers. Raises UsageError that says where they came from."""
    if not isinstance(numbers, list | tuple) or len(numbers) not in {2, 3, 4} or not all(map(_is_price, numbers)):
        raise UsageError(
            f"{where} is {numbers!r}",
            hint="it wants USD per million tokens: [input, output], then maybe cache read and cache write",
        )
    return _price(*numbers)


def _is_price(number: object) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number) and number >= 0
