"""What an attempt came to, for a model that tries again: what passes now, and what still fails, or fails now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from selfheal_ci.remedies.model.held_back import held_back
from selfheal_ci.remedies.model.traces import shortened, text_of
from selfheal_ci.values import Case, Evidence, Failure, Refused, Rejected, Unusable, Verdict
from selfheal_ci.words import counted, printable

SHOWN = 3  # failures told in full
HEAD, TAIL = 5, 20  # lines of each
NARROW = (
    "All the cases that you were shown pass. Others of the same tests, with other values, fail still: "
    "the fix is too narrow, or made for the values that you know."
)


def outcome(verdict: Rejected | Refused | Unusable, case: Case) -> str:
    """All of it but what is held back, in the words of the judge and of the tests."""
    shown = _shown(verdict, case)
    if shown is None:
        return printable(_unnamed(verdict.reason, case))
    if not shown:
        return NARROW
    now = [_now(failure, case) for failure in shown]
    more = [f"and {counted(len(now) - SHOWN, 'more failure')}"] if len(now) > SHOWN else []
    return "\n\n".join([_count(verdict, case), *now[:SHOWN], *more])


def in_a_line(verdict: Verdict, case: Case) -> str:
    """The same for a conversation that begins anew."""
    shown = _shown(verdict, case)
    if shown is None:
        return _unnamed(verdict.reason, case)
    said = [f"{failure.id}: {failure.message}" for failure in shown]
    return "; ".join([_count(verdict, case), *said[:SHOWN]]) if said else NARROW


def _shown(verdict: Verdict, case: Case) -> list[Failure] | None:
    """The failures that may be told; None where the verdict has none."""
    held = held_back(case.failures)
    if not isinstance(verdict, Rejected) or not verdict.failures:
        return None
    return [failure for failure in verdict.failures if failure.id not in held]


def _unnamed(reason: str, case: Case) -> str:
    """The judge's words without the names of cases that are held back: those hold their values."""
    for id_ in held_back(case.failures):
        reason = reason.replace(id_, f"{id_.partition('[')[0]}[a case that is not shown]")
    return reason


def _count(verdict: Verdict, case: Case) -> str:
    evidence = verdict.evidence if isinstance(verdict, Rejected) else Evidence()
    if evidence.green_to_red:
        count = counted(len(evidence.green_to_red), "test")
        return f"The failing tests pass, but {count} that passed before {_fail(evidence.green_to_red)} now:"
    return f"{len(evidence.red_to_green)} of {len(case.targets)} failing tests pass now:"


def _fail(ids: Sequence[str]) -> str:
    return "fails" if len(ids) == 1 else "fail"


def _now(failure: Failure, case: Case) -> str:
    """A failure; whether it is another than before is what helps most."""
    before = next((earlier for earlier in case.failures if earlier.id == failure.id), None)
    if before and (before.message, before.line) == (failure.message, failure.line):
        return text_of(replace(failure, id=f"{failure.id} fails as before", text=""))
    also = " fails in another way than before" if before else ""
    return shortened(text_of(replace(failure, id=failure.id + also)), HEAD, TAIL)
