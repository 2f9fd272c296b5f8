from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from selfheal_ci.events import Event, Warned
from selfheal_ci.observers import tell_all


class Broken:
    def __call__(self, event: Event) -> None:
        raise OSError("disk full of hunter2")


def test_tells_everyone_in_order() -> None:
    heard: list[str] = []

    tell_all([lambda event: heard.append("first"), lambda event: heard.append("second")])(Warned("x"))

    assert heard == ["first", "second"]


def test_an_observer_that_breaks_stops_nobody_and_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[Event] = []
    tell = tell_all([Broken(), heard.append])

    with caplog.at_level(logging.WARNING):
        tell(Warned("one"))
        tell(Warned("two"))

    assert heard == [Warned("one"), Warned("two")]
    assert caplog.messages == ["Broken: OSError on Warned"]


def test_does_not_hold_back_the_person_who_stops() -> None:
    def stop(event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tell_all([stop])(Warned("x"))


def test_tells_one_event_at_a_time() -> None:
    inside: list[int] = []
    most: list[int] = []

    def observer(event: Event) -> None:
        inside.append(1)
        most.append(len(inside))
        inside.pop()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(tell_all([observer]), [Warned("x")] * 500))

    assert max(most) == 1
