"""Heals by small edits: tries the likeliest ones, and says which others would do as well."""

from __future__ import annotations

import ast
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from selfheal_ci import paths
from selfheal_ci.expected import constants, constants_of
from selfheal_ci.lab import Lab
from selfheal_ci.remedies.halves import half_gone
from selfheal_ci.remedies.mutation.mutants import Mutant, mutants
from selfheal_ci.remedies.mutation.places import suspicious
from selfheal_ci.remedies.mutation.plausible import unused
from selfheal_ci.remedies.mutation.sieve import Sieve
from selfheal_ci.values import NOTHING, Candidate, Case, Finding, Kind, Shortfall, Verdict, is_checked

PROBES_SINCE_GREEN = 300  # edits that are tried where lines changed since green are known
PROBES = 600  # without a green revision
MORE = 120  # edits that are tried after the first that heals: a better one, or one as good, may come
SIEVED = 3  # times as many, where pytest is started once for a batch of them
AT_ONCE = 80
SHARE = 0.4  # of the time that is left, at most
WHOLE_SHARE = 0.1  # of it, for the whole step with those that turn the failing tests green
MOST_WHOLE = 32  # runs of it
MOST_OFFERED = 5
SHOWN = 5  # competing fixes
LEAST_STANDING = 0.4  # of the best edit; below it the tests do not say which is right
LEFT_UNUSED, NOW_USED = 0.4, 3.0  # times as likely, for each variable that the edit leaves without use, or gives one
COMMON = frozenset({-1, 0, 1, 2, "", " ", None})  # no sign of copying from the test
LAST_RESORT = {"deleted": 0.5, "guard": 0.8, "inserted exit": 0.8}  # among those that heal


@dataclass(frozen=True)
class Mutation:
    """Tries small edits of the lines that may be wrong."""

    name: str = "mutation"

    def candidates(self, case: Case, lab: Lab) -> Generator[Candidate, Verdict, Finding | Shortfall | None]:
        """See Remedy. Where too many edits would do, none is offered: the tests do not tell which is right."""
        if any(is_checked(id_) for id_ in case.targets) or not _may_edits_mend(case):
            return None
        places = suspicious(case, lab)
        if not places.weights:
            return None
        search = _Search(case, lab)
        found = search.run(each for each in mutants(case, lab, places) if not search.halves(each))
        if not found:
            if search.tried:
                lines = f"{len(places.weights)} line{'s' * (len(places.weights) != 1)}"
                flaw = f"none of {search.tried} edits of {lines} that the failing tests execute turns them green"
                yield Candidate(self.name, NOTHING, "small edits", flaw=flaw)
            return None
        tests = places.tests.get((found[0].path, found[0].line), len(case.targets))
        if standing([preference(each, search.copied) for each in found], tests) < LEAST_STANDING:
            words = tuple(each.words for each in found)
            flaw = (
                f"{len(found)} different edits would do, and the tests do not say which is right: {'; '.join(words[:SHOWN])}"
            )
            yield Candidate(self.name, NOTHING, words[0], flaw=flaw, rivals=words)
            return None
        for mutant in found[:MOST_OFFERED]:
            rivals = [other for other in found if other is not mutant]
            yield _candidate(self.name, mutant, rivals, search.tried)
        return None


@dataclass
class _Search:
    """Tries mutants as long as the budget lasts."""

    case: Case
    lab: Lab
    tried: int = 0
    whole: int = 0  # runs of the whole step

    @cached_property
    def copied(self) -> frozenset[object]:
        return constants_of(self.case.targets, self.lab.read)

    def run(self, likely: Iterator[Mutant]) -> list[Mutant]:
        """Those with which the step is as good as it can be, the best first."""
        sieve = Sieve(self.lab, self.case.targets)
        most = self._most(sieve)
        found: list[Mutant] = []
        while self.tried < most and (batch := list(islice(likely, min(AT_ONCE, most - self.tried)))):
            self.tried += len(batch)
            passing = [batch[index] for index in sieve.green([mutant.changes for mutant in batch])]
            sound = self._sound(passing, sieve)
            if sound and not found:
                most = min(most, self.tried + (MORE if sieve.works else MORE // SIEVED))
            found += sound
        found.sort(key=lambda mutant: -preference(mutant, self.copied))
        return distinct(found)

    def halves(self, mutant: Mutant) -> bool:
        """Whether it takes a statement away that belongs to others which came with it."""
        return mutant.mutation.kind == "deleted" and half_gone(self.case, self.lab, mutant.changes) is not None

    def _most(self, sieve: Sieve) -> int:
        """The budget; less where each needs a run of its own, or the time that is left is not enough."""
        budget = PROBES if self.case.finding.green is None else PROBES_SINCE_GREEN
        many = self.lab.width * (SIEVED if sieve.works else 1)
        time = int(SHARE * self.lab.meter.left() * many / max(sieve.seconds, 0.01))
        return min(budget if sieve.works else budget // SIEVED, time)

    def _sound(self, passing: Sequence[Mutant], sieve: Sieve) -> list[Mutant]:
        """Those that break nothing else. Where the whole step takes long, that is left to the judge."""
        before = self.case.before
        if before and before.run.seconds * MOST_WHOLE > WHOLE_SHARE * self.lab.meter.left():
            return list(passing)
        asked = passing[: MOST_WHOLE - self.whole]
        self.whole += len(asked)
        answers = self.lab.side_by_side(self._breaks_nothing, asked)
        return [mutant for mutant, sound in zip(asked, answers, strict=True) if sound]

    def _breaks_nothing(self, mutant: Mutant) -> bool:
        result = self.lab.run_step(mutant.changes)
        before = self.case.before.passed if self.case.before else frozenset[str]()
        wanted = before | self.case.targets
        return result.passes(wanted) == wanted


def _may_edits_mend(case: Case) -> bool:
    """Not what depends on the order: many an edit hides that. Nor what a test's own files, or those that steer, did."""
    kinds = {case.finding.kinds.get(id_) for id_ in case.targets}
    hunks = case.finding.culprit.hunks if case.finding.culprit else ()
    return Kind.ORDER_DEPENDENT not in kinds and all(paths.is_source(hunk.path) for hunk in hunks)


def preference(mutant: Mutant, copied: frozenset[object]) -> float:
    """How good a mutant is among those that heal."""
    before, after = unused(mutant.before), unused(mutant.after)
    score = mutant.score * LAST_RESORT.get(mutant.mutation.kind, 1.0)
    score *= LEFT_UNUSED ** len(after - before) * NOW_USED ** len(before - after)
    return score * 0.1 if new_constants(mutant) & (copied - COMMON) else score


def new_constants(mutant: Mutant) -> frozenset[object]:
    """The constants that the edits bring in."""
    found: set[object] = set()
    for edit in mutant.mutation.edits:
        try:
            tree = ast.parse(edit.new.strip(), mode="eval")
        except (SyntaxError, ValueError):
            continue
        found |= constants(tree)
    return frozenset(found)


def distinct(found: Sequence[Mutant]) -> list[Mutant]:
    """Those that differ in more than the place where they add the same."""
    seen: dict[object, Mutant] = {}
    for mutant in found:
        added = all(edit.start == edit.end for edit in mutant.mutation.edits)
        key = tuple(edit.new.strip() for edit in mutant.mutation.edits) if added else (mutant.path, mutant.mutation.edits)
        seen.setdefault(key, mutant)
    return list(seen.values())


def standing(preferences: Sequence[float], tests: int) -> float:
    """How sure the first of all that heal is, from 0 to 1: by the others, and by how many tests execute its line."""
    return preferences[0] ** 2 / sum(each**2 for each in preferences) * tests / (tests + 1)


def _candidate(name: str, mutant: Mutant, rivals: Sequence[Mutant], tried: int) -> Candidate:
    labels = (f"competing fixes: {len(rivals)}",) if rivals else ()
    why = f"{mutant.words} ({mutant.mutation.kind}, one of {tried} edits that were tried)"
    return Candidate(name, mutant.changes, why, labels=labels, rivals=tuple(rival.words for rival in rivals))
