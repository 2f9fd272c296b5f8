from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from selfheal_ci.diagnose.triage import Triage, triage
from selfheal_ci.errors import UsageError
from selfheal_ci.ports import Sandbox
from selfheal_ci.values import Attested, Base, Kind, Red, Tree
from tests.fakes import Check, MemoryHistory, Project, a_place

HERE = {"a.py": b"wrong\n"}
GREEN = {"a.py": b"right\n"}


def fails_when(text: bytes) -> Check:
    return lambda files: "it is wrong" if files["a.py"] == text else None


def decided(
    checks: Mapping[str, Check], *, base: Base | None = None, revisions: Mapping[str, Project] | None = None
) -> Triage:
    place = a_place(HERE, checks, base=base)
    history = MemoryHistory({name: place.files.tree(files) for name, files in (revisions or {}).items()}, place.files)
    red = place.lab.run_step()
    assert isinstance(red, Red)
    return triage(red, place.source, place.lab, history)


def guess(commit: str = "green") -> Base:
    return Base(commit, Attested.GUESS)


def test_red_here_and_green_there_is_a_regression() -> None:
    found = decided({"t::a": fails_when(b"wrong\n")}, base=guess(), revisions={"green": GREEN})

    assert found.finding.kinds == {"t::a": Kind.REGRESSION}
    assert found.finding.reproduced == 9
    assert found.green is not None
    assert found.green.revision == "green"


def test_passing_in_any_rerun_is_flaky() -> None:
    answers = iter(["red", "red", "red", None])

    found = decided({"t::a": lambda _: next(answers, None)})

    assert found.finding.kind is Kind.FLAKY


def test_red_on_an_attested_green_revision_is_the_environment() -> None:
    option = Base("green", Attested.OPTION)

    found = decided({"t::a": lambda _: "no network"}, base=option, revisions={"green": GREEN})

    assert found.finding.kind is Kind.ENVIRONMENT


def test_red_on_every_guess_is_a_new_failure() -> None:
    found = decided({"t::a": lambda _: "red"}, base=guess(), revisions={"green": GREEN, "green~1": GREEN})

    assert found.finding.kind is Kind.NEW_FAILURE
    assert found.green is None


def test_a_guess_is_stepped_back_until_it_is_green() -> None:
    revisions = {"green": HERE, "green~1": HERE, "green~2": GREEN}

    found = decided({"t::a": fails_when(b"wrong\n")}, base=guess(), revisions=revisions)

    assert found.finding.kind is Kind.REGRESSION
    assert found.green is not None
    assert found.green.revision == "green~2"


def test_a_test_that_green_does_not_have_is_a_new_failure() -> None:
    def new(files: Project) -> str | None:
        return "red" if files["a.py"] == b"wrong\n" else "ABSENT"

    found = decided({"t::a": new}, base=guess(), revisions={"green": GREEN})

    assert found.finding.kind is Kind.NEW_FAILURE


@pytest.mark.parametrize("attested", [Attested.OPTION, Attested.GUESS])
def test_what_is_red_on_green_beside_a_regression_is_baseline(attested: Attested) -> None:
    checks: Mapping[str, Check] = {"t::a": fails_when(b"wrong\n"), "t::net": lambda _: "no network"}

    found = decided(checks, base=Base("green", attested), revisions={"green": GREEN})

    assert found.finding.kinds == {"t::a": Kind.REGRESSION, "t::net": Kind.BASELINE}
    assert found.finding.kind is Kind.REGRESSION


def test_passing_alone_and_failing_in_the_whole_step_depends_on_the_order() -> None:
    place = a_place(HERE, {"t::a": fails_when(b"wrong\n"), "t::b": lambda _: None}, base=guess())
    ask, sandbox = place.sandbox.run, place.sandbox

    def only_when_alone_green(command, changes):
        sandbox.checks = {**sandbox.checks, "t::a": (lambda _: None) if command.shell != "null" else fails_when(b"wrong\n")}
        return ask(command, changes)

    sandbox.run = only_when_alone_green  # type: ignore[method-assign, assignment]
    red = place.lab.run_step()
    assert isinstance(red, Red)
    history = MemoryHistory({"green": place.files.tree(GREEN)}, place.files)

    found = triage(red, place.source, place.lab, history)

    assert found.finding.kind is Kind.ORDER_DEPENDENT


def test_passing_alone_and_failing_once_with_the_others_is_flaky() -> None:
    answers = iter(["red", *[None] * 6, "red", None])

    found = decided({"t::a": lambda _: next(answers, None)})

    assert found.finding.kind is Kind.FLAKY


def test_stepping_back_reaches_the_first_commit_of_a_short_history() -> None:
    revisions = {"green": HERE, "green~1": HERE, "green~2": HERE, "green~3": GREEN}

    found = decided({"t::a": fails_when(b"wrong\n")}, base=guess(), revisions=revisions)

    assert found.green is not None
    assert found.green.revision == "green~3"


def test_a_command_that_is_not_there_is_not_run_ten_times() -> None:
    place = a_place(HERE, {"t::a": lambda _: "red"})
    red = place.lab.run_step()
    assert isinstance(red, Red)
    red = replace(red, run=replace(red.run, exit_code=127))

    found = triage(red, place.source, place.lab, MemoryHistory({}, place.files))

    assert found.finding.reproduced == 3


def test_a_folder_without_history_has_new_failures() -> None:
    assert decided({"t::a": lambda _: "red"}).finding.kind is Kind.NEW_FAILURE


@pytest.mark.parametrize(
    ("said", "green_too", "kind"),
    [
        ("OSError: [Errno -3] Temporary failure in name resolution", True, Kind.INFRASTRUCTURE),
        ("OSError: [Errno -3] Temporary failure in name resolution", False, Kind.REGRESSION),
        ("ConnectionRefusedError: [Errno 111] Connection refused", True, Kind.INFRASTRUCTURE),
        ("ConnectionRefusedError: [Errno 111] Connection refused", None, Kind.NEW_FAILURE),
        ("socket.gaierror: [Errno -2] Name or service not known", None, Kind.INFRASTRUCTURE),
        ("KeyError: 'name'", True, Kind.NEW_FAILURE),
    ],
)
def test_a_network_that_is_not_there_is_no_bug_unless_green_needs_none(
    said: str, green_too: bool | None, kind: Kind
) -> None:
    check: Check = lambda files: said if green_too or files["a.py"] == b"wrong\n" else None  # noqa: E731

    found = decided({"t::a": check}, base=None if green_too is None else guess(), revisions={"green": GREEN})

    assert found.finding.kind is kind
    assert ("`network`" in found.finding.summary) == (kind is Kind.INFRASTRUCTURE)


@pytest.mark.parametrize("attested", [Attested.GUESS, Attested.LEDGER, Attested.OPTION])
def test_only_where_a_person_named_the_green_revision_its_setup_must_not_fail(attested: Attested) -> None:
    place = a_place(HERE, {"t::a": lambda _: "red"}, base=Base("green", attested))
    place.sandbox.made = ("generated.py",)
    history = MemoryHistory({"green": place.files.tree(GREEN)}, place.files)

    def prepare(tree: Tree) -> Sandbox:
        raise UsageError("setup failed")

    lab = replace(place.lab, prepare=prepare)
    red = lab.run_step()
    assert isinstance(red, Red)

    if attested is Attested.OPTION:
        with pytest.raises(UsageError, match="setup failed"):
            triage(red, place.source, lab, history)
    else:
        assert triage(red, place.source, lab, history).finding.kind is Kind.NEW_FAILURE
