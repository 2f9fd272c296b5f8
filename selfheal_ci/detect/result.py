"""What a run says about its step: green, red, or nothing that can be relied on."""

from __future__ import annotations

import re

from selfheal_ci.detect.fingerprint import fingerprint
from selfheal_ci.detect.frames import Frame, frames
from selfheal_ci.detect.junit import Outcome, ReportCase, Reports, clip
from selfheal_ci.detect.limits import gave_out
from selfheal_ci.detect.output import MESSAGE, step_failure, step_id
from selfheal_ci.detect.printed import printed
from selfheal_ci.detect.status import Status, in_words, status
from selfheal_ci.values import Failure, Green, Red, Result, Run, Step, Stop, Unclear

_TYPE = re.compile(r"[A-Za-z_][\w.]{0,200}")
_RAISED = re.compile(r"(?:[A-Za-z_]\w{0,100}\.){0,20}[A-Z]\w{0,100}(?:: |(?<=Error)$|(?<=Exception)$)")
_LAST = re.compile(r"^[^\s:][^:\n]{0,1000}:\d{1,9}: ([A-Za-z_][\w.]{0,200})$", re.MULTILINE)
_TOLD = re.compile(r"^E   (?! )(.{1,2000})$", re.MULTILINE)  # what pytest's trace says, without what explains it
_PHASE = re.compile(r'failed on (?:setup|teardown) with "(.{0,4000})', re.DOTALL)
_DOCTEST = re.compile(r"^[^\n]{0,1000}:(?:\d{1,9}|None): (DocTestFailure|UnexpectedException)$", re.MULTILINE)
_EXPECTED = re.compile(
    r"^Expected(?P<expected>:\n(?:    .*\n|\n)*| nothing\n)Got(?P<got>:\n(?:    .*\n|\n)*| nothing\n)", re.MULTILINE
)
_DIFFERENCE = re.compile(r"^    (?:-(?P<expected>(?!--).*)\n(?:    \?.*\n)?    \+(?P<got>.*))$", re.MULTILINE)
FULL = 200  # failures of which the text is kept


def result(run: Run, step: Step, reports: Reports, *, expected: bool = False, why: str = "") -> Result:
    """Green only when the exit code and every report agree; `expected`: a report is to have passing tests.

    `why` says what the exit code means, where the tool is known and no case tells.
    """
    if run.stop is not Stop.EXITED:
        return Unclear(run, gave_out(run))
    passed = _passed(reports)
    match status(run, reports, expected=expected):
        case Status.GREEN:
            return Green(run, passed | {step_id(step)})
        case Status.TESTS_FAIL:
            return Red(run, passed, _failures(reports))
        case found:
            return _silent(run, step, reports, found, why)


def _silent(run: Run, step: Step, reports: Reports, found: Status, why: str) -> Red:
    """It fails, and no test says so: the output tells."""
    passed, said = _passed(reports), in_words(found, run, reports, why)
    if run.exit_code == 0 or why or reports.broken:
        return Red(run, passed, (step_failure(step, run, said, root=reports.root),))
    told = printed(run, step, said, root=reports.root, reported=bool(reports.cases))
    return Red(run, passed, told.failures, told.heard)


def _passed(reports: Reports) -> frozenset[str]:
    """The tests that passed, and the files of which one did and that could be read."""
    passed = {case.id for case in reports.cases if case.outcome is Outcome.PASSED}
    failing = {case.id for case in reports.cases if case.outcome.failing}
    files = {id_.partition("::")[0] for id_ in passed if "::" in id_}
    return frozenset(passed | (files - failing))


def _failures(reports: Reports) -> tuple[Failure, ...]:
    """One for each case that fails; of very many only the first are told at length."""
    failing = [case for case in reports.cases if case.outcome.failing]
    return tuple(_failure(case, reports.root, full=number < FULL) for number, case in enumerate(failing))


def _failure(case: ReportCase, root: str, *, full: bool) -> Failure:
    way = frames(case.text, root, case.folder)
    message = _message(case)
    type_ = case.type if _TYPE.fullmatch(case.type) else _type(case.text, message)
    place = way[-1] if way else Frame(case.path or "", case.line or 0, "")
    return Failure(
        id=case.id,
        fingerprint=fingerprint(type_, message, way, path=case.path or case.id),
        message=message.partition("\n")[0][:MESSAGE],
        path=place.path or None,
        line=place.line or None,
        type=type_,
        text=clip(f"{case.text}\n\n{case.output}" if case.output.strip() else case.text) if full else "",
    )


def _message(case: ReportCase) -> str:
    """What the test said; for pytest's own words about its phases, what the trace says."""
    if doctest := _doctest(case.text):
        return doctest
    phase = _PHASE.match(case.message)
    said = (phase[1].removesuffix('"') if phase else case.message).strip()
    if said and said != "collection failure":
        return said
    told = _TOLD.findall(case.text)
    raised = [line for line in told if _RAISED.match(line)]
    lines = raised[-1:] or told[:1] or [line for line in case.text.splitlines() if line.strip()][-1:]
    return lines[0].strip() if lines else said or case.outcome.value


def _doctest(text: str) -> str:
    """What a doctest says instead of an exception. Its report begins with the source, not with what is wrong."""
    ended = _DOCTEST.search(text) if "DocTestFailure" in text or "UnexpectedException" in text else None
    if ended and ended[1] == "UnexpectedException":
        return next((line for line in reversed(text.splitlines()) if _RAISED.match(line)), "")
    told = (_EXPECTED.search(text) or _DIFFERENCE.search(text)) if ended else None
    if not told:
        return ""
    expected, got = (" ".join(told[name].removeprefix(":").split()) for name in ("expected", "got"))
    return f"Expected {expected}, got {got}"


def _type(text: str, message: str) -> str:
    """The exception's type, from the end of pytest's trace or the beginning of the message."""
    if last := _LAST.findall(text):
        return str(last[-1])
    if message.startswith("assert "):
        return "AssertionError"
    raised = _RAISED.match(message)
    return raised[0].rstrip(": ") if raised else ""
