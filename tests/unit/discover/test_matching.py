from __future__ import annotations

import pytest

from selfheal_ci.discover.matching import matched
from selfheal_ci.values import FailedJob, Step
from tests.unit.discover.samples import CI, found

TOLD = found({
    CI: """
on: push
jobs:
  unit:
    name: Unit on ${{ matrix.os }}
    runs-on: ${{ matrix.os }}
    strategy: {matrix: {os: [ubuntu-latest], py: ['3.11', '3.12']}}
    steps:
      - run: pytest -q
      - name: Types for ${{ matrix.py }}
        run: mypy .
  lint:
    runs-on: ubuntu-latest
    steps:
      - run: |
          ruff check .
          ruff format --check .
""",
})  # fmt: skip
OURS = [Step(step.name, step.line.run) for step in TOLD.steps]


@pytest.mark.parametrize(
    ("job", "title", "name"),
    [
        ("Unit on ubuntu-latest", "Run pytest -q", "unit"),
        ("unit (3.12)", "Run pytest -q", "unit"),
        ("caller / unit (3.12)", "Types for 3.12", "types-for-3-11"),
        ("lint", "Run ruff check .", "lint"),
        ("lint", "Set up job", "lint"),
        ("elsewhere", "Run ruff check .", None),
        ("elsewhere", "Set up job", None),
    ],
)
def test_a_failed_step_is_one_of_ours_by_the_workflow(job: str, title: str, name: str | None) -> None:
    step = matched([FailedJob(job, (title,))], TOLD, OURS, CI)

    assert (step.name if step else None) == name


def test_a_step_of_another_name_is_known_by_its_command_line() -> None:
    own = [Step("mine", ". ~/x/bin/activate && pytest   -q"), Step("other", "mypy .")]

    assert matched([FailedJob("Unit on ubuntu-latest", ("Run pytest -q",))], TOLD, own, None) == own[0]
    assert matched([FailedJob("unit", ("Types for 3.9",))], TOLD, own, None) == own[1]


def test_a_step_of_another_command_line_is_known_by_its_name() -> None:
    own = [Step("a", "x"), Step("lint", "make lint")]

    assert matched([FailedJob("lint", ("Run ruff check .",))], TOLD, own, None) == own[1]
    assert matched([FailedJob("lint")], found({}), own, None) == own[1]


def test_the_first_failed_step_that_is_configured_is_taken() -> None:
    failed = [FailedJob("gone", ("x",)), FailedJob("lint", ("Run ruff check .",)), FailedJob("unit", ("Run pytest -q",))]

    assert matched(failed, TOLD, OURS, None) == OURS[2]
    assert matched([], TOLD, OURS, None) is None
