"""The step that failed, found by itself in CI: the forge says which, the CI's files say which of ours that is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from selfheal_ci.ci import Ci
from selfheal_ci.discover import Found
from selfheal_ci.discover.matching import matched
from selfheal_ci.errors import ForgeError
from selfheal_ci.ports import FailedJobs
from selfheal_ci.store.remote import Address
from selfheal_ci.values import Step
from selfheal_ci.wiring.builder import TokenFor
from selfheal_ci.words import one_line

LARGEST = 16 << 20  # bytes of the event that are read


def failed_step(
    jobs: FailedJobs, steps: Sequence[Step], found: Found, environ: Mapping[str, str], warn: Callable[[str], None]
) -> Step | None:
    """The configured step that failed in this run; None, with a warning, where nobody can tell. Never an error."""
    try:
        failed = jobs.failed()
    except ForgeError as silent:
        warn(f"{silent.message}: trying all steps in order")
        return None
    step = matched(failed, found, steps, _workflow(environ))
    if failed and step is None:
        said = "; ".join(" / ".join((job.name, *job.steps)) for job in failed[:3])
        warn(f"what failed ({one_line(said)}) is no configured step: trying all in order")
    return step


def failed_jobs(ci: Ci, environ: Mapping[str, str], token: TokenFor) -> FailedJobs | None:
    """Who to ask; None without a token that may read, or outside of a run."""
    from selfheal_ci.forges.failed_jobs import GithubJobs, GitlabJobs

    github = ci.name == "github"
    server = (environ.get("GITHUB_SERVER_URL") or "https://github.com") if github else environ.get("CI_SERVER_URL", "")
    said = token(Address(server, asked=False))
    if not said:
        return None
    if github:
        api, run, attempt = environ.get("GITHUB_API_URL") or "https://api.github.com", *_run(environ)
        repository = environ.get("GITHUB_REPOSITORY")
        return GithubJobs(api, repository, run, attempt, said) if repository and run else None
    api, project, pipeline = (environ.get(name, "") for name in ("CI_API_V4_URL", "CI_PROJECT_ID", "CI_PIPELINE_ID"))
    return GitlabJobs(api, project, pipeline, said) if api and project and pipeline else None


def _run(environ: Mapping[str, str]) -> tuple[str, str | None]:
    """The run that failed, and its attempt: the one that started us, or our own."""
    other = _before(environ)
    if other.get("id"):
        return str(other["id"]), str(other["run_attempt"]) if other.get("run_attempt") else None
    return environ.get("GITHUB_RUN_ID", ""), environ.get("GITHUB_RUN_ATTEMPT") or None


def _workflow(environ: Mapping[str, str]) -> str | None:
    """The file of the workflow that failed."""
    path = _before(environ).get("path")
    match = re.fullmatch(r"[^/]+/[^/]+/(.+?)@.*", environ.get("GITHUB_WORKFLOW_REF", ""))
    return path if isinstance(path, str) else match[1] if match else None


def _before(environ: Mapping[str, str]) -> Mapping[str, Any]:
    """The run that this one is started by, as the event tells."""
    if environ.get("GITHUB_EVENT_NAME") != "workflow_run":
        return {}
    try:
        with Path(environ.get("GITHUB_EVENT_PATH", "")).open("rb") as file:
            event = json.loads(file.read(LARGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    run = event.get("workflow_run") if isinstance(event, dict) else None
    return run if isinstance(run, dict) else {}
