"""What the forges say of failed jobs, over real HTTP."""

from __future__ import annotations

import time
from typing import Any

import pytest

from selfheal_ci.errors import ForgeError
from selfheal_ci.forges.failed_jobs import GithubJobs, GitlabJobs
from selfheal_ci.values import FailedJob
from tests.jobs_api import JobsApi, serving

FAILED = {
    "name": "unit (3.11)",
    "conclusion": "failure",
    "steps": [{"name": "Set up job", "conclusion": "success"}, {"name": "Run pytest", "conclusion": "failure"},
              {"name": "Upload", "conclusion": "skipped"}],
}  # fmt: skip
FINE = {"name": "lint", "conclusion": "success", "steps": []}
RUNNING = {"name": "heal", "conclusion": None, "steps": [{"name": "x", "conclusion": None}]}


def github(api: JobsApi, attempt: str | None = "2", seconds: float = 5) -> GithubJobs:
    return GithubJobs(api.url, "o/r", "17", attempt, "read-token", seconds)


def test_github_names_failed_jobs_and_their_failed_steps() -> None:
    with serving({"total_count": 3, "jobs": [FINE, FAILED, RUNNING]}) as api:
        failed = github(api).failed()

    assert failed == (FailedJob("unit (3.11)", ("Run pytest",)),)
    path, headers = api.asked[0]
    assert path == "/repos/o/r/actions/runs/17/attempts/2/jobs?per_page=100&page=1"
    assert headers["Authorization"] == "Bearer read-token"


def test_all_pages_are_read_and_no_more() -> None:
    with serving({"jobs": [FINE] * 100}, {"jobs": [FAILED]}) as api:
        assert len(github(api, None).failed()) == 1

    assert [path.partition("?")[2] for path, _ in api.asked] == ["per_page=100&page=1", "per_page=100&page=2"]
    assert api.asked[0][0].startswith("/repos/o/r/actions/runs/17/jobs")


def test_pages_without_end_are_left() -> None:
    with serving({"jobs": [FINE] * 100}) as api:
        assert github(api).failed() == ()

    assert len(api.asked) == 5


def test_gitlab_names_failed_jobs_that_count() -> None:
    with serving([{"name": "tests: [3.11]"}, {"name": "may fail", "allow_failure": True}]) as api:
        failed = GitlabJobs(f"{api.url}/api/v4", "7", "9", "read-token").failed()

    assert failed == (FailedJob("tests: [3.11]"),)
    path, headers = api.asked[0]
    assert path == "/api/v4/projects/7/pipelines/9/jobs?scope[]=failed&per_page=100&page=1"
    assert headers["Private-Token"] == "read-token"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((404, {}), "HTTP 404"),
        ((403, {}), "HTTP 403"),
        ((500, {}), "HTTP 500"),
        (b"no json", "does not say which step failed"),
        (b"[" * 100_000, "does not say which step failed"),
        (b" " * (9 << 20), "its answer is too long"),
    ],
)
def test_whatever_goes_wrong_is_an_error_of_the_forge(answer: Any, said: str) -> None:
    with serving(answer) as api, pytest.raises(ForgeError) as wrong:
        github(api).failed()

    assert said in wrong.value.message
    assert wrong.value.hint == "name the step with --step"


@pytest.mark.parametrize("answer", [[], {}, 3, {"jobs": 3}, {"jobs": [1, {}, {"steps": 3, "conclusion": "failure"}]}])
def test_nonsense_breaks_nothing(answer: Any) -> None:
    with serving(answer) as api:
        assert github(api).failed() in {(), (FailedJob("None"),)}


def test_a_redirect_is_not_followed() -> None:
    with serving([FAILED]) as other:
        with serving((302, {"Location": other.url})) as api, pytest.raises(ForgeError, match="HTTP 302"):
            github(api).failed()

        assert other.asked == []


def test_a_slow_forge_is_left_when_its_time_is_over() -> None:
    began = time.monotonic()

    with serving({"jobs": [FAILED]}, trickle=0.05) as api, pytest.raises(ForgeError):
        github(api, seconds=0.5).failed()

    assert time.monotonic() - began < 3


def test_no_token_goes_over_plain_http_to_another_machine() -> None:
    with pytest.raises(ForgeError, match=r"example\.org is not asked which step failed: no token goes over http"):
        GithubJobs("http://example.org", "o/r", "1", None, "read-token").failed()


def test_a_token_is_in_no_description() -> None:
    assert "read-token" not in repr(GithubJobs("x", "o/r", "1", None, "read-token"))
    assert "read-token" not in repr(GitlabJobs("x", "7", "9", "read-token"))
