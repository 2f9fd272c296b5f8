"""Reverts as little of the culprit as heals: often one token, and the rest of the change is kept."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import permutations

from selfheal_ci import paths
from selfheal_ci.delta import smallest
from selfheal_ci.hunks import revert
from selfheal_ci.lab import Lab
from selfheal_ci.pieces import Piece, moved, new_text, pieces, put_back
from selfheal_ci.remedies.halves import half_gone, loses_types
from selfheal_ci.values import Candidate, Case, Changes, Finding, Hunk, Shortfall, Verdict

PROBES = 60  # sets of pieces that are tried
ALONE = 4  # pieces that are tried one by one before many are together
TOLD = 60  # letters of a piece that a reviewer is shown

Part = tuple[Hunk, Piece]


@dataclass(frozen=True)
class ShrunkRevert:
    """Searches the culprit's hunks for the smallest part whose reverting turns the failing tests green."""

    name: str = "shrunk-revert"

    def candidates(self, case: Case, lab: Lab) -> Generator[Candidate, Verdict, Finding | Shortfall | None]:
        """See Remedy. Nothing where no part of the culprit alone is enough: that is the whole revert's."""
        culprit = case.finding.culprit
        if culprit is None or any(paths.is_judge(hunk.path) for hunk in culprit.hunks):
            return None
        search = _Search(case, lab)
        if on_the_way := search.moved(culprit.hunks):
            yield Candidate(self.name, search.changes(on_the_way), _told(on_the_way))
        parts = [(hunk, piece) for hunk in culprit.hunks for piece in pieces(hunk)]
        found = smallest(parts, search.first, alone=ALONE)
        if len(found) < len(parts) or search.may_be_all(found):
            yield Candidate(self.name, search.changes(found), _told(found))
        return None


@dataclass
class _Search:
    """Asks the lab for sets of pieces, as long as the budget lasts."""

    case: Case
    lab: Lab
    left: int = PROBES

    def first(self, sets: Sequence[Sequence[Part]]) -> int | None:
        allowed = sets[: self.left]
        self.left -= len(allowed)
        tried = {at: made for at, each in enumerate(allowed) if self._makes_sense(made := self.changes(each))}
        at = self.lab.first(list(tried.values()), self.case.targets)
        return None if at is None else list(tried)[at]

    def may_be_all(self, parts: Sequence[Part]) -> bool:
        """Whether the whole culprit is one word, or statements that are gone, and something else of the author's is left."""
        green = self.case.finding.green
        word = len(parts) == 1 and all(b"\n" not in piece.was and piece.start < piece.end for _, piece in parts)
        gone = green is not None and all(piece.start == piece.end for _, piece in parts)
        changes = self.changes(parts)
        keeps = green is None or self.lab.files.write(self.case.tree, changes).id != green.id
        return bool(parts) and (word or gone) and keeps and self._makes_sense(changes)

    def moved(self, hunks: Sequence[Hunk]) -> list[Part]:
        """As little as heals of what changed in a block on its way to where it is now."""
        pairs = [(gone, here) for gone, here in permutations(self.case.hunks, 2) if gone in hunks or here in hunks]
        parts = [(here, piece) for gone, here in pairs for piece in moved(gone, here)]
        return smallest(parts, self.first) if parts and self.first([parts]) == 0 else []

    def _makes_sense(self, changes: Changes) -> bool:
        return half_gone(self.case, self.lab, changes) is None and not loses_types(self.case, self.lab, changes)

    def changes(self, parts: Sequence[Part]) -> Changes:
        hunks = list(dict.fromkeys(hunk for hunk, _ in parts))
        some = partial(_of, parts)
        return revert([put_back(hunk, some(hunk)) for hunk in hunks], self.lab.read)


def _of(parts: Sequence[Part], hunk: Hunk) -> list[Piece]:
    return [piece for owner, piece in parts if owner == hunk]


def _told(parts: Sequence[Part]) -> str:
    hunk, piece = parts[0]
    new = new_text(hunk)
    line = hunk.start + new[: piece.start].count(b"\n") + 1
    now, was = (_short(text) for text in (new[piece.start : piece.end], piece.was))
    change = f"`{now}` is `{was}` again" if now and was else f"without `{now}`" if now else f"`{was}` is back"
    more = f", and {len(parts) - 1} more" if len(parts) > 1 else ""
    return f"{hunk.path}:{line}: {change}{more}"


def _short(text: bytes) -> str:
    words = " ".join(text.decode("utf-8", "replace").split())
    return words if len(words) <= TOLD else f"{words[:TOLD]}…"
