"""What is found out beside the culprit: tests that changed their mind, tests that pollute, edits that reach nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import pytest

from selfheal_ci.diagnose import cases, detect, explain
from selfheal_ci.diagnose.polluter import PROBES, polluters
from selfheal_ci.diagnose.reach import mend
from selfheal_ci.values import Attested, Base, Command, Finding, Hunk, Kind, Red, Run, Step
from tests.fakes import Check, MemoryHistory, MemoryRunner, Place, Project, a_guess, a_place, a_run

T = "tests/test_a.py::test_a"
TEST, SOURCE = "tests/test_a.py", "a.py"


def explained(
    here: Project, green: Project, check: Check, *, base: Base | None = None, hunks: tuple[Hunk, ...] = ()
) -> tuple[Finding, Place]:
    place = a_place(here, {T: check}, base=base or a_guess())
    history = MemoryHistory({"green": place.files.tree(green), "c1": place.tree}, place.files, given=hunks)
    red = detect(place.lab)
    assert red
    return explain(red, place.source, place.lab, history), place


# changed expectations -------------------------------------------------------------------------------------------------


def expects(files: Project) -> str | None:
    """The test holds what it wants of the source."""
    return None if files[SOURCE] == files[TEST] else "red"


def test_a_test_that_wants_something_else_is_said_so() -> None:
    finding, _ = explained({SOURCE: b"1", TEST: b"2"}, {SOURCE: b"1", TEST: b"1"}, expects)

    assert (finding.kind, finding.kinds) == (Kind.EXPECTATION_CHANGED, {T: Kind.EXPECTATION_CHANGED})
    assert finding.culprit is None
    assert "the test expects something else" in finding.summary


def test_a_source_that_changed_beside_its_test_is_still_a_regression() -> None:
    hunk = Hunk(SOURCE, 0, (b"1",), (b"3",))

    finding, _ = explained({SOURCE: b"3", TEST: b"1"}, {SOURCE: b"1", TEST: b"1"}, expects, hunks=(hunk,))

    assert (finding.kind, finding.culprit and finding.culprit.hunk) == (Kind.REGRESSION, hunk)


def test_source_and_test_that_both_changed_are_a_regression_without_a_culprit() -> None:
    hunk = Hunk(SOURCE, 0, (b"1",), (b"3",))

    finding, _ = explained({SOURCE: b"3", TEST: b"2"}, {SOURCE: b"1", TEST: b"1"}, expects, hunks=(hunk,))

    assert (finding.kind, finding.culprit) == (Kind.REGRESSION, None)


def test_where_source_and_test_both_changed_that_is_said() -> None:
    hunk = Hunk(SOURCE, 0, (b"1",), (b"3",))

    finding, _ = explained({SOURCE: b"3", TEST: b"2"}, {SOURCE: b"1", TEST: b"1"}, expects, hunks=(hunk,))

    assert finding.summary.endswith("; tests/test_a.py changed in between, too")


@pytest.mark.parametrize("path", ["pyproject.toml", "conftest.py", "tests/conftest.py"])
def test_what_steers_or_prepares_tests_is_named_as_the_culprit(path: str) -> None:
    hunk = Hunk(path, 0, (b"good",), (b"bad",))
    check: Check = lambda files: "red" if files[path] == b"bad" else None  # noqa: E731

    finding, _ = explained({SOURCE: b"1", path: b"bad"}, {SOURCE: b"1", path: b"good"}, check, hunks=(hunk,))

    assert (finding.kind, finding.culprit and finding.culprit.hunk) == (Kind.REGRESSION, hunk)
    assert finding.reached


def test_a_test_file_that_cannot_be_collected_expects_nothing() -> None:
    hunk = Hunk(TEST, 0, (b"1",), (b"2",))
    place = a_place({SOURCE: b"1", TEST: b"2"}, {TEST: lambda files: "red" if files[TEST] == b"2" else None}, base=a_guess())
    trees = {"green": place.files.tree({SOURCE: b"1", TEST: b"1"}), "c1": place.tree}
    red = detect(place.lab)
    assert red

    finding = explain(red, place.source, place.lab, MemoryHistory(trees, place.files, given=(hunk,)))

    assert (finding.kind, finding.culprit and finding.culprit.hunk) == (Kind.REGRESSION, hunk)
    assert "expects" not in finding.summary


def test_what_one_change_broke_is_one_case() -> None:
    hunk = Hunk(SOURCE, 0, (b"1",), (b"3",))
    said = {f"tests/test_a.py::test_{name}": name for name in "abc"}
    checks: dict[str, Check] = {
        id_: lambda files, name=name: f"{name} is red" if files[SOURCE] == b"3" else None  # type: ignore[misc]
        for id_, name in said.items()
    }
    place = a_place({SOURCE: b"3"}, checks, base=a_guess())
    red = detect(place.lab)
    assert red
    assert len({failure.fingerprint for failure in red.failures}) == 3
    trees = {"green": place.files.tree({SOURCE: b"1"}), "c1": place.tree}

    finding = explain(red, place.source, place.lab, MemoryHistory(trees, place.files, given=(hunk,)))

    [case] = cases(red, finding, place.source, place.lab)
    assert case.targets == set(said)
    assert case.finding.culprit
    assert case.finding.culprit.how == "reverting it alone turns 3 of 3 green"


# tests that depend on the order -----------------------------------------------------------------------------------------


def polluted(needed: set[str], others: list[str]) -> tuple[list[str], int]:
    runs: list[frozenset[str]] = []

    def victim(_: Project) -> str | None:
        return "red" if needed <= runs[-1] else None

    place = a_place({SOURCE: b""}, {T: victim, **dict.fromkeys(others, lambda _: None)})

    class Runner(MemoryRunner):
        def command(self, step: Step, ids: Collection[str] | None = None) -> Command:
            runs.append(frozenset(ids or ()))
            return super().command(step, ids)

    lab = replace(place.lab, runner=Runner())
    return list(polluters(T, others, lab)), len(runs)


OTHERS = [f"tests/test_b.py::test_{number:02}" for number in range(40)]


@pytest.mark.parametrize("needed", [{OTHERS[0]}, {OTHERS[39]}, {OTHERS[3], OTHERS[30]}])
def test_the_tests_after_which_it_fails_are_named(needed: set[str]) -> None:
    assert set(polluted(needed, OTHERS)[0]) == needed


def test_a_test_that_fails_after_nothing_in_particular_has_none() -> None:
    assert polluted({"no such test"}, OTHERS) == ([], 1)


def test_the_search_for_polluters_stops_at_its_budget() -> None:
    many = [f"tests/test_b.py::test_{number:03}" for number in range(200)]

    assert polluted(set(many[::7]), many) == ([], PROBES)


# edits that reach nothing -----------------------------------------------------------------------------------------------


class Tracing(MemoryRunner):
    """A runner that tells lines; `executed` of them."""

    def __init__(self, *executed: str) -> None:
        self.executed = executed

    def traced(self, step: Step, ids: Collection[str] | None = None) -> Command:
        return self.command(step, ids)

    def lines(self, run: Run, paths: Collection[str]) -> Mapping[str, frozenset[tuple[str, int]]]:
        return {T: frozenset((path, 1) for path in (TEST, *self.executed))}


def within_reach(check: Check, *executed: str, attested: bool = False, made: tuple[str, ...] = ()) -> tuple[Finding, Place]:
    base = Base("green", Attested.OPTION if attested else Attested.GUESS)
    files = {SOURCE: b"a = 1\n", TEST: b"test"}
    place = a_place(files, {T: check}, base=base)
    place.sandbox.made = made
    history = MemoryHistory({"green": place.files.tree(files), "c1": place.tree}, place.files)
    lab = replace(place.lab, runner=Tracing(*executed))
    red = detect(lab)
    assert red
    finding = explain(red, place.source, lab, history)
    return finding, place


@pytest.mark.parametrize("attested", [False, True])
def test_edits_that_no_test_notices_are_said_and_nothing_is_healed(attested: bool) -> None:
    finding, place = within_reach(lambda _: "red", attested=attested)

    assert (finding.kind, finding.reached) == (Kind.NEW_FAILURE, False)
    assert finding.summary.startswith("edits do not reach the tests")
    assert 'write build = ["python -m pip install' in finding.summary
    assert list(cases(Red(a_run(), frozenset(), ()), finding, place.source, place.lab)) == []


def test_tests_that_notice_a_broken_source_are_within_reach() -> None:
    finding, _ = within_reach(lambda files: "red" if files[SOURCE] == b"a = 1\n" else "broken")

    assert finding.reached


def test_where_no_test_can_be_traced_nothing_is_said_against_it() -> None:
    finding, _ = explained({SOURCE: b"1", TEST: b"2"}, {SOURCE: b"1", TEST: b"2"}, lambda _: "red")

    assert finding.reached


def test_tests_that_execute_sources_of_the_tree_need_no_probe() -> None:
    finding, place = within_reach(lambda _: "red", SOURCE)

    assert finding.reached
    assert all(not changes for _, changes in place.sandbox.seen)


@pytest.mark.parametrize(("executed", "reached"), [((), False), ((SOURCE,), True)])
def test_files_that_setup_made_of_the_sources_belong_into_build(executed: tuple[str, ...], reached: bool) -> None:
    finding, _ = within_reach(lambda _: "red", *executed, made=("gen/api.py",))

    assert finding.reached is reached
    assert "write the command of `setup` that makes gen/api.py into the step's `build` too" in finding.summary
    assert ("setup made gen/api.py of the sources, and edits of those do not reach it" in finding.summary) is reached


def test_an_installed_copy_is_installed_again() -> None:
    assert "pip install" in mend((".venv",), [".venv/lib/python3.11/site-packages/calc-1.dist-info"])


@pytest.mark.parametrize(("environment", "program"), [((".venv",), ".venv/bin/python"), (("node_modules",), '"python')])
def test_the_line_that_mends_it_names_the_environments_python(environment: tuple[str, ...], program: str) -> None:
    assert program in mend(environment)
