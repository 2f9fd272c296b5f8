from __future__ import annotations

from dataclasses import replace

import pytest

from selfheal_ci import config
from selfheal_ci.discover import Found, text_of
from selfheal_ci.discover.found import FoundStep, Line, Origin
from tests.unit.discover.samples import of_steps

WRITTEN = """\
# From the repository's own files: look it through. `selfheal heal --step NAME` tries a step.
image = "python:3.12-slim"  # for the Dagger engine; the local one has this machine's tools
setup = [
  "python3 -m venv ~/.venv",  # .github/workflows/ci.yml:3
  ". ~/.venv/bin/activate && pip install -e .",  # .github/workflows/ci.yml:8
]

[steps.lint-it]  # .github/workflows/ci.yml:10
run = ". ~/.venv/bin/activate && ruff check ."
fix = [". ~/.venv/bin/activate && ruff check --fix ."]

[steps.tests]  # .github/workflows/ci.yml:11
run = '''
set -e
. ~/.venv/bin/activate
pytest -k "a"
pytest b'''
"""


def test_each_line_says_where_it_comes_from() -> None:
    told = of_steps("""
- uses: actions/setup-python@v5
  with: {python-version: "3.12"}
- run: pip install -e .
- name: Lint it
  run: ruff check .
- run: |
    pytest -k "a"
    pytest b
""")

    assert text_of(told) == WRITTEN.replace("yml:11", "yml:12")


@pytest.mark.parametrize(
    "run",
    [
        "a \"b\" 'c'",
        "a\n'''b'''",
        "a\\nb \\ ",
        "a\tb",
        "\x7f\x00\x1b",
        "ä 🎉",
        "a'",
        "a\nb'",
        "a\r\nb",
        "\n a",
        'a """ b',
        "\u2028",
    ],
)
def test_whatever_a_line_holds_is_read_back_as_it_is(run: str) -> None:
    line = Line(run, Origin("a\n[steps.evil]", 3))
    told = Found((FoundStep("a.b", line, run, build=(run,), fix=(run,)),), (line,), image=run)

    read = config.load({".selfheal.toml": text_of(told).encode()}, {})

    assert [(step.name, step.run, step.build, step.fix) for step in read.steps] == [("a.b", run, (run,), (run,))]
    assert (read.settings.setup, read.settings.image) == ((run,), run)


def test_what_the_reader_would_refuse_is_never_written() -> None:
    told = of_steps("- run: pytest")

    with pytest.raises(Exception, match="step name"):
        text_of(replace(told, steps=(replace(told.steps[0], name="no name"),)))
