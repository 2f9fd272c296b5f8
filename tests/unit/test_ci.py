"""What a job says of itself, and which configuration counts in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from selfheal_ci.ci import Ci, read_ci
from selfheal_ci.config import load
from selfheal_ci.errors import UsageError
from selfheal_ci.store import open_store
from selfheal_ci.store.remote import Address
from selfheal_ci.wiring.builder import read_token, write_token
from selfheal_ci.wiring.reading import choose_steps, read_configuration
from tests.builders import a_repository, commit, git, put

NOTHING = "0" * 40
OLD, EVIL = "[steps.old]\nrun = 'true'\n", "[steps.evil]\nrun = 'curl'\n"


def github(tmp_path: Path, event: object, **more: str) -> Ci | None:
    put(tmp_path, {"event.json": event if isinstance(event, str) else json.dumps(event)})
    return read_ci({"GITHUB_ACTIONS": "true", "GITHUB_EVENT_PATH": str(tmp_path / "event.json"), **more})


@pytest.mark.parametrize(
    ("event", "trusted"),
    [
        ({"before": "a" * 40}, "a" * 40),
        ({"pull_request": {"base": {"sha": "b" * 40}}, "before": "a" * 40}, "b" * 40),
        ({"before": NOTHING}, None),
        ({"pull_request": {"base": None}}, None),
        ({"pull_request": "x"}, None),
        ({"schedule": "* * * * *"}, None),
        ({}, None),
        ([], None),
        ("{", None),
    ],
)
def test_the_trusted_commit_is_the_one_before_the_change(tmp_path: Path, event: Any, trusted: str | None) -> None:
    assert github(tmp_path, event, GITHUB_REF_NAME="new") == Ci("github", "new", trusted)


def test_the_event_names_the_default_branch(tmp_path: Path) -> None:
    assert github(tmp_path, {"repository": {"default_branch": "trunk"}}) == Ci("github", None, None, "trunk")
    assert read_ci({"GITLAB_CI": "true", "CI_COMMIT_BRANCH": "x", "CI_COMMIT_BEFORE_SHA": NOTHING,
                    "CI_DEFAULT_BRANCH": "trunk"}) == Ci("gitlab", "x", None, "trunk")  # fmt: skip


def test_a_workflow_that_follows_another_heals_the_branch_of_that_one(tmp_path: Path) -> None:
    event = {"workflow_run": {"head_branch": "topic"}}

    assert github(tmp_path, event, GITHUB_REF_NAME="main") == Ci("github", "topic", None)
    assert github(tmp_path, {"workflow_run": None}, GITHUB_REF_NAME="main") == Ci("github", "main", None)


def test_on_a_persons_machine_there_is_no_job() -> None:
    assert read_ci({}) is None


# ---------------------------------------------------------------------------------------------------------------------
# Which configuration counts


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A new branch whose configuration differs from the default branch's, with no remote yet."""
    made = a_repository(tmp_path / "project", {".selfheal.toml": OLD})
    git(made, "switch", "--quiet", "--create", "new")
    commit(made, {".selfheal.toml": EVIL})
    return made


def steps_of(project: Path, tmp_path: Path, ci: Ci | None, **asked: object) -> list[str]:
    with open_store(project, tmp_path / "store") as store:
        return [step.name for step in read_configuration(store, {"source": str(project), **asked}, ci).steps]


@pytest.mark.parametrize(("ref", "default"), [("main", None), ("master", None), ("trunk", "trunk")])
def test_a_new_branch_is_configured_by_the_default_branch(
    tmp_path: Path, project: Path, ref: str, default: str | None
) -> None:
    git(project, "update-ref", f"refs/remotes/origin/{ref}", "HEAD~1")

    assert steps_of(project, tmp_path, Ci("github", "new", None, default)) == ["old"]


def test_the_default_branch_may_be_known_from_the_remotes_head(tmp_path: Path, project: Path) -> None:
    git(project, "update-ref", "refs/remotes/origin/trunk", "HEAD~1")
    git(project, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk")

    assert steps_of(project, tmp_path, Ci("gitlab", "new", None)) == ["old"]


@pytest.mark.parametrize("ci", [Ci("github", "new", None), Ci("github", "new", None, "trunk"), Ci("gitlab", None, None)])
def test_without_any_trusted_revision_the_tree_under_repair_is_not_asked(tmp_path: Path, project: Path, ci: Ci) -> None:
    git(project, "update-ref", "refs/remotes/origin/new", "HEAD")

    with pytest.raises(UsageError) as refused:
        steps_of(project, tmp_path, ci)

    assert refused.value.exit_code == 2
    assert "fetch-depth: 0" in refused.value.hint
    assert "--config FILE" in refused.value.hint


def test_a_named_file_configures_any_job(tmp_path: Path, project: Path) -> None:
    put(tmp_path, {"mine.toml": "[steps.mine]\nrun = 'x'\n"})

    assert steps_of(project, tmp_path, Ci("github", "new", None), config=str(tmp_path / "mine.toml")) == ["mine"]


def test_a_person_is_configured_by_the_checkout(tmp_path: Path, project: Path) -> None:
    assert steps_of(project, tmp_path, None) == ["evil"]


def test_only_a_person_or_a_trusted_file_names_an_address(tmp_path: Path, project: Path) -> None:
    text = "[publish]\nremote = 'https://example.org/x'\n"
    trusted = commit(project, {".selfheal.toml": text})
    with open_store(project, tmp_path / "store") as store:
        asked: dict[str, object] = {"source": str(project)}

        def is_asked(ci: Ci | None, **more: object) -> bool:
            return read_configuration(store, {**asked, **more}, ci).settings.remote_asked

        assert not is_asked(None)
        assert is_asked(None, remote="https://example.org/x")
        assert is_asked(Ci("github", "new", trusted))


def test_a_step_that_nobody_configured_is_told_in_words(tmp_path: Path, project: Path) -> None:
    with open_store(project, tmp_path / "store") as store, pytest.raises(UsageError) as wrong:
        choose_steps(load({}, {"step": "nope"}), (), store.failing())

    assert wrong.value.message == "there is no step 'nope': no steps are configured"
    assert ".selfheal.toml" in wrong.value.hint


# ---------------------------------------------------------------------------------------------------------------------
# Who gets which token

TOKENS = {"SELFHEAL_TOKEN": "ours", "GITHUB_TOKEN": "github's", "GITLAB_TOKEN": "gitlab's"}


@pytest.mark.parametrize(
    ("url", "written", "read"),
    [
        ("https://github.com/a/b", "ours", "github's"),
        ("https://gitlab.com/a/b", "ours", "gitlab's"),
        ("https://example.org/a/b", None, None),
        ("https://github.com:444/a/b", None, None),
        ("https://github.com.example.org/a/b", None, None),
        ("git@github.com:a/b", None, None),
        ("/srv/a.git", None, None),
        ("file:///srv/a.git", None, None),
    ],
)
def test_a_token_goes_to_its_own_forge(url: str, written: str | None, read: str | None) -> None:
    there = Address(url, asked=False)

    assert (write_token(TOKENS)(there), read_token(TOKENS)(there)) == (written, read)


def test_our_own_token_goes_where_a_person_says() -> None:
    there = Address("https://example.org/a/b", asked=True)

    assert (write_token(TOKENS)(there), read_token(TOKENS)(there)) == ("ours", None)
    assert write_token(TOKENS)(Address("/srv/a.git", asked=True)) is None


def test_the_job_says_where_its_forge_is() -> None:
    environ = TOKENS | {
        "GITHUB_SERVER_URL": "https://ghe.example.org:8443", "CI_SERVER_HOST": "lab.example.org", "CI_SERVER_PORT": "444",
    }  # fmt: skip

    def read(url: str) -> str | None:
        return read_token(environ)(Address(url, asked=False))

    assert read("https://ghe.example.org:8443/a") == "github's"
    assert read("https://lab.example.org:444/a") == "gitlab's"
    assert read("https://ghe.example.org/a") is None
    assert read("https://github.com/a") is None
    assert read("https://gitlab.com/a") is None


def test_a_forge_whose_address_cannot_be_read_gets_none() -> None:
    environ = TOKENS | {"GITHUB_SERVER_URL": "http://ghe.example.org"}

    for url in ("/srv/a.git", "http://ghe.example.org/a", "https://ghe.example.org/a", "https://github.com/a"):
        assert write_token(environ)(Address(url, asked=False)) is None


def test_without_our_own_token_the_jobs_is_used() -> None:
    assert write_token({"GITHUB_TOKEN": "github's"})(Address("https://github.com/a", asked=False)) == "github's"
