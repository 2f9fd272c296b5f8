"""What the CI's environment says: which branch failed, and which commit may be trusted for the configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

NO_COMMIT = re.compile(r"0*")
EVENT_LIMIT = 16 << 20  # bytes of a forge's event that are read


@dataclass(frozen=True)
class Ci:
    """One CI job."""

    name: str  # "github", "gitlab"
    branch: str | None  # the branch that failed
    trusted: str | None  # the commit before anything of this change: configuration is read there
    default_branch: str | None = None  # configuration is read there when no commit was before this change
    summary: Path | None = None  # a file whose Markdown the forge shows beside the job
    outputs: Path | None = None  # a file that takes what later steps of the job read
    workspace: Path | None = None  # where the repository is checked out: paths shown beside code start there


def read_ci(environ: Mapping[str, str]) -> Ci | None:
    """The job we run in; None on a person's machine."""
    if environ.get("GITHUB_ACTIONS") == "true":
        event = _event(environ.get("GITHUB_EVENT_PATH"))
        pull = event.get("pull_request")
        base = _within(_within(pull, "base"), "sha") if pull else event.get("before")
        default_branch = _text(_within(event.get("repository"), "default_branch"))
        branch = environ.get("GITHUB_HEAD_REF") or environ.get("GITHUB_REF_NAME")
        if (run := event.get("workflow_run")) is not None:  # this job's own branch is always the default one
            branch = _text(_within(run, "head_branch"))
        named = ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT", "GITHUB_WORKSPACE")
        files = [Path(environ[name]) if environ.get(name) else None for name in named]
        return Ci("github", branch or None, _commit(base), default_branch, *files)
    if environ.get("GITLAB_CI") == "true":
        branch = environ.get("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME") or environ.get("CI_COMMIT_BRANCH")
        base = environ.get("CI_MERGE_REQUEST_DIFF_BASE_SHA") or environ.get("CI_COMMIT_BEFORE_SHA")
        return Ci("gitlab", branch or None, _commit(base), environ.get("CI_DEFAULT_BRANCH") or None)
    return None


def _event(path: str | None) -> Mapping[str, object]:
    if not path:
        return {}
    try:
        with Path(path).open("rb") as file:
            event = json.loads(file.read(EVENT_LIMIT))
    except (OSError, ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


def _within(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, dict) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _commit(value: object) -> str | None:
    if not isinstance(value, str) or NO_COMMIT.fullmatch(value):
        return None
    return value if re.fullmatch(r"[0-9a-f]{40,64}", value) else None
