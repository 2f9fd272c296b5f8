from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from selfheal_ci.events import Asked, Diagnosed, Event, Executed, Finished, Judged, Prepared, Ran, Warned
from selfheal_ci.observers.console import Console, Look, Verbosity, look_of
from selfheal_ci.redact import Redactor
from selfheal_ci.values import Cost, Green, Healing, Kind, Lack, Output, Red, Run, Shortfall, Status, Stop, Unclear
from tests.healings import (
    EVIDENCE,
    FAILURE,
    FINDING,
    FIX,
    REFUSED,
    REJECTED,
    UNUSABLE,
    VERIFIED,
    a_healing,
    an_infrastructure,
    assert_golden,
)

REJECTED_BY_MODEL = replace(REJECTED, candidate=replace(REJECTED.candidate, remedy="model"))
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
    yield Asked(1, "claude", Cost(1, 200, 300, 6100, 0.004), "the prompt, and the correction", "the reply")
    yield Judged(REJECTED_BY_MODEL)
    yield Warned("no price is known for this model")
    yield Asked(2, "claude", Cost(1, 300, 300, 6100, 0.005), "the prompt, and what failed", "the reply")
    yield Judged(REFUSED)
    yield Asked(3, "claude", Cost(1, usd=0.105), "another prompt", "")
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


def in_part(status: Status) -> Healing:
    known, other = replace(FAILURE, id="known"), replace(FAILURE, id="other")
    kinds = {FAILURE.id: Kind.REGRESSION, "other": Kind.NEW_FAILURE, "known": Kind.BASELINE}
    return replace(
        a_healing(status),
        failures=(FAILURE, other, known),
        finding=replace(FINDING, kinds=kinds),
        changes=FIX,
        evidence=EVIDENCE,
        lacks=(Shortfall(Lack.TIME, "the time is over"),),
    )


def test_says_how_much_is_healed() -> None:
    assert told([Finished(in_part(Status.NOT_HEALED))]) == (
        "healed in part: 1 of 2 failures; the patch is in selfheal-out/partial.patch, for a person (6.2 s)\n"
    )
    assert told([Finished(in_part(Status.OVER_BUDGET))]) == (
        "over budget: the time is over; selfheal-out/report.md says what was tried;"
        " healed in part: 1 of 2 failures; the patch is in selfheal-out/partial.patch, for a person (6.2 s)\n"
    )


def test_tells_which_limit_to_raise_and_what_of_the_output_is_left_out() -> None:
    healing = an_infrastructure()
    assert healing.finding
    run = replace(RUN, stop=Stop.MEMORY, output=Output(b"a\n", b"b\n", 9000))
    why = "it used more memory than it may (limits.memory, 4g)"

    assert told([Ran("the step", Unclear(run, why)), Diagnosed(healing.finding), Finished(healing)]).splitlines() == [
        f"the step gave no answer: {why} (0.8 s)",
        "  9,000 bytes in the middle of its output are left out (limits.output, --max-output)",
        f"infrastructure: {why}, on bbbbbbbbbbbb as well; with twice as much (8g) the step passes:"
        " raise limits.memory (--max-memory) to 8g",
        "environment: the code is not at fault; nothing was patched (6.2 s)",
    ]


def test_tells_what_fails_once_the_step_has_more() -> None:
    finding = replace(FINDING, instead=Red(RUN, frozenset(), (FAILURE,)), culprit=None)

    assert told([Diagnosed(finding)]).splitlines() == [
        "regression: 1 failure here, green on bbbbbbbbbbbb: a change in between broke it",
        "  tests/test_cart.py::test_total: assert 5 == 6",
    ]


def test_counts_the_failures_by_kind() -> None:
    kinds = {f"r{n}": Kind.REGRESSION for n in range(3)} | {f"b{n}": Kind.BASELINE for n in range(59)}

    assert told([Diagnosed(replace(FINDING, kinds=kinds, culprit=None))]).splitlines() == [
        "62 failures: 3 regressions, 59 known before (baseline)",
        "regression: 1 failure here, green on bbbbbbbbbbbb: a change in between broke it",
    ]


@pytest.mark.parametrize(
    ("status", "lack", "said"),
    [
        (Status.ERROR, Lack.REFUSED_KEY, "the key was refused: 401"),
        (Status.ERROR, Lack.SERVICE, "the model's service does not answer: 529"),
        (Status.OVER_BUDGET, Lack.MONEY, "the model's account is spent: 402"),
        (Status.NOT_HEALED, Lack.KEY, "no model was asked: ANTHROPIC_API_KEY is not set"),
    ],
)
def test_ends_with_what_was_missing(status: Status, lack: Lack, said: str) -> None:
    lacks = (
        Shortfall(Lack.TIME, "other") if lack is not Lack.MONEY else Shortfall(Lack.KEY, "other"),
        Shortfall(lack, said),
    )

    ending = f"no fix was proven, {said}" if status is Status.NOT_HEALED else said
    assert f": {ending}; selfheal-out/report.md" in told([Finished(replace(a_healing(status), lacks=lacks))])


def test_says_that_a_cost_is_the_most_it_can_be() -> None:
    kept = replace(UNUSABLE, candidate=replace(UNUSABLE.candidate, cost=Cost(1, usd=0.105)))
    healing = replace(a_healing(Status.NOT_HEALED), attempts=(kept,), cost=Cost(2, 10, 10, 0, 0.106))

    assert told([Finished(healing)]).endswith("(6.2 s, at most $0.106)\n")


def test_another_groups_first_attempt_is_no_correction() -> None:
    events: list[Event] = [
        Asked(1, "claude", Cost(), "about one", "nonsense"),
        Judged(UNUSABLE),
        Asked(1, "claude", Cost(), "about two", "(too long)"),
        Judged(UNUSABLE),
        Asked(1, "claude", Cost(), "two, shorter", "(too long)"),
        Judged(UNUSABLE),
        Asked(1, "claude", Cost(), "about three", "a fix"),
        Judged(VERIFIED),
    ]

    assert [re.split(r"[:(]", line)[0].strip() for line in told(events).splitlines()] == [
        "asked claude, attempt 1",
        "model attempt 1",
        "asked claude, attempt 1",
        "model attempt 1",
        "asked claude, attempt 1, correction",
        "model attempt 1, correction",
        "asked claude, attempt 1",
        "model attempt 1",
    ]


def test_shows_no_secret_whatever_it_stands_in() -> None:
    secret = "hunter2-hunter2"
    lack = Shortfall(Lack.KEY, f"no key {secret}")
    healing = replace(a_healing(Status.NOT_HEALED), lacks=(lack,))
    stream = io.StringIO()
    console = Console(stream, redact=Redactor({"KEY": secret}).text, output=secret)

    console(Finished(healing))

    assert "hunter2" not in stream.getvalue()
    assert stream.getvalue().count("<secret:KEY:1>") == 2


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
