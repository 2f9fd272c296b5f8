"""The frozen values that the stages hand to each other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

# ---------------------------------------------------------------------------------------------------------------------
# Trees and what may be changed in them. Paths are relative, with "/", undecodable bytes as surrogate escapes.


@dataclass(frozen=True)
class Entry:
    """What a git tree says of one path."""

    mode: str  # "100644", "100755", "120000"
    blob: str  # object id of the bytes as they are in the checkout, no filter applied


@dataclass(frozen=True)
class Tree:
    """A whole set of files; its bytes are in the store."""

    id: str  # git tree id
    root: Path  # the absolute path at which every run sees the tree
    entries: Mapping[str, Entry]
    environment: tuple[str, ...] = ()  # ignored files and folders below root that the tests need (.venv, …)


@dataclass(frozen=True)
class Content:
    """The bytes a changed path gets."""

    data: bytes
    mode: str = "100644"


@dataclass(frozen=True)
class Changes:
    """New content for each path; None deletes it."""

    files: Mapping[str, Content | None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.files)

    def over(self, below: Changes) -> Changes:
        """Both, and ours where both name a path."""
        return Changes({**below.files, **self.files})

    @property
    def digest(self) -> str:
        """The same for the same changes, whatever the order they were made in."""
        total = hashlib.sha256()
        for path, content in sorted(self.files.items()):
            parts = (b"-",) if content is None else (content.mode.encode(), content.data)
            for part in (path.encode("utf-8", "surrogateescape"), *parts):
                total.update(len(part).to_bytes(8, "big") + part)
            total.update(b"|")
        return total.hexdigest()


NOTHING = Changes(MappingProxyType({}))


@dataclass(frozen=True)
class Commit:
    """One commit between the green revision and the failing one."""

    id: str
    subject: str
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Hunk:
    """One change between two trees. A text hunk replaces lines; a whole-file one adds, deletes or rewrites the file."""

    path: str
    start: int  # index of the first new line in the newer file, from 0
    old: tuple[bytes, ...]  # lines of the older file, ends kept
    new: tuple[bytes, ...]  # lines of the newer file, ends kept
    before: Content | None = None  # whole files only
    after: Content | None = None
    whole: bool = False
    mode: str = "100644"  # text hunks only: the file's, on both sides

    @property
    def lines(self) -> tuple[int, int]:
        """First and last line in the newer file, from 1; for a pure deletion the line it stood before, twice."""
        return (self.start + 1, self.start + max(len(self.new), 1))


# ---------------------------------------------------------------------------------------------------------------------
# What is run, and what came of it


@dataclass(frozen=True)
class Step:
    """A step as the configuration describes it."""

    name: str
    run: str
    build: tuple[str, ...] = ()
    reports: tuple[str, ...] = ()
    fix: tuple[str, ...] = ()
    timeout: float = 900.0  # seconds
    network: bool = False


@dataclass(frozen=True)
class Recipe:
    """How a tree becomes ready to run."""

    setup: tuple[str, ...] = ()
    setup_env: Mapping[str, str] = field(default_factory=dict)
    image: str | None = None  # Dagger only
    build_files: frozenset[str] = frozenset()  # paths whose change asks for a new setup


@dataclass(frozen=True)
class Limits:
    """What one run may use."""

    memory: int = 4 << 30  # bytes
    processes: int = 512
    disk: int = 4 << 30  # bytes
    output: int = 16 << 20  # bytes kept of what it prints


REPORTS = "/tmp/selfheal-reports"  # empty, writable folder that every engine gives a run  # noqa: S108
SUPPORT = "/tmp/selfheal-support"  # where Command.support is found by the run  # noqa: S108


@dataclass(frozen=True)
class Command:
    """What a sandbox is asked to run: `sh -c shell` in the root of the tree."""

    shell: str
    timeout: float  # seconds
    env: Mapping[str, str] = field(default_factory=dict)
    reports: tuple[str, ...] = ()  # globs below the tree; everything in REPORTS is read as well
    support: Mapping[str, bytes] = field(default_factory=dict)  # name → bytes, laid into SUPPORT
    network: bool = False


class Stop(StrEnum):
    """How a run ended."""

    EXITED = "exited"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    DISK = "disk"
    KILLED = "killed"  # by a signal that no limit of ours explains


@dataclass(frozen=True)
class Output:
    """What a run printed; the middle is left out when it printed too much."""

    head: bytes = b""
    tail: bytes = b""
    left_out: int = 0  # bytes between head and tail

    @property
    def text(self) -> str:
        """Head and tail, decoded for reading."""
        gap = f"\n… {self.left_out} bytes left out …\n" if self.left_out else ""
        return self.head.decode("utf-8", "replace") + gap + self.tail.decode("utf-8", "replace")


@dataclass(frozen=True)
class Run:
    """A command that was run. Failing is no error: it is what we came to see."""

    shell: str
    stop: Stop
    exit_code: int | None  # None unless it exited
    output: Output
    seconds: float
    reports: Mapping[str, bytes] = field(default_factory=dict)  # path → bytes
    changed: Changes = NOTHING  # what the command changed below the tree, files up to 1 MB


# ---------------------------------------------------------------------------------------------------------------------
# What a run says about the step


@dataclass(frozen=True)
class Failure:
    """One thing that fails, under an id that is the same in every run."""

    id: str  # "tests/test_cart.py::test_total"; "step:NAME" when there is only the output
    fingerprint: str
    message: str
    path: str | None = None
    line: int | None = None
    type: str = ""  # "AssertionError"
    text: str = ""  # trace, or the reduced log


@dataclass(frozen=True)
class Green:
    """Exit code 0, and no report disagrees."""

    run: Run
    passed: frozenset[str]


@dataclass(frozen=True)
class Red:
    """Something fails."""

    run: Run
    passed: frozenset[str]
    failures: tuple[Failure, ...]

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(failure.id for failure in self.failures)


@dataclass(frozen=True)
class Unclear:
    """The machine gave out before the step could tell."""

    run: Run
    why: str  # "timeout after 60 s"


Result = Green | Red | Unclear


# ---------------------------------------------------------------------------------------------------------------------
# Why it fails


class Kind(StrEnum):
    """Why one failure fails; established by runs alone."""

    REGRESSION = "regression"
    NEW_FAILURE = "new_failure"
    ORDER_DEPENDENT = "order_dependent"
    EXPECTATION_CHANGED = "expectation_changed"
    FLAKY = "flaky"
    ENVIRONMENT = "environment"
    INFRASTRUCTURE = "infrastructure"
    BASELINE = "baseline"


HEALABLE = frozenset({Kind.REGRESSION, Kind.NEW_FAILURE, Kind.ORDER_DEPENDENT, Kind.EXPECTATION_CHANGED})


class Attested(StrEnum):
    """Who says that the base was green."""

    OPTION = "option"
    FORGE = "forge"
    LEDGER = "ledger"
    GUESS = "guess"


@dataclass(frozen=True)
class Base:
    """The revision that is taken for green."""

    commit: str
    attested_by: Attested

    @property
    def attested(self) -> bool:
        return self.attested_by is not Attested.GUESS


@dataclass(frozen=True)
class Culprit:
    """The hunk that made the step fail, and how we know."""

    hunk: Hunk
    commit: str | None  # None when several commits changed the file, or the change is not committed
    how: str  # "reverting it alone turns 3 of 3 green"


@dataclass(frozen=True)
class Finding:
    """The diagnosis."""

    kind: Kind
    summary: str
    kinds: Mapping[str, Kind] = field(default_factory=dict)  # failure id → kind
    reproduced: int = 0  # runs in which they failed
    green: Tree | None = None  # the tree of the green revision, where it was confirmed
    hunks: tuple[Hunk, ...] = ()  # green → failing, source files only, the likeliest first
    green_passed: frozenset[str] = frozenset()  # what passed on green and could not run on the failing tree
    culprit: Culprit | None = None
    model_verdict: str | None = None  # what the model said when it declined; never decides the status


# ---------------------------------------------------------------------------------------------------------------------
# Remedies, and what the judge says of them


@dataclass(frozen=True)
class Case:
    """What a remedy is asked to heal."""

    tree: Tree
    step: Step
    failures: tuple[Failure, ...]  # the group to turn green, all of it
    finding: Finding
    hunks: tuple[Hunk, ...] = ()  # green → failing, source files only, the likeliest first
    before: Red | None = None  # the whole step on the failing tree: the baseline
    green_passed: frozenset[str] = frozenset()  # what passed on green and could not run on the failing tree
    on_default_branch: bool = False
    verified: Changes = NOTHING  # what earlier groups were healed with

    @property
    def targets(self) -> frozenset[str]:
        return frozenset(failure.id for failure in self.failures)


@dataclass(frozen=True)
class Cost:
    """What the model was paid."""

    calls: int = 0
    input_tokens: int = 0  # without the cached ones
    output_tokens: int = 0
    cached_tokens: int = 0
    usd: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.calls + other.calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.usd + other.usd,
        )


@dataclass(frozen=True)
class Candidate:
    """Changes that may heal the case."""

    remedy: str
    changes: Changes
    why: str  # one line for the reviewer: "ruff check --fix"
    flaw: str | None = None  # why there is nothing to judge: an edit that did not apply, a model that declined
    cost: Cost = Cost()
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """What the gate saw of a candidate, check by check."""

    reproduced: int = 0  # runs in which the targets failed without the candidate
    red_to_green: tuple[str, ...] = ()
    green_to_red: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    repeats: int = 0  # runs in which the targets passed with the candidate
    not_checked: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verified:
    """All checks passed."""

    evidence: Evidence
    reason: str = "all checks passed"


@dataclass(frozen=True)
class Refused:
    """It breaks the policy, whether it works or not."""

    reason: str
    works: bool  # the targets pass with it


@dataclass(frozen=True)
class Rejected:
    """It was run, and does not heal."""

    reason: str
    evidence: Evidence


@dataclass(frozen=True)
class Unusable:
    """There is nothing to run."""

    reason: str


Verdict = Verified | Refused | Rejected | Unusable


@dataclass(frozen=True)
class Attempt:
    """A candidate and what the gate said of it."""

    number: int
    candidate: Candidate
    verdict: Verdict
    runs: int
    seconds: float


class Lack(StrEnum):
    """What a remedy ran out of."""

    KEY = "key"  # none given
    REFUSED_KEY = "refused_key"
    MONEY = "money"  # our own cap, or the account's
    TIME = "time"
    SERVICE = "service"


@dataclass(frozen=True)
class Shortfall:
    """Why a remedy could not go on. The ladder does; this decides the status when nothing heals."""

    lack: Lack
    message: str


@dataclass(frozen=True)
class Climb:
    """What became of one case on the ladder. When something was verified it is the last attempt."""

    attempts: tuple[Attempt, ...]
    finding: Finding | None = None  # a remedy found out that no remedy can help
    lacks: tuple[Shortfall, ...] = ()


# ---------------------------------------------------------------------------------------------------------------------
# The whole story


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
    evidence: Evidence = Evidence()
    labels: tuple[str, ...] = ()
    open: tuple[str, ...] = ()  # failures that were to be healed and are not
    lacks: tuple[Shortfall, ...] = ()
    cost: Cost = Cost()
    seconds: float = 0.0
    not_checked: tuple[str, ...] = ()


# ---------------------------------------------------------------------------------------------------------------------
# The fix branch


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


def ids_of(failures: Iterable[Failure]) -> frozenset[str]:
    """The ids of some failures."""
    return frozenset(failure.id for failure in failures)
