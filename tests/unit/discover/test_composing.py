"""How jobs come together in one configuration."""

from __future__ import annotations

import pytest

from selfheal_ci.discover import foremost
from tests.unit.discover.samples import CI, found, of_steps, runs, setup

PYTHON = ". ~/.venv/bin/activate && "
WHEELS = 'export PIP_NO_INDEX=1 PIP_FIND_LINKS="$HOME/.wheels"'


def test_what_a_recipe_installs_is_fetched_before_it_runs() -> None:
    told = found(
        {
            CI: "on: push\njobs: {a: {runs-on: x, steps: [{run: python -V}, {run: make check}]}}\n",
            "Makefile": "check:\n\t@python -m pip install flake8\n\tflake8 $(WHAT)\n",
            "pyproject.toml": '[build-system]\nrequires = ["flit_core <4", "x[y]"]\n',
        }
    )

    assert runs(told) == {"a": f"{PYTHON}{WHEELS} && make check"}
    assert setup(told)[1:] == [
        f"{{ {PYTHON}pip download --quiet --dest ~/.wheels wheel 'flit_core <4' 'x[y]'; }} || true",
        f"{{ {PYTHON}python -m pip install flake8; }} || true",
    ]


def test_only_what_the_tests_need_has_to_succeed() -> None:
    job = "{runs-on: x, steps: [{run: '%s'}, {run: '%s'}]}"
    told = found(
        {
            CI: f"on: push\njobs:\n  docs: {job % ('npm install a', 'npm run docs-check')}\n  test: {job % ('npm ci', 'npm test')}\n"
        }
    )

    assert setup(told) == ["{ npm install a; } || true", "npm ci"]
    assert [step.needs for step in told.steps] == [("{ npm install a; } || true",), ("npm ci",)]


@pytest.mark.parametrize(
    ("steps", "name"),
    [
        (
            "- {name: Lint, run: ruff check .}\n- {name: Run tests, run: scripts/test}\n- {name: Cover, run: scripts/coverage}",
            "run-tests",
        ),
        ("- {name: Lint, run: ruff check .}\n- {name: Go, run: tox}", "go"),
        ("- {name: A, run: ruff check .}\n- {name: B, run: mypy .}", "a"),
        ("- {name: Latest, run: ruff check latest}\n- {name: B, run: pytest}", "b"),
    ],
)
def test_the_step_that_runs_the_tests_is_known(steps: str, name: str) -> None:
    assert foremost(of_steps(steps, top="").steps).name == name


def test_a_check_of_types_runs_no_tests() -> None:
    job = "{runs-on: x, steps: [{run: %s}]}"
    told = found({CI: f"on: push\njobs:\n  mypy: {job % 'tox -e mypy-test'}\n  tests: {job % 'tox -e py'}\n"})

    assert foremost(told.steps).name == "tests"


def test_the_same_step_in_another_job_is_left_out() -> None:
    job = "{runs-on: x, steps: [{run: 'pip install %s'}, {run: make test}]}"
    told = found({CI: f"on: push\njobs:\n  a: {job % 'a'}\n  b: {job % 'b'}\n"})

    assert list(runs(told)) == ["a"]
    assert not any("pip install b" in line for line in setup(told))


def test_names_are_short_and_each_is_given_once() -> None:
    told = of_steps("- {name: ✅ Run the TESTS!, run: pytest a}\n- {name: run-the-tests, run: pytest b}\n"
                    f"- {{name: {'very ' * 20}long, run: pytest c}}\n- {{name: ⚙, run: pytest d}}")  # fmt: skip

    assert list(runs(told)) == ["run-the-tests", "run-the-tests-2", "very-very-very-very-very-very-very-very", "step"]


def test_a_repository_of_very_many_jobs_gives_a_configuration_that_people_can_read() -> None:
    jobs = "".join(f"  a{number}: {{runs-on: x, steps: [{{run: pytest {number}}}]}}\n" for number in range(60))

    assert len(found({CI: f"on: push\njobs:\n{jobs}"}).steps) == 40


@pytest.mark.parametrize(
    ("image", "needs", "written"),
    [("3.12", "pytest", "python:3.12-slim"), ("3.12", "make test", "python:3.12"), ("3.x", "pytest", "python:3")],
)
def test_the_image_is_the_languages(image: str, needs: str, written: str) -> None:
    setup_python = f"- uses: actions/setup-python@v5\n  with: {{python-version: '{image}'}}"

    assert of_steps(f"{setup_python}\n- run: {needs}").image == written
