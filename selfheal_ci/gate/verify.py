"""The checks of a candidate, in their order, stopping at the first no; each no is said in words that help the next try."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from selfheal_ci import paths
from selfheal_ci.gate.canary import sing
from selfheal_ci.gate.coverage import in_words, unexecuted
from selfheal_ci.gate.policy import Policy, can_be_laid, may_touch_tests
from selfheal_ci.gate.scene import scene
from selfheal_ci.gate.suspicion import suspicions
from selfheal_ci.lab import Lab
from selfheal_ci.syntax import unreadable
from selfheal_ci.values import (
    Attempt,
    CanarySeen,
    Candidate,
    Case,
    Changes,
    Content,
    Evidence,
    Failure,
    Flakiness,
    Green,
    Red,
    Refused,
    Rejected,
    Result,
    Step,
    Unclear,
    Unusable,
    Verdict,
    Verified,
    is_test,
)

REPEATS = 2  # runs of the target after it was green once: one beside the canary, one traced
MORE_REPEATS = 5  # of targets of which one is known to be flaky
SHOWN = 5  # failures named in a reason


@dataclass(frozen=True)
class Gate:
    """Judges candidates by one policy.

    `introduces` tells whether new bytes bring in a known secret, `flaky` which tests were seen flaky before.
    """

    policy: Policy
    introduces: Callable[[bytes, bytes], bool] = lambda _before, _after: False
    flaky: Callable[[Step, Collection[str]], Mapping[str, Flakiness]] = lambda _step, _ids: {}

    def judge(self, candidate: Candidate, case: Case, lab: Lab, earlier: Sequence[Attempt] = ()) -> Verdict:
        """usable → policy → suspicion → target → canary → whole step → repeat. `earlier` are the attempts before it."""
        if no := unusable(candidate, lab, earlier):
            return Unusable(no)
        if leak := self._leak(candidate.changes, lab):
            return Refused(f"{leak}: it would bring in a secret of this machine", works=False)  # never run with one
        broken = self.policy.violations(
            case.tree,
            candidate.changes,
            remedy=candidate.remedy,
            read=lab.files.read,
            step=case.step,
            green=case.finding.green,
        )
        if broken:
            works = can_be_laid(lab.tree, candidate.changes) and lab.heals(case.targets, candidate.changes)
            return Refused("; ".join(broken), works=works)
        found = suspicions(scene(candidate, case, lab))
        if refused := [suspicion.words for suspicion in found if suspicion.refused]:
            reason = f"{'; '.join(refused)}: a fix has no need of that"
            return Refused(reason, works=lab.heals(case.targets, candidate.changes))
        judged = candidate.changes if may_touch_tests(candidate.remedy, case.step) else _without_judges(candidate.changes)
        flaky = self.flaky(case.step, case.targets)
        verdict = verify(judged, case, lab, more=MORE_REPEATS if flaky else 0)
        known = (f"{id_} was {before}" for id_, before in sorted(flaky.items())[:SHOWN])
        labels = (*(suspicion.words for suspicion in found), *known)
        return replace(verdict, labels=labels) if isinstance(verdict, Verified) else verdict

    def _leak(self, changes: Changes, lab: Lab) -> str | None:
        """The first file that would hold a secret it did not hold before, in its name or in its text."""
        for path, content in changes.files.items():
            name = path.encode("utf-8", "surrogateescape")
            if self.introduces(b"", name) or (content and self.introduces(lab.read(path) or b"", content.data)):
                return path
        return None


def unusable(candidate: Candidate, lab: Lab, earlier: Sequence[Attempt]) -> str | None:
    """Why there is nothing to run; None when there is."""
    if candidate.flaw:
        return candidate.flaw
    changes = candidate.changes
    if all(_same(lab, path, content) for path, content in changes.files.items()):
        return "it changes nothing"
    same = next((attempt for attempt in earlier if attempt.candidate.changes == changes), None)
    if same:
        return f"the same patch was tried before, as attempt {same.number}: {same.verdict.reason}"
    files = ((path, lab.read(path), content.data) for path, content in changes.files.items() if content)
    return next((why for path, before, after in files if (why := unreadable(path, before, after))), None)


def verify(judged: Changes, case: Case, lab: Lab, *, more: int = 0) -> Verified | Rejected:
    """Run the targets, the whole step against the baseline, and the targets twice more, once beside the canary.

    `more`: how often the targets are run besides, where they are known to fail at times.
    """
    target = lab.run_tests(case.targets, judged)  # the search for the culprit may have asked this already
    if no := _target(target, case):
        return Rejected(
            no, Evidence(red_to_green=tuple(sorted(target.passes(case.targets)))), _failing(target, case.targets)
        )
    canary = sing(judged, case, lab)
    if canary.seen is None:
        return Rejected(canary.why, Evidence())
    whole = lab.run_step(judged, fresh=True)
    seen = compare(whole, case)
    if no := _whole(whole, seen, case):
        return Rejected(no, seen, _failing(whole, seen.green_to_red or case.targets))
    trace = lab.trace(case.targets, judged)
    for repeat, passed in enumerate((canary.passed, case.targets <= trace.passed), 1):
        if not passed and not lab.heals(case.targets, judged, fresh=True):
            return Rejected(_unstable(repeat, REPEATS + more), seen)
    for repeat in range(REPEATS + 1, REPEATS + more + 1):
        if not lab.heals(case.targets, judged, fresh=True):
            return Rejected(_unstable(repeat, REPEATS + more), seen)
    unseen = unexecuted(judged, trace.executed(case.targets), lab.read)
    return Verified(
        Evidence(
            red_to_green=seen.red_to_green,
            repeats=1 + REPEATS + more,
            canary=canary.seen,
            unexecuted=unseen,
            not_checked=(
                *((f"what changed and the failing tests do not execute: {in_words(unseen[:SHOWN])}",) if unseen else ()),
                *(("what must fail could not be added (canary)",) if canary.seen is CanarySeen.NOT_POSSIBLE else ()),
            ),
        )
    )


def compare(whole: Result, case: Case) -> Evidence:
    """The whole step against the baseline, test by test."""
    if isinstance(whole, Unclear):
        return Evidence()
    before = case.before.passed if case.before else frozenset[str]()
    known = case.before.ids if case.before else frozenset[str]()
    failing = whole.ids if isinstance(whole, Red) else frozenset[str]()
    cut_short = any(not is_test(id_) for id_ in failing & known)  # as before: tests behind it did not run, whoever is right
    expected = before if cut_short else before | case.green_passed
    return Evidence(
        red_to_green=tuple(sorted(whole.passes(case.targets))),
        green_to_red=tuple(sorted(failing & expected | failing - known)),
        missing=tuple(sorted(expected - whole.passed - failing)),
    )


def _unstable(repeat: int, repeats: int) -> str:
    return f"passed at first, then failed in repeat {repeat} of {repeats}: it is not stable"


def _target(result: Result, case: Case) -> str | None:
    match result:
        case Unclear():
            return f"the failing tests gave no answer: {result.why}"
        case Green() | Red():
            left = case.targets - result.passes(case.targets)
    if not left:
        return None
    done = len(case.targets) - len(left)
    return f"{done} of {len(case.targets)} now pass; {_words(result, left)}"


def _whole(result: Result, seen: Evidence, case: Case) -> str | None:
    if isinstance(result, Unclear):
        return f"the whole step gave no answer: {result.why}"
    if seen.green_to_red:
        return f"it breaks what passed: {_words(result, seen.green_to_red)}"
    if seen.missing:
        return f"tests are gone: {', '.join(seen.missing[:SHOWN])}"
    if left := case.targets - result.passes(case.targets):
        return f"in the whole step they still fail: {_words(result, left)}"
    return None


def _failing(result: Result, ids: Collection[str]) -> tuple[Failure, ...]:
    """The failures of these; where they did not run, what fails instead."""
    failures = result.failures if isinstance(result, Red) else ()
    return tuple(failure for failure in failures if failure.id in ids) or failures


def _words(result: Green | Red, ids: Collection[str]) -> str:
    """The failures of some ids, as someone who mends them wants to read them."""
    found = {failure.id: failure for failure in result.failures} if isinstance(result, Red) else {}
    lines = []
    for id_ in sorted(ids)[:SHOWN]:
        failure = found.get(id_)
        place = f" ({failure.path}:{failure.line})" if failure and failure.path and failure.line else ""
        lines.append(f"{id_}: {failure.message}{place}" if failure else f"{id_}: did not run")
    more = f"; and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    other = [failure for failure in found.values() if failure.id not in ids] if not found.keys() & set(ids) else []
    said = "".join(f"; {failure.id}: {failure.message}" for failure in other[:1])
    return "; ".join(lines) + more + said


def _without_judges(changes: Changes) -> Changes:
    """The changes on which the judge's own files are as they were."""
    return Changes({path: content for path, content in changes.files.items() if not paths.is_judge(path)})


def _same(lab: Lab, path: str, content: Content | None) -> bool:
    before = lab.read(path)
    return (content is None and before is None) or (content is not None and content.data == before)
