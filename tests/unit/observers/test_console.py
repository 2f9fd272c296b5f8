from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from selfheal_ci.events import Asked, Diagnosed, Event, Executed, Finished, Judged, Prepared, Ran, Warned
from selfheal_ci.observers.console import Console, Look, Verbosity, look_of
from selfheal_ci.redact import Redactor
from selfheal_ci.values import Cost, Green, Output, Red, Run, Status, Stop, Unclear
from tests.healings import FAILURE, FINDING, FIX, REFUSED, REJECTED, UNUSABLE, VERIFIED, a_healing, assert_golden

RUN = Run("pytest -q", Stop.EXITED, 1, Output(b"5 == 6\n"), 0.84)


def story() -> Iterator[Event]:
    yield Prepared(1200, 0.3)
    yield Ran("the step", Red(RUN, frozenset({"a"}), (FAILURE,)))
    yield Ran("1 test", Green(RUN, frozenset({"a"})))
    yield Ran("1 test", Unclear(RUN, "timeout after 60 s"))
    yield Diagnosed(FINDING)
    yield Executed(replace(RUN, shell="ruff check --fix ."))
    yield Judged(REJECTED)
    yield Asked(1, "claude", Cost(1, 6100, 900, 0, 0.021), "the prompt", "the reply")
    yield Judged(UNUSABLE)
    yield Warned("no price is known for this model")
    yield Judged(REFUSED)
    yield Judged(VERIFIED)
    yield Finished(a_healing(Status.HEALED))


def told(events: Iterator[Event] | list[Event], *, look: Look = Look.PLAIN, verbosity: Verbosity = Verbosity.NORMAL) -> str:
    stream = io.StringIO()
    console = Console(stream, redact=Redactor({"KEY": "hunter2-hunter2"}).text, look=look, verbosity=verbosity)
    for event in events:
        console(event)
    return stream.getvalue()


@pytest.mark.parametrize("verbosity", Verbosity)
def test_tells_the_story(verbosity: Verbosity) -> None:
    assert_golden(f"console_{verbosity.name.lower()}.txt", told(story(), verbosity=verbosity))


@pytest.mark.parametrize("status", Status)
def test_ends_with_the_result(status: Status) -> None:
    line = told([Finished(a_healing(status))])

    assert line.startswith(f"{status.value.replace('_', ' ')}: ")
    assert line.count("\n") == 1


def test_names_a_partial_patch() -> None:
    assert "selfheal-out/partial.patch" in told([Finished(replace(a_healing(Status.NOT_HEALED), changes=FIX))])


def test_shows_five_failures() -> None:
    assert told([Ran("the step", Red(RUN, frozenset(), (FAILURE,) * 7))]).splitlines()[-1] == "  and 2 more"


def test_redacts_before_it_cuts() -> None:
    text = "x" * 490 + "hunter2-hunter2"

    assert "hunter" not in told([Warned(text)])


@pytest.mark.parametrize("look", Look)
def test_shows_what_others_wrote_as_text(look: Look) -> None:
    shown = told([Warned("[bold]x[/bold] \x1b[2J\u202e\n::error::x hunter2-hunter2")], look=look)

    assert "warning: [bold]x[/bold] \\u202e ::error::x <secret:KEY:1>" in shown
    assert not any(line.startswith("::") for line in shown.splitlines())


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environ", "look"),
    [
        (Terminal(), {}, Look.RICH),
        (Terminal(), {"NO_COLOR": "1"}, Look.BARE),
        (Terminal(), {"TERM": "dumb"}, Look.BARE),
        (Terminal(), {"CI": "true"}, Look.PLAIN),
        (io.StringIO(), {}, Look.PLAIN),
    ],
)
def test_looks_as_the_stream_allows(stream: io.StringIO, environ: Mapping[str, str], look: Look) -> None:
    assert look_of(stream, environ) is look


def test_colours_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    console = Console(stream, redact=str, look=Look.RICH)

    with console.live():
        console(Warned("careful"))

    assert "\x1b[33mwarning: careful\x1b[0m" in stream.getvalue()


def test_needs_rich_only_on_a_terminal() -> None:
    code = "import sys, selfheal_ci.observers.console; print('rich' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
