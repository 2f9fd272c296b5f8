"""Finds the hunk that made the step fail, by reverting hunks and running the failing tests."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from selfheal_ci import paths
from selfheal_ci.hunks import revert
from selfheal_ci.lab import Lab
from selfheal_ci.ports import History
from selfheal_ci.values import Culprit, Failure, Hunk, Source

MOST_HUNKS = 100  # single reverts tried
CONFIRMATIONS = 1  # the run that found it makes two


def suspects(hunks: Sequence[Hunk], failures: Sequence[Failure]) -> tuple[Hunk, ...]:
    """The hunks of source files: in files that the failures name first, prose last, small ones before large ones."""
    named = " ".join(f"{failure.path} {failure.text}" for failure in failures)

    def rank(hunk: Hunk) -> tuple[bool, bool, int]:
        return (hunk.path not in named, paths.is_prose(hunk.path), len(hunk.old) + len(hunk.new))

    return tuple(sorted((hunk for hunk in hunks if paths.is_source(hunk.path)), key=rank))


def find_culprit(
    hunks: Sequence[Hunk], ids: Collection[str], source: Source, green: str, lab: Lab, history: History
) -> Culprit | None:
    """The first single hunk whose reverting alone turns all the ids green, every time; None when no single one does."""
    tried = hunks[:MOST_HUNKS]
    probes = [revert([hunk], lab.read) for hunk in tried]
    at = lab.first(probes, ids)
    while at is not None:
        if all(lab.heals(ids, probes[at], fresh=True) for _ in range(CONFIRMATIONS)):
            how = f"reverting it alone turns {len(ids)} of {len(ids)} green"
            return Culprit(tried[at], _commit(tried[at].path, source, green, history), how)
        rest = lab.first(probes[at + 1 :], ids)
        at = None if rest is None else at + 1 + rest
    return None


def _commit(path: str, source: Source, green: str, history: History) -> str | None:
    """The commit that made the change: known when just one touched the file, and nothing uncommitted did."""
    if source.commit is None or history.tree(source.commit).entries.get(path) != source.tree.entries.get(path):
        return None
    touching = [commit.id for commit in history.commits(green, source.commit) if path in commit.paths]
    return touching[0] if len(touching) == 1 else None
