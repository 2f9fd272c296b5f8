"""What a forge knows of our requests."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

_KEY = re.compile(r"<!-- selfheal-key: ([0-9a-f]{64}) -->")
_COMMIT = re.compile(r"<!-- selfheal-commit: ([0-9a-f]{40,64}) -->")


class State(StrEnum):
    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"  # unmerged: a person turned it down


@dataclass(frozen=True)
class Request:
    """A pull or merge request of ours."""

    number: int
    url: str
    branch: str
    state: State
    created: datetime
    body: str = ""

    @property
    def key(self) -> str | None:
        """Of the healing, as the hidden marker says it."""
        found = _KEY.search(self.body)
        return found[1] if found else None


@dataclass(frozen=True)
class Comment:
    id: int
    text: str


def key_marker(key: str) -> str:
    """What tells nobody but us which healing a request is of."""
    return f"<!-- selfheal-key: {key} -->"


def commit_marker(commit: str) -> str:
    """What tells for which failing commit a request or a comment was made."""
    return f"<!-- selfheal-commit: {commit} -->"


def commits_in(text: str) -> frozenset[str]:
    """The failing commits that a request or a comment was made for."""
    return frozenset(_COMMIT.findall(text))
