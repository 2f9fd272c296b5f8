"""A step that a limit ended: broken like any other where green passes; else tried once with more of what ran out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest

from selfheal_ci.diagnose import cases, detect, explain, on_top_of
from selfheal_ci.errors import OutOfTimeError
from selfheal_ci.values import NOTHING, Attested, Base, Changes, Command, Finding, Hunk, Kind, Red, Run, Stop
from tests.fakes import Check, MemoryHistory, MemorySandbox, Place, Project, a_guess, a_place, a_run, a_step

HERE: Project = {"a.py": b"wrong\n"}
GREEN: Project = {"a.py": b"right\n"}
HUNK = Hunk("a.py", 0, (b"right\n",), (b"wrong\n",))
MEMORY = "it used more memory than it may (limits.memory, 100m)"
TIMEOUT = "timeout after 3 s (timeout-minutes, 0.05)"
NO_GREEN = "and no revision is known to pass"


def here_only(answer: str) -> Check:
    return lambda files: answer if files["a.py"] == b"wrong\n" else None


def everywhere(answer: str | None) -> Check:
    return lambda _: answer


def a_stopped(check: Check, *, base: Base | None = None, seconds: float = 3.0) -> Place:
    return a_place(HERE, {"t::a": check}, base=base, step=a_step(timeout=seconds), minutes=60.0)


def red_of(place: Place) -> Red:
    red = detect(place.lab)
    assert red is not None
    return red


def explained(place: Place) -> Finding:
    history = MemoryHistory({"green": place.files.tree(GREEN), "c1": place.tree}, place.files, (HUNK,))
    return explain(red_of(place), place.source, place.lab, history)


def given_more(place: Place) -> list[Stop | None]:
    """What each run got more of."""
    return [command.more for command in place.sandbox.commands]


# green passes ---------------------------------------------------------------------------------------------------------


def test_a_leak_since_green_is_a_regression() -> None:
    place = a_stopped(here_only("HUNGRY"), base=a_guess())

    finding = explained(place)

    assert finding.kinds == {"step:tests": Kind.REGRESSION}
    assert finding.culprit is not None
    assert finding.summary == f"{MEMORY}; green passes in 0.0 s: a change in between broke it"
    assert set(given_more(place)) == {None}


def test_once_green_passes_no_run_hangs_for_as_long_as_the_step_may_take() -> None:
    place = a_stopped(here_only("HANG"), base=a_guess(), seconds=900.0)

    finding = explained(place)

    assert finding.kind is Kind.REGRESSION
    ran = zip(place.sandbox.seen, place.sandbox.commands, strict=True)
    first, *others = (command.timeout for (_, changes), command in ran if not changes)
    assert (first, set(others)) == (900.0, {30.0})
    (case,) = cases(red_of(place), finding, place.source, place.lab)
    result = on_top_of(NOTHING, case, place.lab)[1].run_step()
    assert "timeout after 30 s (green takes much less)" in str(result)


def test_a_leak_that_is_not_there_in_every_run_is_flaky() -> None:
    answers = iter(["HUNGRY", None, "HUNGRY", None])

    finding = explained(a_stopped(lambda files: next(answers, None) if files == HERE else None, base=a_guess()))

    assert finding.kind is Kind.FLAKY


# green ends so too, or there is none ----------------------------------------------------------------------------------


def test_what_needs_more_on_green_as_well_is_tried_once_with_twice_as_much() -> None:
    place = a_stopped(everywhere("HUNGRY"), base=a_guess())

    finding = explained(place)

    assert finding.kinds == {"step:tests": Kind.INFRASTRUCTURE}
    assert finding.summary == (
        f"{MEMORY}, on green as well; with twice as much (200m) the step passes: raise limits.memory (--max-memory) to 200m"
    )
    assert given_more(place).count(Stop.MEMORY) == 1


@pytest.mark.parametrize("base", [None, a_guess()])
def test_without_a_revision_that_passes_it_is_tried_too(base: Base | None) -> None:
    finding = explained(a_stopped(lambda files: "HUNGRY" if files == HERE else "it is wrong", base=base))

    assert finding.kind is Kind.INFRASTRUCTURE
    assert finding.summary.startswith(f"{MEMORY}, {NO_GREEN}; with twice as much (200m) the step passes: raise")


def test_twice_as_much_of_what_is_not_enough_either() -> None:
    place = a_stopped(everywhere("HUNGRY HUNGRY"))

    assert explained(place).summary == f"{MEMORY}, {NO_GREEN}; with twice as much (200m) as well"
    assert given_more(place).count(Stop.MEMORY) == 1


def test_another_limit_that_ends_the_run_with_more_is_named() -> None:
    finding = explained(a_stopped(everywhere("HUNGRY HANG")))

    assert finding.summary == f"{MEMORY}, {NO_GREEN}; with twice as much (200m): {TIMEOUT}"


def test_a_hang_is_given_twice_the_time_once_and_is_not_run_again_before() -> None:
    place = a_stopped(everywhere("HANG"))

    finding = explained(place)

    assert finding.kind is Kind.INFRASTRUCTURE
    assert finding.summary == f"{TIMEOUT}, {NO_GREEN}; with twice as much (0.1) as well"
    assert [command.timeout for command in place.sandbox.commands] == [3.0, 6.0]


# runs that end as they are told ---------------------------------------------------------------------------------------


@dataclass
class Scripted(MemorySandbox):
    """Each run ends like the next of `ends`, the last again and again."""

    ends: Iterator[Run] = field(default_factory=lambda: iter(()))
    last: Run | None = None

    def run(self, command: Command, changes: Changes = NOTHING) -> Run:
        self.commands.append(command)
        self.last = next(self.ends, self.last)
        assert self.last is not None
        return self.last


def a_scripted(*ends: Run) -> Place:
    place = a_place(HERE, {}, step=a_step(timeout=3.0), minutes=60.0)
    sandbox = Scripted(place.files, place.tree, {}, ends=iter(ends))
    return replace(place, sandbox=sandbox, lab=replace(place.lab, sandbox=sandbox))


def ended(stop: Stop, seconds: float) -> Run:
    return replace(a_run(output='{"t::a": null}'), stop=stop, seconds=seconds)


def test_a_step_that_passes_in_twice_the_time() -> None:
    finding = explained(a_scripted(ended(Stop.TIMEOUT, 3.0), ended(Stop.EXITED, 5.0)))

    assert finding.kind is Kind.INFRASTRUCTURE
    assert finding.summary == (
        f"{TIMEOUT}, {NO_GREEN}; with twice as much (0.1) the step passes: raise timeout-minutes of the step to 0.1"
    )


def test_a_step_that_hangs_and_then_passes_in_time_is_flaky() -> None:
    finding = explained(a_scripted(ended(Stop.TIMEOUT, 3.0), ended(Stop.EXITED, 2.0)))

    assert finding.kinds == {"step:tests": Kind.FLAKY}
    assert finding.summary == f"{TIMEOUT}, {NO_GREEN}; it passes when run again, unchanged: flaky"


def test_a_signal_that_is_no_limit_of_ours_gets_no_more_of_anything() -> None:
    place = a_scripted(ended(Stop.KILLED, 1.0))

    finding = explained(place)

    assert finding.kind is Kind.INFRASTRUCTURE
    assert finding.summary == (
        f"it was killed by a signal that no limit explains, {NO_GREEN}, in each of 9 runs;"
        " is the memory of this machine full?"
    )
    assert set(given_more(place)) == {None}


# what fails with more -------------------------------------------------------------------------------------------------


def test_what_fails_with_more_is_healed_instead_and_every_run_has_more() -> None:
    place = a_stopped(lambda files: "HUNGRY it is wrong" if files == HERE else "HUNGRY", base=Base("green", Attested.OPTION))

    finding = explained(place)

    assert finding.kinds == {"t::a": Kind.REGRESSION}
    assert finding.summary == (
        f"{MEMORY}, on green as well; with twice as much (200m), as all further runs had:"
        " 1 failure here, green on green: a change in between broke it"
    )
    assert finding.culprit is not None
    (case,) = cases(red_of(place), finding, place.source, place.lab)
    assert case.targets == {"t::a"}
    assert case.before == finding.instead
    on_top_of(NOTHING, case, place.lab)[1].run_step(fresh=True)
    assert given_more(place)[-1] is Stop.MEMORY


def test_what_fails_with_more_on_an_attested_green_as_well_is_the_environment() -> None:
    finding = explained(a_stopped(everywhere("HUNGRY no network"), base=Base("green", Attested.OPTION)))

    assert finding.kinds == {"t::a": Kind.ENVIRONMENT}


# the healing's own time -----------------------------------------------------------------------------------------------


def test_no_time_for_more_is_said() -> None:
    place = a_stopped(everywhere("HANG"))
    ask = place.sandbox.run

    def slow(command: Command, changes: Changes = NOTHING) -> Run:
        if len(place.sandbox.commands) == 1:
            place.lab.meter.deadline = time.monotonic()
        return ask(command, changes)

    place.sandbox.run = slow  # type: ignore[method-assign]

    finding = explained(place)

    assert finding.kind is Kind.INFRASTRUCTURE
    assert finding.summary.endswith("; no time was left to try with twice as much (limits.minutes, --max-minutes)")


def test_a_run_that_the_end_of_the_healing_ended_is_out_of_time() -> None:
    place = a_stopped(everywhere("HANG"))
    red = red_of(place)
    place.lab.meter.deadline = 0

    with pytest.raises(OutOfTimeError, match=r"limits\.minutes"):
        explain(red, place.source, place.lab, MemoryHistory({}, place.files))
