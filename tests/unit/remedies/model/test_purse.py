from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from random import Random

import pytest

from selfheal_ci.errors import LedgerError, UsageError
from selfheal_ci.memory.sql import Account, open_database, read_address
from selfheal_ci.remedies.model.prices import AS_OF, TABLE, Usage, prices
from selfheal_ci.remedies.model.purse import NobodyCountsError, OutOfMoneyError, Purse
from selfheal_ci.values import Cost, Lack, Reserved, Short

SONNET = "claude-sonnet-5-5"


def test_reserves_the_most_a_call_can_cost_and_settles_what_it_did() -> None:
    purse = Purse(1.0, prices())
    reservation = purse.reserve(SONNET, 10_000, 8_000)

    assert reservation.nanos == (10_000 * 2.5 + 8_000 * 10) * 1000
    assert purse.settle(reservation, Usage(1_000, 100, 2_000, 3_000)) == Cost(1, 3_000, 100, 3_000, 0.0083)
    assert purse.spent == 0.0083


def test_refuses_what_could_pass_the_cap() -> None:
    purse = Purse(0.1, prices())
    purse.reserve(SONNET, 0, 9_000)

    with pytest.raises(OutOfMoneyError) as no:
        purse.reserve(SONNET, 0, 1_001)

    assert str(no.value) == (
        "asking claude-sonnet-5-5 may cost $0.0100, and $0.0100 of $0.1000 are left: raise --max-cost-usd"
    )
    purse.reserve(SONNET, 0, 1_000)


def test_tells_small_sums_with_as_many_digits() -> None:
    with pytest.raises(OutOfMoneyError, match=r"and \$0\.0010 of \$0\.0010 are left"):
        Purse(0.001, prices()).reserve(SONNET, 0, 1_000)


def test_what_was_released_can_be_spent_and_what_was_kept_cannot() -> None:
    purse = Purse(0.1, prices())
    purse.release(purse.reserve(SONNET, 0, 10_000))
    kept = purse.keep(purse.reserve(SONNET, 0, 10_000))

    assert kept == Cost(calls=1, usd=0.1)
    with pytest.raises(OutOfMoneyError):
        purse.reserve(SONNET, 0, 1)


def test_many_threads_never_spend_more_than_the_cap() -> None:
    purse = Purse(0.5, prices())
    start = threading.Barrier(8)

    def spend(seed: int) -> float:
        chance, paid = Random(seed), 0.0
        start.wait()
        for _ in range(300):
            tokens, output = chance.randrange(5_000), chance.randrange(2_000)
            try:
                reservation = purse.reserve(SONNET, tokens, output)
            except OutOfMoneyError:
                continue
            match chance.randrange(3):
                case 0:
                    purse.release(reservation)
                case 1:
                    paid += purse.keep(reservation).usd
                case _:
                    paid += purse.settle(reservation, Usage(chance.randrange(tokens + 1), chance.randrange(output + 1))).usd
        return paid

    with ThreadPoolExecutor(8) as pool:
        paid = sum(pool.map(spend, range(8)))

    assert 0.45 < purse.spent <= 0.5
    assert purse.spent == pytest.approx(paid)


def test_a_model_without_a_price_needs_one() -> None:
    with pytest.raises(UsageError) as no:
        Purse(1.0, prices()).reserve("llama-9", 1, 1)

    assert str(no.value) == (
        "the price of the model 'llama-9' is not known\n"
        '  say it in USD per million tokens, input and output: model.prices = { "llama-9" = [2, 10] }'
    )


def test_the_configuration_has_the_last_word_on_prices() -> None:
    found = prices({"llama-9": [1, 2], SONNET: [3, 4, 0.5], "x": [1, 2, 3, 4]})

    assert found.of("llama-9").of(Usage(10, 10, 10, 10)) == (10 + 20 + 12.5 + 10) * 1000
    assert found.of(SONNET).of(Usage(0, 0, 0, 10)) == 5_000
    assert found.of("x").at_most(10, 10) == (40 + 20) * 1000
    assert found.of("claude-opus-5-5") == TABLE["claude-opus-5-5"]


def test_a_dated_name_costs_what_the_plain_one_does() -> None:
    assert prices().of("claude-haiku-4-5-20251001") == TABLE["claude-haiku-4-5"]


def test_the_table_has_a_date() -> None:
    assert AS_OF.startswith("2026-")


@pytest.mark.parametrize(
    "numbers", [3, [1], [1, 2, 3, 4, 5], [1, "2"], [True, 1], [-1, 1], [float("nan"), 1], [float("inf"), 1]]
)
def test_refuses_prices_that_are_none(numbers: object) -> None:
    with pytest.raises(UsageError, match=r"model\.prices of 'm'"):
        prices({"m": numbers})  # type: ignore[dict-item]


DAY = date(2026, 11, 25)


@pytest.fixture
def day(tmp_path: Path) -> Account:
    """An account with a tenth of a dollar a day."""
    database = open_database(read_address(f"sqlite:///{tmp_path}/ledger.db"), redact=str, warn=print)
    return Account(database, 100_000_000, lambda: DAY)


def test_all_purses_of_a_day_together_hold_its_cap(day: Account) -> None:
    first, second = Purse(1.0, prices(), day), Purse(1.0, prices(), day)
    paid = first.settle(first.reserve(SONNET, 0, 9_000), Usage(output=2_000))
    kept = second.keep(second.reserve(SONNET, 0, 7_000))

    assert (paid.usd, kept.usd) == (0.02, 0.07)
    with pytest.raises(OutOfMoneyError) as no:
        first.reserve(SONNET, 0, 2_000)
    assert no.value.lack is Lack.MONEY
    assert str(no.value) == (
        "asking claude-sonnet-5-5 may cost $0.0200, and $0.0100 of $0.1000 are left today (UTC): "
        "wait, or raise model.max-cost-usd-per-day"
    )
    first.release(first.reserve(SONNET, 0, 1_000))
    assert day.spent(DAY) == 90_000_000


def test_what_the_day_refuses_takes_nothing_from_the_healing_and_the_other_way_round(day: Account) -> None:
    purse = Purse(0.15, prices(), day)
    with pytest.raises(OutOfMoneyError, match="per-day"):
        purse.reserve(SONNET, 0, 11_000)
    assert purse.spent == 0

    with pytest.raises(OutOfMoneyError, match="--max-cost-usd"):
        purse.reserve(SONNET, 0, 16_000)
    assert day.spent(DAY) == 0
    purse.reserve(SONNET, 0, 10_000)


class NobodyThere:
    """A day of which nobody can tell."""

    def reserve(self, nanos: int) -> Reserved | Short:
        raise LedgerError("the ledger on db does not answer: gone")

    def settle(self, reserved: Reserved, nanos: int) -> None:
        raise AssertionError("nothing was reserved")


def test_where_nobody_can_tell_what_is_left_no_model_is_asked() -> None:
    purse = Purse(1.0, prices(), NobodyThere())

    with pytest.raises(NobodyCountsError) as no:
        purse.reserve(SONNET, 0, 1)

    assert no.value.lack is Lack.SERVICE
    assert str(no.value) == (
        "no model was asked, because nobody can tell what is left of model.max-cost-usd-per-day: "
        "the ledger on db does not answer: gone"
    )
    assert purse.spent == 0
