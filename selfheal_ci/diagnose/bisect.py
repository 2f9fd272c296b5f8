"""Finds the commit that broke tests: the sources of each, under the tests of the failing tree."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from selfheal_ci import paths
from selfheal_ci.lab import Lab, difference
from selfheal_ci.ports import History
from selfheal_ci.values import Changes, Commit, Source, Tree


def first_bad(commits: Sequence[Commit], ids: Collection[str], source: Source, lab: Lab, history: History) -> Commit | None:
    """The first commit with whose sources not all the ids pass, when they do with those of the one before it.

    `commits` lie between the green revision, with whose sources they pass, and the failing tree. None when the commits
    do not tell: the change is not committed, or the answers differ from run to run.
    """
    if source.commit is None:
        return None
    known = {commit.id: commit for commit in commits}
    line = [id_ for id_ in (*reversed(history.before(source.commit, len(commits))), source.commit) if id_ in known]

    def passes(at: int, *, fresh: bool = False) -> bool:
        sources = _sources(source.tree, history.tree(line[at]), lab)
        return lab.heals(ids, sources, fresh=fresh)

    good, bad = -1, len(line) - 1
    if not line or (source.dirty and passes(bad)):
        return None
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if passes(middle) else (good, middle)
    steady = (good < 0 or passes(good, fresh=True)) and not passes(bad, fresh=True)
    return known[line[bad]] if steady else None


def _sources(failing: Tree, other: Tree, lab: Lab) -> Changes:
    """What puts the sources of another tree into the failing one; its tests and its configuration stay."""
    ours = {path: entry for path, entry in failing.entries.items() if not paths.is_source(path)}
    theirs = {path: entry for path, entry in other.entries.items() if paths.is_source(path)}
    return difference(failing, replace(other, entries=ours | theirs), lab.files.read)
