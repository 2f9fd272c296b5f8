from __future__ import annotations

import pytest

from selfheal_ci.discover.found import Line, Origin
from tests.unit.discover.samples import found, notes, runs, setup

PYTHON = ". ~/.venv/bin/activate && "
CI = ".gitlab-ci.yml"


def test_a_job_is_its_script_with_all_that_it_inherits() -> None:
    told = found({
        CI: """
default:
  image: python:3.12
  before_script: [pip install -e .]
variables: {MODE: fast, OTHER: {value: x, description: y}}
include: /ci/more.yml
tests:
  extends: .pytest
  variables: {WHERE: tests}
lint:
  before_script: [!reference [.tools, script], pip install ruff]
  script: [[ruff check .], !reference [.tools, after]]
""",
        "ci/more.yml": ".pytest:\n  script:\n    - pytest $WHERE\n.tools: {script: [pip install x], after: [mypy .]}\n",
    })  # fmt: skip

    assert runs(told) == {
        "tests": f"{PYTHON}export MODE=fast OTHER=x WHERE=tests && pytest $WHERE",
        "lint": "set -e\n. ~/.venv-lint/bin/activate\nexport MODE=fast OTHER=x\nruff check .\nmypy .",
    }
    assert told.setup[:2] == (
        Line("python3 -m venv ~/.venv", Origin(CI, 7)),
        Line(f"{PYTHON}export MODE=fast OTHER=x WHERE=tests && pip install -e .", Origin(CI, 4)),
    )
    assert told.image == "python:3.12-slim"


@pytest.mark.parametrize(
    ("job", "why"),
    [
        ("{script: [pytest], stage: deploy}", "it deploys or releases"),
        ("{script: [pytest], environment: production}", "it deploys or releases"),
        ("{script: [pytest], when: manual}", "it runs for no change by itself"),
        ("{script: [pytest], only: [tags]}", "it runs for no change by itself"),
        ("{script: [pytest], tags: [windows]}", "it runs on windows"),
        ("{trigger: x}", "it starts another pipeline"),
        ("{stage: test}", "it has no script"),
        ("{script: [pytest], services: [postgres]}", "it needs services beside it"),
    ],
)
def test_a_job_that_is_no_check_here_is_left_out(job: str, why: str) -> None:
    told = found({CI: f"a: {job}\n"})

    assert told.steps == ()
    assert why in notes(told).values()


def test_of_a_matrix_what_fits_is_taken() -> None:
    told = found({CI: 'a:\n  image: "python:$PY"\n  parallel: {matrix: [{PY: ["3.8", "3.11"]}]}\n  script: pytest\n'})

    assert (runs(told), told.image) == ({"a": f"{PYTHON}export PY=3.11 && pytest"}, "python:3.11-slim")


def test_what_is_included_from_elsewhere_is_said() -> None:
    told = found({CI: "include: [{project: a/b, file: x.yml}, {local: gone.yml}]\na: {script: [go test]}\n"})

    assert runs(told) == {"a": "go test"}
    assert list(notes(told)) == ["include project: a/b, file: x.yml", "include local: gone.yml"]


@pytest.mark.parametrize(
    "text",
    [
        "a: {extends: a, script: [go test]}\n",
        "a: {extends: b, script: !reference [a, script]}\nb: {extends: a}\n",
        "include: .gitlab-ci.yml\na: {script: {a: b}, image: [1], variables: [2], parallel: x}\nb: 3\ndefault: 4\n",
        "a: [",
    ],
)
def test_circles_end_and_nonsense_breaks_nothing(text: str) -> None:
    assert set(runs(found({CI: text}))) <= {"a"}


def test_githubs_workflows_come_first() -> None:
    told = found(
        {
            CI: "a: {script: [go test]}\n",
            ".github/workflows/ci.yml": "on: push\njobs: {b: {runs-on: x, steps: [{run: npm test}]}}\n",
        }
    )

    assert runs(told) == {"b": "npm test"}
    assert setup(told) == []
