"""Asks a forge by its API which jobs of a run failed: GitHub with their steps, GitLab without."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPMessage, HTTPResponse
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from selfheal_ci.errors import ForgeError
from selfheal_ci.values import FailedJob

SECONDS = 10.0  # for all that is asked
LARGEST, PAGES, PER_PAGE = 8 << 20, 5, 100  # bytes of an answer; of jobs
LOOPBACK = {"127.0.0.1", "::1", "localhost"}
BROKEN = {"failure", "timed_out"}
HINT = "name the step with --step"


@dataclass(frozen=True)
class GithubJobs:
    """The jobs of one attempt of a workflow's run."""

    api: str  # https://api.github.com, or what an Enterprise server says
    repository: str  # owner/name
    run: str
    attempt: str | None
    token: str = field(repr=False)
    seconds: float = SECONDS

    def failed(self) -> tuple[FailedJob, ...]:
        """See FailedJobs."""
        attempt = f"/attempts/{quote(self.attempt, safe='')}" if self.attempt else ""
        url = f"{self.api}/repos/{quote(self.repository)}/actions/runs/{quote(self.run, safe='')}{attempt}/jobs"
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/vnd.github+json"}
        jobs = (job for page in _pages(url, headers, self.seconds) for job in _tables(page.get("jobs")))
        return tuple(
            FailedJob(str(job.get("name")), _names(job.get("steps"))) for job in jobs if job.get("conclusion") in BROKEN
        )


@dataclass(frozen=True)
class GitlabJobs:
    """The jobs of a pipeline."""

    api: str  # https://gitlab.com/api/v4
    project: str  # its number
    pipeline: str
    token: str = field(repr=False)
    seconds: float = SECONDS

    def failed(self) -> tuple[FailedJob, ...]:
        """See FailedJobs."""
        url = f"{self.api}/projects/{quote(self.project, safe='')}/pipelines/{quote(self.pipeline, safe='')}/jobs"
        headers = {"PRIVATE-TOKEN": self.token}
        jobs = (job for page in _pages(f"{url}?scope[]=failed", headers, self.seconds) for job in _tables(page.get("jobs")))
        return tuple(FailedJob(str(job.get("name"))) for job in jobs if not job.get("allow_failure"))


def _names(steps: object) -> tuple[str, ...]:
    return tuple(str(step.get("name")) for step in _tables(steps) if step.get("conclusion") in BROKEN)


def _tables(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _pages(url: str, headers: Mapping[str, str], seconds: float) -> Iterator[Mapping[str, Any]]:
    """Page by page, as long as pages are full. A bare list is what GitLab calls jobs."""
    deadline = time.monotonic() + seconds
    for number in range(1, PAGES + 1):
        sign = "&" if "?" in url else "?"
        said = _asked(f"{url}{sign}per_page={PER_PAGE}&page={number}", headers, deadline)
        page = {"jobs": said} if isinstance(said, list) else said if isinstance(said, dict) else {}
        yield page
        if len(_tables(page.get("jobs"))) < PER_PAGE:
            return


class _Stay(HTTPRedirectHandler):
    """No redirect is followed: it would be told the token."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        return None


def _asked(url: str, headers: Mapping[str, str], deadline: float) -> object:
    place = urlsplit(url)
    if place.scheme != "https" and not (place.scheme == "http" and place.hostname in LOOPBACK):
        raise ForgeError(f"{place.hostname} is not asked which step failed: no token goes over {place.scheme}", hint=HINT)
    try:
        left = max(deadline - time.monotonic(), 0.001)
        with build_opener(_Stay).open(Request(url, headers=dict(headers)), timeout=left) as answer:  # noqa: S310  looked above
            return json.loads(_body(answer, deadline))
    except HTTPError as refused:
        raise ForgeError(f"{place.hostname} does not say which step failed: HTTP {refused.code}", hint=HINT) from refused
    except (OSError, ValueError, RecursionError, HTTPException) as broken:
        raise ForgeError(f"{place.hostname} does not say which step failed: {broken}", hint=HINT) from broken


def _body(answer: HTTPResponse, deadline: float) -> bytes:
    data = bytearray()
    while piece := answer.read1(1 << 16):
        data += piece
        if len(data) > LARGEST or time.monotonic() > deadline:
            raise ValueError("its answer is too long" if len(data) > LARGEST else "its answer takes too long")
    return bytes(data)
