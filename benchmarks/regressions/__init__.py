"""How many faults in ordinary changes of public projects are healed, judged by tests that selfheal never saw."""

from __future__ import annotations

import math
import os
import statistics
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.healing import Healed, git, heal, repository
from benchmarks.regressions import fetch, suite
from benchmarks.regressions.cases import Case, cases
from benchmarks.regressions.faults import INVERSE, NO_INVERSE
from benchmarks.regressions.projects import PROJECTS
from selfheal_ci.diagnose.culprit import Search

EACH = 4  # cases of a project
QUICK = "BENCH_QUICK"  # a variable: set, one case of each project is enough
CHANCE = 0.05  # what the bound leaves to chance


@dataclass(frozen=True)
class Judged:
    """What became of a case."""

    case: Case
    healed: Healed
    lost: frozenset[str]  # tests that passed before the fault and do not with the patch
    own: float  # seconds that the failing tests take by themselves
    step: float  # and all that selfheal sees
    culprit_runs: int | None  # that found the one hunk, confirmations not counted

    @property
    def rightly(self) -> bool:
        return self.healed.status == "healed" and not self.lost

    @property
    def wrongly(self) -> bool:
        return self.healed.status == "healed" and bool(self.lost)

    @property
    def allowed(self) -> float:
        """The seconds that a healing may take."""
        return 30 * self.own + 4 * self.step + 5

    def __str__(self) -> str:
        case, healed = self.case, self.healed
        word = "WRONG" if self.wrongly else healed.status
        end = f"by {healed.remedies}" if healed.status == "healed" else healed.why
        lost = f"; lost: {', '.join(sorted(self.lost)[:3])} of {len(self.lost)}" if self.lost else ""
        return (
            f"     {word:10} {case.change}: {case.kind} {case.place}, {case.where}: {case.what}; {case.hunks} hunks, "
            f"{len(case.shown)} shown and {len(case.hidden)} hidden fail; {healed.runs} runs, {healed.seconds:.1f} s "
            f"({self.allowed:.1f} s allowed); {end}{lost}"
        )


def measure() -> Iterator[Figure]:
    """Every case, one after the other, then what they come to."""
    judged = []
    for case in all_cases():
        judged.append(judge(case))
        print(judged[-1], flush=True)
    right, wrong = [one for one in judged if one.rightly], [one for one in judged if one.wrongly]
    _tell(judged)
    whole = len(judged)
    yield Figure(f"regressions of {_projects(judged)} projects: cases", whole, 12 if QUICK in os.environ else 60, "", True)
    yield Figure(f"the same, healed: {len(right)} of {whole}", 100 * len(right) / whole, 85, " %", at_least=True)
    yield Figure("the same, healed wrongly", len(wrong), 0, f"/{whole}")
    if right:
        ratio = statistics.median(one.healed.seconds / one.allowed for one in right)
        yield Figure("time of those healed, in what they may take (30 × own + 4 × step + 5 s), the median", ratio, 1, " x")
    if counted := [one for one in judged if one.culprit_runs is not None]:
        runs = statistics.mean(one.culprit_runs or 0 for one in counted)
        most = statistics.mean(2 * math.log2(one.case.hunks) + 3 for one in counted)
        yield Figure(f"runs until the culprit is found, in the mean of {len(counted)}", runs, most, " runs")


def all_cases() -> Sequence[Case]:
    """Made once; then they are kept in the cache."""
    fetch.environment()
    projects = PROJECTS
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        made = list(pool.map(lambda at: cases(projects[at], at, EACH), range(len(projects))))
    for project, found in zip(projects, made, strict=True):
        if len(found) < EACH:
            print(f"     {project.name}: {len(found)} of {EACH} cases could be made", flush=True)
    return [case for found in made for case in (found[:1] if QUICK in os.environ else found)]


def judge(case: Case) -> Judged:
    """Heal it as a person would, apply the patch to the tree with all tests, and run these."""
    with tempfile.TemporaryDirectory(prefix="selfheal-bench-") as place:
        home = Path(place, "home")
        home.mkdir()
        red, whole = case.tree("red"), case.tree("judge")
        step, own = suite.run(case.project, red), suite.run(case.project, red, chosen=case.shown)
        folder = repository(Path(place, "project"), case.tree("green"), red)
        environ = {"PATH": f"{fetch.environment()}:{os.environ['PATH']}", "HOME": str(home), "LANG": "C.UTF-8"}
        with _counting() as counts:
            healed = heal(folder, suite.step(case.project), environ, base="HEAD~1", cache_dir=str(home))
        lost: frozenset[str] = frozenset()
        if healed.patch:
            git(folder, "apply", "--whitespace=nowarn", stdin=healed.patch)
            sources = {path: (folder / path).read_bytes() for path in red if suite.is_source(case.project, path)}
            outcome = suite.run(case.project, {**whole, **sources})
            lost = case.judges - (outcome.passed if outcome else frozenset())
        assert step is not None and own is not None  # noqa: S101, PT018  they ended when the case was made
        return Judged(case, healed, lost, own.seconds, step.seconds, counts[0] if len(counts) == 1 else None)


def bound(wrong: int, cases: int) -> float:
    """The share of wrong ones that is not exceeded, with 95 % confidence (Clopper and Pearson)."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        as_few = sum(math.comb(cases, k) * middle**k * (1 - middle) ** (cases - k) for k in range(wrong + 1))
        low, high = (middle, high) if as_few > CHANCE else (low, middle)
    return high


@contextmanager
def _counting() -> Iterator[list[int]]:
    """The runs of each search for culprits that ends with one hunk, its confirmation left out."""
    counts: list[int] = []
    real = Search.culprits

    def counted(self: Search, *args: object, **more: object) -> object:
        runs = self.lab.meter.runs
        found = real(self, *args, **more)  # type: ignore[arg-type]
        hunks = {culprit.hunks for culprit in found.values()}
        if len(hunks) == 1 and len(next(iter(hunks))) == 1:
            counts.append(self.lab.meter.runs - runs - 1)
        return found

    Search.culprits = counted  # type: ignore[assignment, method-assign]
    try:
        yield counts
    finally:
        Search.culprits = real  # type: ignore[method-assign]


def _tell(judged: Sequence[Judged]) -> None:
    """The shares by kind of fault, place and remedy, and the bound that is proven."""
    for title, kinds in (("with an inverse", INVERSE), ("without an inverse", NO_INVERSE)):
        group = [one for one in judged if one.case.kind in kinds]
        print(f"     faults {title}: {sum(one.rightly for one in group)}/{len(group)}: {_by_kind(group, list(kinds))}")
    for place in ("in a hunk", "elsewhere"):
        group = [one for one in judged if one.case.place == place]
        print(f"     faults {place}: {sum(one.rightly for one in group)}/{len(group)}")
    by = Counter(one.healed.remedies for one in judged if one.healed.status == "healed")
    print(f"     healed by: {', '.join(f'{name} {count}' for name, count in by.most_common())}")
    claimed = [one for one in judged if one.healed.status == "healed"]
    wrong = sum(one.wrongly for one in claimed)
    if claimed:
        print(
            f"     {wrong} of {len(claimed)} healed ones are wrong: with 95 % confidence at most "
            f"{100 * bound(wrong, len(claimed)):.1f} % of such are",
            flush=True,
        )


def _by_kind(group: Sequence[Judged], kinds: Sequence[str]) -> str:
    of = {kind: [one for one in group if one.case.kind == kind] for kind in kinds}
    return ", ".join(f"{kind} {sum(one.rightly for one in ones)}/{len(ones)}" for kind, ones in of.items())


def _projects(judged: Sequence[Judged]) -> int:
    return len({one.case.project.name for one in judged})
