"""The whole story of a healing: run the step, find out why it fails, try remedies, keep what is proven."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from selfheal_ci import conclude
from selfheal_ci.diagnose import cases, detect, explain, healed_along, on_top_of
from selfheal_ci.errors import OutOfTimeError
from selfheal_ci.events import Diagnosed, Judged, Warned
from selfheal_ci.lab import Lab
from selfheal_ci.ports import History, Observer, Remedy
from selfheal_ci.remedies import Tries
from selfheal_ci.values import (
    Attempt,
    Candidate,
    Case,
    Climb,
    Failure,
    Finding,
    Healing,
    Lack,
    Shortfall,
    Source,
    Verdict,
    Verified,
)

Judge = Callable[[Candidate, Case, Lab, Sequence[Attempt]], Verdict]


def heal(
    source: Source, lab: Lab, history: History, ladder: Sequence[Remedy], judge: Judge, tell: Observer, *,
    known_red: bool, reported: Sequence[Failure] = (),
) -> Healing:  # fmt: skip
    """Find out why the step fails, and heal what can be healed. What the code under repair does is never an error.

    `reported`: what failed in another run of the step, as somebody else says: a hint, never a proof.
    """
    healing = conclude.begin(source, lab.step, known_red=known_red, reported=reported)
    try:
        red = detect(lab, reported)
        if red is None:
            return healing
        healing = conclude.failing(healing, red)
        finding = explain(red, source, lab, history)
        tell(Diagnosed(finding))
        healing = conclude.diagnosed(healing, finding)
        groups = list(cases(red, finding, source, lab))
        for group in groups:
            case, here = on_top_of(healing.changes, group, lab)
            if healed_along(case, here):
                healing = conclude.along(healing, case)
            else:
                healing = conclude.climbed(healing, case, climb(ladder, case, here, judge, tell))
        for group in groups:  # what heals a later one may heal one that nothing healed before
            if conclude.is_open(healing, group) and healed_along(*on_top_of(healing.changes, group, lab)):
                healing = conclude.along(healing, group)
        for message in conclude.lacking(healing):
            tell(Warned(message))
        return conclude.end(healing)
    except OutOfTimeError as late:
        return conclude.out_of_time(healing, late)


def climb(ladder: Sequence[Remedy], case: Case, lab: Lab, judge: Judge, tell: Observer) -> Climb:
    """Ask one remedy after the other for candidates until the judge verifies one."""
    so_far = Climb()
    try:
        for remedy in ladder:
            tries = Tries(remedy.candidates(case, lab))
            for candidate in tries:
                runs, began = lab.meter.runs, time.monotonic()
                verdict = judge(candidate, case, lab, so_far.attempts)
                so_far = so_far.tried(candidate, verdict, runs=lab.meter.runs - runs, seconds=time.monotonic() - began)
                tell(Judged(so_far.attempts[-1]))
                if isinstance(verdict, Verified):
                    return so_far
                tries.answer(verdict)
            match tries.end:
                case Finding() as finding:
                    return replace(so_far, finding=finding)
                case Shortfall() as lack:
                    so_far = so_far.lacking(lack)
                case None:
                    pass
    except OutOfTimeError as late:
        return so_far.lacking(Shortfall(Lack.TIME, late.message))
    return so_far
