"""Tells flaky, environment and real failures apart, by rerunning and by comparing with the green revision."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from selfheal_ci.errors import UsageError
from selfheal_ci.lab import Lab
from selfheal_ci.ports import History
from selfheal_ci.values import Attested, Failure, Finding, Kind, Red, Result, Source, Tree, Unclear, is_test

RERUNS = 8  # a test that fails one time in two passes all of them once in 256
LEAST_RERUNS = 2
NOT_RUNNABLE = {126, 127}  # exit codes of a shell that finds no such program: running it again tells nothing
RERUN_SECONDS = 60.0
LONE_PASSES = 6  # of a test run alone, before it may depend on the others
WHOLE_STEPS = 3  # in each of which it must fail then
STEPS_BACK = (1, 2, 4, 8, 16, 32)
RESERVE = 3  # times what such a run took: the time that is kept for what follows
NO_NETWORK = re.compile(
    r"name resolution|Name or service not known|nodename nor servname|getaddrinfo failed|Could not resolve host"
    r"|Network is unreachable|No route to host"
)
REFUSED = re.compile(r"[Cc]onnection refused|ConnectionRefusedError|ECONNREFUSED")
ORDER = (
    Kind.REGRESSION,
    Kind.NEW_FAILURE,
    Kind.ORDER_DEPENDENT,
    Kind.EXPECTATION_CHANGED,
    Kind.ENVIRONMENT,
    Kind.INFRASTRUCTURE,
    Kind.FLAKY,
    Kind.BASELINE,
)


@dataclass(frozen=True)
class Base:
    """The revision on which something that fails here passes."""

    revision: str
    tree: Tree
    passed: frozenset[str]
    failing: frozenset[str]
    seconds: float = 0.0  # that it took
    stopped: bool = False  # a limit ended it, too


@dataclass(frozen=True)
class Triage:
    """What each failure is, and the green revision where there is one."""

    finding: Finding
    green: Base | None


def triage(red: Red, source: Source, lab: Lab, history: History) -> Triage:
    """Decide the kind of every failure by runs alone."""
    flaky, order, reruns = steadiness(red, lab)
    steady = red.ids - flaky
    kinds = dict.fromkeys(flaky, Kind.FLAKY)
    green = None
    if steady:
        probe = lab.whole_only() if order else lab
        green = find_green(steady, source, probe, history)
        attested = source.base is not None and source.base.attested
        kinds |= compare(steady, green, order=order, attested=attested)
        kinds |= dict.fromkeys(unreachable(red.failures, kinds, green), Kind.INFRASTRUCTURE)
        green = green if green and green.passed & steady else None
    kind = next(kind for kind in ORDER if kind in kinds.values())
    summary = describe(kind, kinds, green)
    passed = passed_on_green(red, green, lab)
    return Triage(Finding(kind, summary, kinds, 1 + reruns, green_passed=passed, allowance=lab.allowance), green)


def steadiness(red: Red, lab: Lab) -> tuple[frozenset[str], frozenset[str], int]:
    """Which failures are flaky, which depend on the order of tests, and how often they were run again."""
    began = time.monotonic()
    passes: dict[str, int] = dict.fromkeys(red.ids, 0)
    runs = 0
    most = LEAST_RERUNS if red.run.exit_code in NOT_RUNNABLE else RERUNS
    while runs < most and (runs < LEAST_RERUNS or time.monotonic() - began < RERUN_SECONDS):
        results = lab.rerun(red.ids, min(lab.width, most - runs))
        runs += len(results)
        for result in results:
            for id_ in result.passes(red.ids):
                passes[id_] += 1
        if all(passes.values()) and runs >= LONE_PASSES:
            break
    sometimes = frozenset(id_ for id_, count in passes.items() if count > 0)
    always = frozenset(id_ for id_ in sometimes if passes[id_] == runs)
    order = _fail_together(always, lab) if always else always
    return sometimes - order, order, runs


def _fail_together(ids: frozenset[str], lab: Lab) -> frozenset[str]:
    """Those that pass whenever they run alone, and fail whenever the whole step runs."""
    for _ in range(WHOLE_STEPS):
        again = lab.run_step(fresh=True)
        ids &= again.ids if isinstance(again, Red) else frozenset()
        if not ids:
            break
    return ids


def find_green(ids: Collection[str], source: Source, lab: Lab, history: History) -> Base | None:
    """Run the failing tests on the green revision; a guess is stepped back until one of them passes."""
    if source.base is None:
        return None
    first = None
    for revision, tree in _revisions(source, history):
        began = time.monotonic()
        try:
            there = lab.at(tree)
        except UsageError:  # its setup fails
            if source.base.attested_by is Attested.OPTION:
                raise
            break
        preparing = time.monotonic() - began
        result = there.run_tests(ids)
        stopped = isinstance(result, Unclear)
        seen = Base(revision, tree, result.passes(ids), _failing(result, ids), result.run.seconds, stopped)
        if seen.passed & frozenset(ids):
            return seen
        first = first or seen
        if source.base.attested or not seen.failing or lab.meter.left() < RESERVE * (preparing + seen.seconds):
            break
    return first


def compare(steady: Collection[str], green: Base | None, *, order: Collection[str], attested: bool) -> Mapping[str, Kind]:
    """What each steady failure is, seen from the green revision."""
    if green is None:
        return {id_: Kind.ORDER_DEPENDENT if id_ in order else Kind.NEW_FAILURE for id_ in steady}
    some_pass = bool(green.passed & frozenset(steady))
    same = Kind.BASELINE if some_pass else Kind.ENVIRONMENT if attested else Kind.NEW_FAILURE
    kinds = {}
    for id_ in steady:
        if id_ in green.passed:
            kind = Kind.REGRESSION
        elif id_ in green.failing:
            kind = same
        else:
            kind = Kind.NEW_FAILURE
        kinds[id_] = Kind.ORDER_DEPENDENT if id_ in order and kind in {Kind.REGRESSION, Kind.NEW_FAILURE} else kind
    return kinds


def unreachable(failures: Sequence[Failure], kinds: Mapping[str, Kind], green: Base | None) -> frozenset[str]:
    """Those never seen green that say that there is no network, as in runs, or, on green too, that nobody answers."""
    found = set()
    for failure in failures:
        told = f"{failure.message}\n{failure.text}"
        refused = green is not None and failure.id in green.failing and REFUSED.search(told)
        if kinds.get(failure.id) is Kind.NEW_FAILURE and (refused or NO_NETWORK.search(told)):
            found.add(failure.id)
    return frozenset(found)


def describe(kind: Kind, kinds: Mapping[str, Kind], green: Base | None) -> str:
    """The diagnosis in one sentence."""
    count = sum(1 for found in kinds.values() if found is kind)
    these = f"{count} failure{'s' * (count != 1)}"
    at = f"on {green.revision[:12]}" if green else "on the green revision"
    words = {
        Kind.REGRESSION: f"{these} here, green {at}: a change in between broke it",
        Kind.NEW_FAILURE: f"{these} for which no earlier revision is known to be green",
        Kind.ORDER_DEPENDENT: f"{these} in the whole step, none when run alone: it depends on the order of the tests",
        Kind.EXPECTATION_CHANGED: f"{these}, because the test expects something else than before",
        Kind.FLAKY: f"{these} that pass when run again, unchanged: flaky",
        Kind.ENVIRONMENT: f"{these} here and on the green revision alike: the environment, not the code",
        Kind.INFRASTRUCTURE: f"{these} for want of a network or a service, which runs do not have: see the step's `network`",
        Kind.BASELINE: f"{these} here and {at} alike",
    }
    return words[kind]


def _revisions(source: Source, history: History) -> Iterator[tuple[str, Tree]]:
    assert source.base is not None  # noqa: S101  find_green looked
    base = source.base.commit
    yield base, history.tree(base)
    older = history.before(base, STEPS_BACK[-1])
    for back in dict.fromkeys(min(back, len(older)) for back in STEPS_BACK if older):
        yield older[back - 1], history.tree(older[back - 1])


def _passed(result: Result) -> frozenset[str]:
    return frozenset() if isinstance(result, Unclear) else result.passed


def _failing(result: Result, ids: Collection[str]) -> frozenset[str]:
    match result:
        case Red():
            return result.ids
        case Unclear():
            return frozenset(ids)
        case _:
            return frozenset()


def passed_on_green(red: Red, green: Base | None, lab: Lab) -> frozenset[str]:
    """What must pass besides: where the failing tree could not run everything, green tells what there is."""
    if green is None or all("::" in id_ and is_test(id_) for id_ in red.ids):
        return frozenset()
    passed = _passed(lab.at(green.tree).run_step()) - red.passed
    return frozenset(id_ for id_ in passed if is_test(id_))
