"""Finds what made tests fail, by reverting hunks and running the failing tests: bisection, then delta debugging."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from selfheal_ci import paths
from selfheal_ci.delta import smallest
from selfheal_ci.diagnose.bisect import first_bad
from selfheal_ci.hunks import revert
from selfheal_ci.lab import Lab
from selfheal_ci.ports import History
from selfheal_ci.syntax import breaks
from selfheal_ci.values import Commit, Culprit, Failure, Hunk, Source

LIKELIEST = 2  # hunks that are reverted alone before many are together
TRIES = 2  # searches: one that was misled by a lucky pass is made again

Executed = Mapping[str, frozenset[int]]  # path → lines, from 1


def suspects(hunks: Sequence[Hunk], failures: Sequence[Failure], executed: Executed | None = None) -> tuple[Hunk, ...]:
    """The hunks of sources: what failing tests execute first, then what failures name; prose last, small before large."""
    named = " ".join(f"{failure.path} {failure.text}" for failure in failures)

    def rank(hunk: Hunk) -> tuple[bool, bool, bool, int]:
        ran = (executed or {}).get(hunk.path, frozenset())
        first, last = hunk.lines
        return (
            ran.isdisjoint(range(first, last + 1)),
            hunk.path not in named,
            paths.is_prose(hunk.path),
            _size(hunk),
        )

    return tuple(sorted((hunk for hunk in hunks if paths.is_source(hunk.path)), key=rank))


@dataclass(frozen=True)
class Search:
    """Looks for culprits between a green revision and the failing tree."""

    source: Source
    green: str
    lab: Lab
    history: History

    def culprits(self, hunks: Sequence[Hunk], groups: Mapping[str, frozenset[str]]) -> Mapping[str, Culprit]:
        """For each group of failing ids the fewest hunks whose reverting turns it green, every time.

        The likeliest hunks come first. A group that not even all hunks turn green is not in the answer.
        """
        every = frozenset[str]().union(*groups.values())
        bad = self._bad_commit(hunks, every)
        near = [hunk for hunk in hunks if bad and hunk.path in bad.paths]
        ordered = [*near, *(hunk for hunk in hunks if hunk not in near)]
        shared = self._fewest(ordered, near, every)
        found = {
            group: shared if len(shared) == 1 or len(groups) == 1 else self._fewest(shared or ordered, near, ids)
            for group, ids in groups.items()
        }
        counts = Counter[tuple[Hunk, ...]]()
        for group, fewest in found.items():
            counts[tuple(fewest)] += len(groups[group])
        return {group: self._told(fewest, counts[tuple(fewest)], bad) for group, fewest in found.items() if fewest}

    def _bad_commit(self, hunks: Sequence[Hunk], ids: Collection[str]) -> Commit | None:
        commits = self._commits()
        if len(commits) < 2 or not self.lab.heals(ids, revert(hunks, self.lab.read)):  # noqa: PLR2004
            return None
        return first_bad(commits, ids, self.source, self.lab, self.history)

    def _fewest(self, hunks: Sequence[Hunk], near: Sequence[Hunk], ids: Collection[str]) -> list[Hunk]:
        """The fewest hunks that turn the ids green when they are reverted; `near`: those of the commit that broke it."""
        likely = [[hunk] for hunk in hunks[:LIKELIEST]]
        together = [some for some in (near, hunks) if len(some) > 1]
        for _ in range(TRIES):
            at = self._first([*likely, *together], ids)
            if at is None:
                return []
            fewest = smallest([*likely, *together][at], lambda sets: self._first(sets, ids))
            if self.lab.heals(ids, revert(fewest, self.lab.read), fresh=True):
                return fewest
        return []

    def _first(self, sets: Sequence[Sequence[Hunk]], ids: Collection[str]) -> int | None:
        """The index of the first set that turns the ids green when it is reverted."""
        probes = {at: revert(hunks, self.lab.read) for at, hunks in enumerate(sets)}
        worth = [at for at, changes in probes.items() if changes and not breaks(changes, self.lab.read)]
        found = self.lab.first([probes[at] for at in worth], ids)
        return None if found is None else worth[found]

    def _told(self, hunks: Sequence[Hunk], count: int, bad: Commit | None) -> Culprit:
        which = "it alone" if len(hunks) == 1 else f"{len(hunks)} changes together ({', '.join(map(_place, hunks))})"
        how = f"reverting {which} turns {count} of {count} green"
        if why := next(filter(None, (paths.protected(hunk.path) for hunk in hunks)), None):
            how = f"{how}; this is {why}, which no fix may touch"
        if bad and any(hunk.path in bad.paths for hunk in hunks):
            return Culprit(
                tuple(hunks), bad.id, f"{how}; {bad.id[:7]} is the first of {len(self._commits())} commits that fails"
            )
        return Culprit(tuple(hunks), self._only_commit(hunks[0].path), how)

    def _commits(self) -> Sequence[Commit]:
        return self.history.commits(self.green, self.source.commit) if self.source.commit else []

    def _only_commit(self, path: str) -> str | None:
        """The commit that made a change: known when just one touched the file, and nothing uncommitted did."""
        commit = self.source.commit
        if commit is None or self.history.tree(commit).entries.get(path) != self.source.tree.entries.get(path):
            return None
        touching = [each.id for each in self._commits() if path in each.paths]
        return touching[0] if len(touching) == 1 else None


def _size(hunk: Hunk) -> int:
    """How many lines come and go."""
    if hunk.whole:
        return sum(side.data.count(b"\n") + 1 for side in (hunk.before, hunk.after) if side)
    return len(hunk.old) + len(hunk.new)


def _place(hunk: Hunk) -> str:
    return f"{hunk.path}:{hunk.lines[0]}"
