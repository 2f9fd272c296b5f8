from __future__ import annotations

from collections.abc import Callable, Mapping

from selfheal_ci.remedies import Tries
from selfheal_ci.remedies.fixer import Fixer, obvious
from selfheal_ci.values import Candidate, Case, Evidence, Red, Rejected, Step
from tests.fakes import Place, Project, a_failure, a_finding, a_place, a_run, a_step

PROJECT = {"a.py": b"x=1\n", "b.py": b"y=1\n"}
Fixers = Mapping[str, Callable[[Project], Project]]


def write(**files: bytes) -> Callable[[Project], Project]:
    return lambda now: {**now, **{name.replace("_", "."): data for name, data in files.items()}}


def a_case(place: Place, step: Step, output: str = "") -> Case:
    failure = a_failure(f"step:{step.name}", "it fails")
    red = Red(a_run(step.run, exit_code=1, output=output), frozenset(), (failure,))
    return Case(place.tree, step, (failure,), a_finding(), before=red)


def candidates(step: Step, fixers: Fixers, output: str = "") -> list[Candidate]:
    """All of them, when each is rejected."""
    place = a_place(PROJECT, {}, step=step, fixers=fixers)
    tries = Tries(Fixer().candidates(a_case(place, step, output), place.lab))
    found = []
    for candidate in tries:
        found.append(candidate)
        tries.answer(Rejected("no", Evidence()))
    return found


def told(candidate: Candidate) -> tuple[str, list[str]]:
    return candidate.why, sorted(candidate.changes.files)


def test_the_projects_own_fixers_come_on_top_of_each_other() -> None:
    step = a_step("lint", "ruff check .", fix=("one", "two"))

    found = candidates(step, {"one": write(a_py=b"x = 1\n", new_py=b""), "two": write(b_py=b"y = 1\n")})

    assert list(map(told, found)) == [
        ("the project's own `one`", ["a.py"]),
        ("the project's own `two`", ["a.py", "b.py"]),
    ]


def test_without_them_the_check_is_made_to_fix() -> None:
    found = candidates(a_step("lint", "black --check . && mypy ."), {"black .": write(a_py=b"x = 1\n")})

    assert list(map(told, found)) == [("`black .`, which fixes what the step checks", ["a.py"])]


def test_a_fixer_whose_work_another_undid_runs_again() -> None:
    def neat(now: Project) -> Project:
        return {**now, "a.py": b"neat\n" if now["a.py"] == b"linted\n" else b"x = 1\n"}

    def lint(now: Project) -> Project:
        return {**now, "a.py": b"linted\n"} if now["a.py"] != b"neat\n" else now

    found = candidates(a_step("lint", "./check.sh", fix=("neat", "lint")), {"neat": neat, "lint": lint})

    assert [candidate.changes.files["a.py"].data for candidate in found if candidate.changes.files["a.py"]] == [
        b"x = 1\n", b"linted\n", b"neat\n",
    ]  # fmt: skip


def test_a_step_without_a_known_check_has_no_fixer() -> None:
    assert candidates(a_step("tests", "pytest"), {}) == []


def test_a_task_runner_may_show_what_it_runs() -> None:
    output = "ruff format --check .\nWould reformat: a.py\nmake: *** [Makefile:2: lint] Error 1\n"

    found = candidates(a_step("lint", "make lint"), {"ruff format .": write(a_py=b"x = 1\n")}, output)

    assert list(map(told, found)) == [("`ruff format .`, which fixes what the step checks", ["a.py"])]


def test_what_a_check_prints_is_no_command() -> None:
    step = a_step("lint", "mypy .")
    place = a_place(PROJECT, {}, step=step)

    assert obvious(a_case(place, step, "black --check .\n")) == []


def test_a_fixer_that_changes_nothing_is_no_candidate() -> None:
    assert candidates(a_step("lint", "black --check ."), {"black .": lambda now: now}) == []


def test_what_the_tool_calls_unsafe_comes_last_and_is_labelled() -> None:
    fixers = {
        "ruff check --fix .": write(a_py=b"x = 1\n"),
        "ruff check --fix --unsafe-fixes .": write(a_py=b"x = 1\n", b_py=b"y = 1\n"),
    }

    found = candidates(a_step("lint", "ruff check ."), fixers)

    assert [(sorted(candidate.changes.files), candidate.labels) for candidate in found] == [
        (["a.py"], ()),
        (["a.py", "b.py"], ("unsafe-fixes",)),
    ]
