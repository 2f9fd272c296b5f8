from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from selfheal_ci.remedies import Tries
from selfheal_ci.remedies.own_changes import OwnChanges
from selfheal_ci.values import Case, Changes, Content, Evidence, Red, Rejected, Step
from tests.fakes import MemoryRunner, Place, a_failure, a_finding, a_place, a_run, a_step

PROJECT = {"a.py": b"x=1\n", "b.py": b"y=1\n"}
HOOK = a_step("lint", "./hook.sh")
CHANGED = Changes({"a.py": Content(b"x = 1\n"), "b.py": Content(b"y=1\n"), "cache/a": Content(b"1")})


def a_case(place: Place, changed: Changes = CHANGED, *, step: Step = HOOK, id_: str = "step:lint") -> Case:
    run = a_run(step.run, exit_code=1, changed=changed)
    failure = a_failure(id_, "it fails")
    return Case(place.tree, step, (failure,), a_finding(), before=Red(run, frozenset(), (failure,)))


def changes(case: Case, place: Place) -> list[Mapping[str, object]]:
    """Of each candidate, when each is rejected."""
    tries = Tries(OwnChanges().candidates(case, place.lab))
    found: list[Mapping[str, object]] = []
    for candidate in tries:
        found.append({path: content and content.data for path, content in candidate.changes.files.items()})
        tries.answer(Rejected("no", Evidence()))
    return found


def test_what_the_step_changed_of_the_trees_files_is_a_candidate() -> None:
    place = a_place(PROJECT, {"step:lint": lambda files: "red"})

    assert changes(a_case(place), place) == [{"a.py": b"x = 1\n"}]


def test_its_changes_are_named() -> None:
    place = a_place(PROJECT, {})

    [candidate] = OwnChanges().candidates(a_case(place), place.lab)

    assert (candidate.remedy, candidate.why) == ("own-changes", "what `./hook.sh` itself changed while it failed")


@pytest.mark.parametrize("line", ["pytest", "make test", "npm test"])
def test_what_tests_change_is_no_fix(line: str) -> None:
    place = a_place(PROJECT, {})

    assert changes(a_case(place, step=a_step("tests", line)), place) == []
    assert changes(a_case(place, id_="tests/test_a.py::test_a"), place) == []


def test_what_a_linter_reports_case_by_case_is_no_test() -> None:
    place = a_place(PROJECT, {})
    case = a_case(place, step=a_step("lint", "pre-commit run --all-files"), id_="a.py::F401")

    assert changes(case, place) == [{"a.py": b"x = 1\n"}]


def test_without_a_run_or_without_changes_there_is_nothing() -> None:
    place = a_place(PROJECT, {})

    assert changes(replace(a_case(place), before=None), place) == []
    assert changes(a_case(place, Changes({"new.py": Content(b"")})), place) == []


def test_what_a_second_run_changes_comes_on_top() -> None:
    place = a_place(PROJECT, {})
    case = a_case(place)
    line = place.lab.runner.command(case.step, case.targets).shell
    place.sandbox.fixers = {line: lambda files: {**files, "b.py": b"y = 1\n"}}
    lab = replace(place.lab, runner=ReadsNothing())

    tries = Tries(OwnChanges().candidates(case, lab))
    found = []
    for candidate in tries:
        found.append(sorted(candidate.changes.files))
        tries.answer(Rejected("no", Evidence()))

    assert found == [["a.py"], ["a.py", "b.py"]]


class ReadsNothing:
    """A runner whose runs are all red."""

    name = "red"

    def recognise(self, command: str) -> bool:
        return True

    def command(self, step, ids=None):
        return MemoryRunner().command(step, ids)

    def read(self, run, step):
        return Red(run, frozenset(), (a_failure("step:lint"),))
