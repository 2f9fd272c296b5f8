"""The whole story of a healing, and of its publication."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from selfheal_ci.values.attempts import Attempt, Cost, Evidence, Shortfall
from selfheal_ci.values.findings import Base, Finding
from selfheal_ci.values.runs import Failure, Step
from selfheal_ci.values.trees import NOTHING, Changes, Tree


@dataclass(frozen=True)
class Source:
    """Where the failing tree comes from."""

    repository: str  # the remote's address without credentials, else the folder's name
    branch: str | None
    commit: str | None  # None: a folder without git
    tree: Tree
    dirty: bool
    base: Base | None
    on_default_branch: bool = False


class Status(StrEnum):
    HEALTHY = "healthy"
    HEALED = "healed"
    NOT_HEALED = "not_healed"
    FLAKY = "flaky"
    ENVIRONMENT = "environment"
    REFUSED = "refused"
    OVER_BUDGET = "over_budget"
    SKIPPED = "skipped"
    ERROR = "error"


@dataclass(frozen=True)
class Healing:
    """What `heal` found out and did."""

    status: Status
    step: Step
    source: Source
    failures: tuple[Failure, ...] = ()
    finding: Finding | None = None
    attempts: tuple[Attempt, ...] = ()
    changes: Changes = NOTHING  # what heals: verified, refused or partial, as the status says
    evidence: Evidence = field(default_factory=Evidence)
    labels: tuple[str, ...] = ()
    open: tuple[str, ...] = ()  # failures that were to be healed and are not
    lacks: tuple[Shortfall, ...] = ()
    cost: Cost = field(default_factory=Cost)
    seconds: float = 0.0
    not_checked: tuple[str, ...] = ()


@dataclass(frozen=True)
class PatchedFile:
    """One path of the patch. before None: a new file; after None: a deleted one."""

    path: str
    mode: str
    before: str | None  # blob id
    after: str | None
    content: bytes | None


@dataclass(frozen=True)
class Publication:
    """A healing that was checked again and may be published."""

    key: str
    step: str
    commit: str  # the failing commit, whose tree was healed
    target: str  # the branch whose head gets the fix
    files: tuple[PatchedFile, ...]
    branch: str  # "selfheal/tests-1a2b3c4d"
    title: str
    message: str  # the commit's, trailers included
    body: str  # the request's, Markdown
    labels: tuple[str, ...] = ()
    draft: bool = True
    reviewers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Published:
    """Where the fix is now."""

    branch: str
    commit: str
    created: bool  # False: it was there already
    url: str | None = None
    number: int | None = None
