"""A step that a limit ended: a loop or a leak is a bug like any other; where green ends so too, more is tried, once."""

from __future__ import annotations

from dataclasses import replace

from selfheal_ci.detect import Limit, gave_out
from selfheal_ci.diagnose.triage import Base, Triage, find_green, passed_on_green, steadiness
from selfheal_ci.errors import OutOfTimeError
from selfheal_ci.lab import Lab
from selfheal_ci.ports import History
from selfheal_ci.values import Allowance, Finding, Green, Kind, Red, Source, Stop, Unclear

LONGER = 5  # times what green takes: what is not done by then hangs
LEAST_SECONDS = 30.0
NO_TIME = "no time was left to try with twice as much (limits.minutes, --max-minutes)"


def triage_stopped(red: Red, source: Source, lab: Lab, history: History) -> Triage:
    """See triage. Green comes first: where it passes, no other run needs all the time that the step may take."""
    lab.meter.check()  # that the healing's time is over may be what ended the run
    why = gave_out(red.run, str(lab.limit(red.run.stop) or ""))
    green = find_green(red.ids, source, lab, history)
    if green and green.passed & red.ids:
        return Triage(_broken(red, why, green, lab), green)
    there = f"on {green.revision[:12]} as well" if green and green.stopped else "and no revision is known to pass"
    return Triage(_too_small(red, f"{why}, {there}", lab), None)


def _broken(red: Red, why: str, green: Base, lab: Lab) -> Finding:
    """It loops or leaks since green, unless it passes when run again."""
    allowance = Allowance(seconds=max(LEAST_SECONDS, LONGER * green.seconds))
    flaky, _, reruns = steadiness(red, lab.allowing(allowance))
    if flaky:
        return _flaky(red, why, reruns)
    return Finding(
        Kind.REGRESSION,
        f"{why}; {green.revision[:12]} passes in {green.seconds:.1f} s: a change in between broke it",
        dict.fromkeys(red.ids, Kind.REGRESSION),
        1 + reruns,
        green_passed=passed_on_green(red, green, lab),
        allowance=allowance,
    )


def _too_small(red: Red, why: str, lab: Lab) -> Finding:
    """What is there is too little, unless it passes when run again."""
    reruns = 0
    if red.run.stop is not Stop.TIMEOUT:  # which takes long: the run with more time tells it, too
        flaky, _, reruns = steadiness(red, lab)
        if flaky:
            return _flaky(red, why, reruns)
    found = Finding(Kind.INFRASTRUCTURE, why, dict.fromkeys(red.ids, Kind.INFRASTRUCTURE), 1 + reruns)
    richer = lab.allowing(Allowance(more=red.run.stop))
    limit = richer.limit(red.run.stop)
    if limit is None:
        return replace(found, summary=f"{why}, in each of {found.reproduced} runs; is the memory of this machine full?")
    return _with_more(found, red, lab, richer, limit)


def _with_more(found: Finding, red: Red, lab: Lab, richer: Lab, limit: Limit) -> Finding:
    """The same step once more, with more of what ran out."""
    stop, more = red.run.stop, f"with twice as much ({limit.value})"
    try:
        result = richer.run_step(fresh=True)
    except OutOfTimeError:
        return replace(found, summary=f"{found.summary}; {NO_TIME}")
    match result:
        case Green(run) if stop is Stop.TIMEOUT and run.seconds < lab.timeout:
            return _flaky(red, found.summary, 1)
        case Green():
            flag = f" ({limit.flag})" if limit.flag else " of the step"
            told = f"{more} the step passes: raise {limit.key}{flag} to {limit.value}"
        case Red():
            summary = f"{found.summary}; {more}, as all further runs had"
            return replace(found, summary=summary, allowance=richer.allowance, instead=result)
        case Unclear(run) if run.stop is not stop:
            told = f"{more}: {result.why}"
        case Unclear() if stop is Stop.TIMEOUT and lab.meter.left() <= 0:
            told = NO_TIME
        case Unclear():
            told = f"{more} as well"
    return replace(found, summary=f"{found.summary}; {told}")


def _flaky(red: Red, why: str, reruns: int) -> Finding:
    kinds = dict.fromkeys(red.ids, Kind.FLAKY)
    return Finding(Kind.FLAKY, f"{why}; it passes when run again, unchanged: flaky", kinds, 1 + reruns)
