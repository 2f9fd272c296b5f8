"""Every limit has one name: the configuration's."""

from __future__ import annotations

import pytest

from selfheal_ci.config import OPTIONS, STEP_KEYS, size_of
from selfheal_ci.detect import Limit, gave_out, limit_of
from selfheal_ci.detect.limits import size
from selfheal_ci.values import Limits, Output, Run, Stop

LIMITS = Limits(memory=100 << 20, processes=64, disk=2 << 30)


@pytest.mark.parametrize(
    ("stop", "said"),
    [
        (Stop.TIMEOUT, "timeout after 3 s (timeout-minutes, 0.05)"),
        (Stop.MEMORY, "it used more memory than it may (limits.memory, 100m)"),
        (Stop.DISK, "it wrote more than it may (limits.disk, 2g)"),
        (Stop.PROCESSES, "it started more processes than it may (limits.processes, 64)"),
        (Stop.KILLED, "it was killed by a signal that no limit explains"),
    ],
)
def test_what_gave_out_is_said_with_the_limit_and_its_value(stop: Stop, said: str) -> None:
    run = Run("run", stop, None, Output(), 3.2)

    assert gave_out(run, str(limit_of(stop, LIMITS, 3.0) or "")) == said


@pytest.mark.parametrize("stop", [Stop.MEMORY, Stop.DISK, Stop.PROCESSES])
def test_a_limit_has_the_key_and_the_flag_of_an_option(stop: Stop) -> None:
    limit = limit_of(stop, LIMITS, 3.0)

    assert limit is not None
    assert (limit.key, limit.flag) in {(option.key, option.flag) for option in OPTIONS}


def test_the_timeout_is_a_key_of_the_step() -> None:
    assert limit_of(Stop.TIMEOUT, LIMITS, 90.0) == Limit("timeout-minutes", "1.5")
    assert "timeout-minutes" in STEP_KEYS


@pytest.mark.parametrize("number", [0, 1, 1023, 1024, 1536, 100 << 20, 4 << 30, (4 << 30) + 1, 5 << 40])
def test_a_size_reads_back_as_the_same_number(number: int) -> None:
    assert size_of(size(number)) == number


def test_more_is_twice_as_much_of_what_ran_out_and_of_nothing_else() -> None:
    assert LIMITS.with_more(Stop.MEMORY) == Limits(memory=200 << 20, processes=64, disk=2 << 30)
    assert LIMITS.with_more(Stop.DISK) == Limits(memory=100 << 20, processes=64, disk=4 << 30)
    assert LIMITS.with_more(Stop.PROCESSES) == Limits(memory=100 << 20, processes=128, disk=2 << 30)
    assert {LIMITS.with_more(stop) for stop in (None, Stop.TIMEOUT, Stop.KILLED, Stop.EXITED)} == {LIMITS}
