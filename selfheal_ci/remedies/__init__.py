"""Ways of healing, each a generator of candidates."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from selfheal_ci.values import Candidate, Finding, Shortfall, Verdict


class Tries:
    """A remedy's candidates one by one; each is answered with its verdict. `end` is what the remedy returned."""

    def __init__(self, candidates: Generator[Candidate, Verdict, Finding | Shortfall | None]) -> None:
        self._candidates = candidates
        self._verdict: Verdict | None = None
        self.end: Finding | Shortfall | None = None

    def __iter__(self) -> Iterator[Candidate]:
        return self

    def __next__(self) -> Candidate:
        try:
            if self._verdict is None:
                return next(self._candidates)
            return self._candidates.send(self._verdict)
        except StopIteration as stop:
            self.end = stop.value
            raise StopIteration from None

    def answer(self, verdict: Verdict) -> None:
        """Say what the judge said of the last candidate."""
        self._verdict = verdict
