from __future__ import annotations

import io
import re

from selfheal_ci.events import Diagnosed, Event, Finished, Prepared, Warned
from selfheal_ci.observers import ci
from selfheal_ci.observers.console import Console
from selfheal_ci.values import Status
from tests.healings import FINDING, a_healing

EVENTS: list[Event] = [Prepared(3, 0.1), Diagnosed(FINDING), Warned("careful"), Finished(a_healing(Status.HEALED))]


def sections(markers: ci.MarkersOf) -> str:
    stream = io.StringIO()
    observer = ci.Sections(Console(stream, redact=str), stream, markers)
    for event in EVENTS:
        observer(event)
    return stream.getvalue()


def test_folds_the_story_and_leaves_the_end_outside() -> None:
    assert sections(ci.github).splitlines() == [
        "::group::selfheal: running the step, finding out why it fails",
        "regression: 1 failure here, green on bbbbbbbbbbbb: a change in between broke it",
        "culprit: cart.py:2 (c0ffeec), reverting it alone turns 1 of 1 green",
        "::endgroup::",
        "::group::selfheal: trying remedies",
        "warning: careful",
        "::endgroup::",
        "healed: selfheal-out/fix.patch (6.2 s, $0.021)",
    ]


def test_closes_the_sections_that_it_opens_on_gitlab() -> None:
    shown = sections(ci.gitlab)

    assert re.findall(r"\x1b\[0Ksection_(start|end):\d+:(\w+)\r\x1b\[0K", shown) == [
        ("start", "selfheal_1"),
        ("end", "selfheal_1"),
        ("start", "selfheal_2"),
        ("end", "selfheal_2"),
    ]
