"""What an exit code and the reports say together, by a table: only exit code 0 and a sane report are green."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping
from enum import StrEnum

from selfheal_ci.detect.junit import Outcome, Reports
from selfheal_ci.values import Run


class Exit(StrEnum):
    """Kinds of exit codes."""

    ZERO = "zero"
    USAGE = "usage"
    NOT_RUNNABLE = "not runnable"
    NOT_FOUND = "not found"
    SIGNAL = "signal"
    OTHER = "other"


class Told(StrEnum):
    """What the reports tell."""

    NOTHING = "nothing"
    SKIPPED = "skipped"
    PASSING = "passing"
    FAILING = "failing"
    BROKEN = "broken"


class Status(StrEnum):
    """What a run that came to its end says of its step. Those that were stopped say nothing; see limits.gave_out."""

    GREEN = "green"
    TESTS_FAIL = "tests fail"
    FAILS = "fails"
    NO_TESTS = "no test was reported"
    ALL_SKIPPED = "every test was skipped"
    BROKEN_REPORT = "the report cannot be read"
    WRONG_USAGE = "wrong usage"
    NOT_RUNNABLE = "may not be run"
    NOT_FOUND = "was not found"
    SIGNAL = "ended by a signal"


def _row(*statuses: Status) -> dict[Told, Status]:
    return dict(zip(Told, statuses, strict=True))


TABLE: Mapping[Exit, Mapping[Told, Status]] = {
    # NOTHING, SKIPPED, PASSING, FAILING, BROKEN
    Exit.ZERO: _row(Status.NO_TESTS, Status.ALL_SKIPPED, Status.GREEN, Status.TESTS_FAIL, Status.BROKEN_REPORT),
    Exit.USAGE: _row(Status.WRONG_USAGE, Status.WRONG_USAGE, Status.FAILS, Status.TESTS_FAIL, Status.WRONG_USAGE),
    Exit.NOT_RUNNABLE: _row(*[Status.NOT_RUNNABLE] * 3, Status.TESTS_FAIL, Status.NOT_RUNNABLE),
    Exit.NOT_FOUND: _row(*[Status.NOT_FOUND] * 3, Status.TESTS_FAIL, Status.NOT_FOUND),
    Exit.SIGNAL: _row(*[Status.SIGNAL] * 3, Status.TESTS_FAIL, Status.SIGNAL),
    Exit.OTHER: _row(*[Status.FAILS] * 3, Status.TESTS_FAIL, Status.FAILS),
}
UNTESTED = frozenset({Status.NO_TESTS, Status.ALL_SKIPPED})  # green where no report is expected

# How the shell names a command: "sh: 1: pytest: not found".
_NAMED = (
    r"^(?:[^\s:]{1,300}: ?)?(?:(?:line )?\d{1,9}: )?(?:exec: |failed to run command )?"
    r"[\"'`\u2018]?([^\s:\"'`\u2018\u2019][^:\"'`\u2018\u2019\n]{0,300})[\"'`\u2019]?: "
)
_COMMANDS = {
    Status.NOT_RUNNABLE: re.compile(rf"{_NAMED}(?:Permission denied|cannot execute.{{0,100}})$", re.MULTILINE),
    Status.NOT_FOUND: re.compile(rf"{_NAMED}(?:(?:command )?not found|No such file or directory)$", re.MULTILINE),
}
_KINDS = {0: Exit.ZERO, 126: Exit.NOT_RUNNABLE, 127: Exit.NOT_FOUND}
_USAGE_CODES = frozenset({2, 64})
_USAGE = re.compile(r"^usage: ", re.IGNORECASE | re.MULTILINE)
_SIGNALS = 128  # a shell's exit code for a command that a signal ended: this and the signal's number


def status(run: Run, reports: Reports, *, expected: bool = False) -> Status:
    """What the run says of its step; `expected`: a report is to have passing tests."""
    found = TABLE[_exit(run)][_told(reports)]
    return Status.GREEN if found in UNTESTED and not expected else found


def in_words(found: Status, run: Run, reports: Reports, known: str = "") -> str:
    """The same for people, where no test tells. `known` is what the tool's own runner knows of the exit code."""
    said = known or _said(found, run, reports)
    if not reports.broken:
        return said
    name, _, detail = reports.broken.partition(": ")
    broken = f"the report {name} cannot be read: {detail}"
    return f"{said}; {broken}" if run.exit_code else broken


def _said(found: Status, run: Run, reports: Reports) -> str:
    code = f"exit code {run.exit_code}"
    match found:
        case Status.NO_TESTS | Status.ALL_SKIPPED:
            return found.value
        case Status.NOT_RUNNABLE | Status.NOT_FOUND:
            named = _COMMANDS[found].findall(run.output.text)
            return f"{code}: {f'`{named[-1].strip()}`' if named else 'a command'} {found.value}"
        case Status.SIGNAL:
            return f"{code} ({signal.Signals((run.exit_code or 0) - _SIGNALS).name})"
        case Status.WRONG_USAGE:
            return f"{code}, {found.value}"
        case _:
            return code + (" though no test failed" if reports.cases else "")


def _exit(run: Run) -> Exit:
    code = run.exit_code or 0
    if code in _KINDS:
        return _KINDS[code]
    if code > _SIGNALS and code - _SIGNALS in set(signal.Signals):
        return Exit.SIGNAL
    return Exit.USAGE if code in _USAGE_CODES and _USAGE.search(run.output.text) else Exit.OTHER


def _told(reports: Reports) -> Told:
    outcomes = {case.outcome for case in reports.cases}
    if outcomes & {Outcome.FAILED, Outcome.ERROR}:
        return Told.FAILING
    if reports.broken:
        return Told.BROKEN
    if Outcome.PASSED in outcomes:
        return Told.PASSING
    return Told.SKIPPED if outcomes else Told.NOTHING
