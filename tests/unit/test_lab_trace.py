"""The lab asks which lines tests execute once, and only where a runner can tell."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import replace

from selfheal_ci.events import Ran
from selfheal_ci.lab import SLOWER
from selfheal_ci.values import NOTHING, Allowance, Changes, Command, Content, Line, Run, Step, Trace
from tests.fakes import MemoryRunner, Place, a_place

FILES = {"a.py": b"bad", "b.py": b"", "tests/test_a.py": b""}


class TracingRunner(MemoryRunner):
    """Every test executes line 1 of all paths there are."""

    def traced(self, step: Step, ids: Collection[str] | None = None) -> Command:
        return replace(self.command(step, ids), env={"TRACE": "1"})

    def lines(self, run: Run, paths: Collection[str]) -> Mapping[str, frozenset[Line]]:
        return {id_: frozenset((path, 1) for path in paths) for id_ in ["", *json.loads(run.output.text)]}


def place(**checks: str | None) -> Place:
    made = a_place(FILES, {id_: lambda _, why=why: why for id_, why in checks.items()})  # type: ignore[misc]
    return replace(made, lab=replace(made.lab, runner=TracingRunner()))


def test_tells_the_lines_and_who_passed_and_who_failed_in_the_same_run() -> None:
    at = place(t="no", u=None)
    every = frozenset((path, 1) for path in FILES)

    assert at.lab.trace(None) == Trace({"": every, "t": every, "u": every}, frozenset({"u"}), frozenset({"t"}))
    assert at.lab.trace({"u"}) == Trace({"": every, "u": every}, frozenset({"u"}))
    assert [event.what for event in at.heard if isinstance(event, Ran)] == ["the step, traced", "1 test, traced"]


def test_is_counted_and_asked_once_for_the_same_changes() -> None:
    at = place(t="no")
    more = Changes({"c.py": Content(b"")})

    for changes in (NOTHING, NOTHING, more, more):
        assert ("c.py" in {path for path, _ in at.lab.trace({"t"}, changes).executed({"t"})}) == (changes is more)

    assert at.lab.meter.runs == len(at.sandbox.commands) == 2


def test_a_runner_that_cannot_tell_is_not_run() -> None:
    at = a_place(FILES, {"t": lambda _: "no"})

    assert at.lab.trace({"t"}) == Trace()
    assert at.lab.meter.runs == 0


def test_a_step_without_tests_is_not_traced() -> None:
    at = place(**{"step:tests": "no"})
    at.lab.run_step()

    assert at.lab.trace(None) == at.lab.trace({"step:tests"}) == Trace()
    assert at.lab.meter.runs == 1


def test_a_run_that_does_not_end_tells_nothing() -> None:
    assert place(t="HANG").lab.trace({"t"}) == Trace()


def test_failures_that_need_the_others_are_traced_with_them() -> None:
    at = place(t="no", u=None)

    assert at.lab.whole_only().trace({"t"}).lines.keys() == {"", "t", "u"}


def test_tests_may_take_longer_while_they_are_traced() -> None:
    at = place(t="no")

    at.lab.allowing(Allowance(seconds=2.0)).trace({"t"})

    assert at.sandbox.commands[-1].timeout == SLOWER * 2.0


def test_lines_of_imports_are_everybodys() -> None:
    trace = Trace({"": frozenset({("a.py", 1)}), "t": frozenset({("a.py", 2)}), "u": frozenset({("a.py", 3)})})

    assert trace.executed({"t", "gone"}) == {("a.py", 1), ("a.py", 2)}
