"""What an attempt came to, for a model that tries again: what passes now, and what still fails, or fails now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from selfheal_ci.remedies.model.held_back import held_back
from selfheal_ci.remedies.model.traces import shortened, text_of
from selfheal_ci.values import Case, Failure, Refused, Rejected, Unusable, Verdict
from selfheal_ci.words import counted, printable

SHOWN = 3  # failures told in full
HEAD, TAIL = 5, 20  # lines of each
NARROW = (
    "All the cases that you were shown pass. Others of the same tests, with other values, fail still: "
    "the fix is too narrow, or made for the values that you know."
)


def outcome(verdict: Rejected | Refused | Unusable, case: Case) -> str:
    """All of it but what is held back, in the words of the judge and of the tests."""
    if not isinstance(verdict, Rejected) or not verdict.failures:
        return printable(verdict.reason)
    held = held_back(case.failures)
    shown = [failure for failure in verdict.failures if failure.id not in held]
    if not shown:
        return NARROW
    now = [_now(failure, case) for failure in shown]
    more = [f"and {counted(len(now) - SHOWN, 'more failure')}"] if len(now) > SHOWN else []
    return "\n\n".join([_count(verdict, case), *now[:SHOWN], *more])


def in_a_line(verdict: Verdict, case: Case) -> str:
    """The same for a conversation that begins anew."""
    if not isinstance(verdict, Rejected) or not verdict.failures:
        return verdict.reason
    held = held_back(case.failures)
    said = [f"{failure.id}: {failure.message}" for failure in verdict.failures if failure.id not in held]
    return "; ".join([_count(verdict, case), *said[:SHOWN]]) if said else NARROW


def _count(verdict: Rejected, case: Case) -> str:
    broken = [failure.id for failure in verdict.failures if failure.id not in case.targets]
    if broken:
        return f"The failing tests pass, but {counted(len(broken), 'test')} that passed before {_fail(broken)} now:"
    passing = len(case.targets) - len({failure.id for failure in verdict.failures} & case.targets)
    return f"{passing} of {len(case.targets)} failing tests pass now:"


def _fail(ids: Sequence[str]) -> str:
    return "fails" if len(ids) == 1 else "fail"


def _now(failure: Failure, case: Case) -> str:
    """A failure; whether it is another than before is what helps most."""
    before = next((earlier for earlier in case.failures if earlier.id == failure.id), None)
    if before and (before.message, before.line) == (failure.message, failure.line):
        return text_of(replace(failure, id=f"{failure.id} fails as before", text=""))
    also = " fails in another way than before" if before else ""
    return shortened(text_of(replace(failure, id=failure.id + also)), HEAD, TAIL)
