"""`selfheal init`, as a person runs it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from selfheal_ci import config
from selfheal_ci.cli import main
from tests.builders import a_repository, put

WORKFLOW = """\
on: [push, pull_request]
jobs:
  tests:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: npm ci
      - name: Unit tests
        run: npm test
      - name: Ship it
        run: npm publish
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return a_repository(tmp_path / "project", {".github/workflows/ci.yml": WORKFLOW})


def init(project: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["init", "--source", str(project), *words])


def test_writes_what_the_reader_reads(project: Path) -> None:
    done = init(project)

    assert done.exit_code == 0, done.stderr
    read = config.load({".selfheal.toml": (project / ".selfheal.toml").read_bytes()}, {})
    assert [(step.name, step.run) for step in read.steps] == [("tests", "npm test")]
    assert read.settings.setup == ("npm ci",)
    assert done.stdout == ""
    assert done.stderr == (
        f"wrote {project}/.selfheal.toml\n"
        "  step tests: npm test (.github/workflows/ci.yml:9)\n"
        "  setup: 1 line\n"
        "not translated:\n"
        "  .github/workflows/ci.yml:11: Ship it: it publishes: `npm publish`\n"
    )


def test_a_configuration_that_is_there_stays(project: Path) -> None:
    put(project, {".selfheal.toml": "# mine\n"})

    done = init(project)

    assert done.exit_code == 2
    assert done.stderr == (
        "selfheal: there is a .selfheal.toml already\n"
        "  see what would be written with `selfheal init --print`; --force replaces the file\n"
    )
    assert (project / ".selfheal.toml").read_text() == "# mine\n"


def test_it_is_shown_without_being_written(project: Path) -> None:
    put(project, {".selfheal.toml": "# mine\n"})

    done = init(project, "--print")

    assert (done.exit_code, (project / ".selfheal.toml").read_text()) == (0, "# mine\n")
    assert '[steps.tests]  # .github/workflows/ci.yml:9\nrun = "npm test"\n' in done.stdout


def test_it_is_replaced_when_that_is_asked_for(project: Path) -> None:
    put(project, {".selfheal.toml": "# mine\n"})

    assert init(project, "--force").exit_code == 0
    assert "npm test" in (project / ".selfheal.toml").read_text()


def test_a_table_in_pyproject_is_a_configuration_too(project: Path) -> None:
    put(project, {"pyproject.toml": "[tool.selfheal]\n"})

    for words in ([], ["--force"]):
        done = init(project, *words)
        assert (done.exit_code, (project / ".selfheal.toml").exists()) == (2, False)
        assert "[tool.selfheal] in pyproject.toml configures selfheal already" in done.stderr


def test_nothing_is_written_through_a_link(project: Path, tmp_path: Path) -> None:
    (project / ".selfheal.toml").symlink_to(tmp_path / "elsewhere")

    assert init(project).exit_code == 2
    assert init(project, "--force").exit_code == 0
    assert not (tmp_path / "elsewhere").exists()


def test_where_nothing_is_found_the_hint_says_how_to_begin(tmp_path: Path) -> None:
    done = init(a_repository(tmp_path / "project", {"README": ""}))

    assert done.exit_code == 2
    assert "no step was found" in done.stderr
    assert "selfheal heal -- COMMAND" in done.stderr


def test_a_folder_without_git_does(tmp_path: Path) -> None:
    put(tmp_path, {"go.mod": "module x\n"})

    assert init(tmp_path).exit_code == 0
    assert "go test ./..." in (tmp_path / ".selfheal.toml").read_text()


def test_no_folder_is_said(tmp_path: Path) -> None:
    assert init(tmp_path / "gone").exit_code == 2


def test_words_of_the_repository_stay_words(tmp_path: Path) -> None:
    evil = 'on: push\njobs: {a: {runs-on: x, steps: [{run: pytest, name: "\\e[31m::error::"}, {uses: "x/\\n::error::y"}]}}\n'

    done = init(a_repository(tmp_path / "project", {".github/workflows/ci.yml": evil}))

    assert done.exit_code == 0
    assert "\x1b" not in done.stderr
    assert "\n::error" not in done.stderr
