"""The same failure was fixed before: that commit's change again, where all that it stood between is still there."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from itertools import groupby

from selfheal_ci.hunks import split_lines
from selfheal_ci.lab import Lab
from selfheal_ci.ports import History
from selfheal_ci.values import Candidate, Case, Changes, Commit, Content, Finding, Hunk, Shortfall, Verdict

MOST = 2  # commits that are tried, the newest first
MOST_FILES = 20  # of a commit that is looked at
CONTEXT = 3  # lines around a hunk that must be the same


@dataclass(frozen=True)
class Recall:
    """Applies again what healed the same fingerprint, as the trailers of merged commits tell."""

    history: History
    name: str = "recall"

    def candidates(self, case: Case, lab: Lab) -> Generator[Candidate, Verdict, Finding | Shortfall | None]:
        """See Remedy."""
        yielded = 0
        for commit in self.history.healed({failure.fingerprint for failure in case.failures}):
            changes = self._again(commit, lab) if len(commit.paths) <= MOST_FILES else None
            if changes:
                yield Candidate(self.name, changes, f"what {commit.id[:12]} did for the same failure: {commit.subject}")
                yielded += 1
            if yielded == MOST:
                break
        return None

    def _again(self, commit: Commit, lab: Lab) -> Changes | None:
        """The commit's whole change on what is there now; None where a part of it does not fit."""
        old, new = self.history.tree(f"{commit.id}~1"), self.history.tree(commit.id)
        files: dict[str, Content | None] = {}
        for path, group in groupby(self.history.hunks(old, new), key=lambda hunk: hunk.path):
            hunks, now = list(group), lab.read(path)
            if hunks[0].whole:
                content = _whole(hunks[0], now)
            else:
                content = _put_in(hunks, lab.files.read(old.entries[path]), now or b"", lab.mode(path))
            if content is None:
                return None
            files[path] = content
        return Changes(files)


def _whole(hunk: Hunk, now: bytes | None) -> Content | None:
    """A file that the commit made or rewrote, where it is what it was then."""
    return hunk.after if now == (hunk.before.data if hunk.before else None) else None


def _put_in(hunks: Sequence[Hunk], then: bytes, now: bytes, mode: str) -> Content | None:
    """A file with the hunks; None where one of them, with the lines around it, is not found exactly once."""
    old, lines = split_lines(then), split_lines(now)
    edits: list[tuple[int, Hunk]] = []
    grown = end = 0
    for hunk in hunks:
        start = hunk.start - grown  # in the older file
        grown += len(hunk.new) - len(hunk.old)
        first = max(0, start - CONTEXT)
        place = _only_place(lines, old[first : start + len(hunk.old) + CONTEXT])
        if place is None or place + start - first < end:
            return None
        edits.append((place + start - first, hunk))
        end = edits[-1][0] + len(hunk.old)
    for at, hunk in reversed(edits):
        lines[at : at + len(hunk.old)] = hunk.new
    return Content(b"".join(lines), mode)


def _only_place(lines: Sequence[bytes], block: Sequence[bytes]) -> int | None:
    """Where a block of lines begins; None where it is not there, or more than once."""
    found = [at for at in range(len(lines) - len(block) + 1) if lines[at : at + len(block)] == block]
    return found[0] if block and len(found) == 1 else None
