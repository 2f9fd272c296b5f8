"""What a step says by its output alone: complaints of tools, an exception, or else the step as a whole fails."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial

from selfheal_ci.detect.crash import crash
from selfheal_ci.detect.diagnostics import Complaints, Diagnostic, complaints
from selfheal_ci.detect.fingerprint import fingerprint, steady
from selfheal_ci.detect.frames import relative
from selfheal_ci.detect.output import MESSAGE, clean, step_failure
from selfheal_ci.detect.telling import weight
from selfheal_ci.shell_words import commands
from selfheal_ci.values import NOTHING_HEARD, Failure, Heard, Run, Step, diagnostic_id

MOST = 10_000  # complaints; of more, none is told alone
ID = 400  # characters of a message in an id
SHORT = 400  # characters of a line by which we know a test tool
TELLING = 4  # weight of a line that asks for an explanation

_NAMES = re.compile(
    r"(?<![\w.-])(ruff(?: format)?|flake8|pyflakes|black|isort|mypy|pylint|compileall|py_compile|pip|python)[\d.]*(?![\w-])"
)
_TOOLS = {"ruff format": "ruff-format", "py_compile": "compileall"}
_SEPARATORS = re.compile(r";|\n|\|\|")
_NO_COMMAND = re.compile(r"\s*(?:exit(?: \d+| \$\?)?|false|fi|done|\}|\))?\s*")
_STOPS_AT_FIRST = re.compile(r"\bset -\w*e|\b(?:sh|bash) -\w*e")
EXIT_CODES = {
    "ruff": {1, 2}, "ruff-format": {1, 2}, "flake8": {1}, "pyflakes": {1}, "black": {1, 123}, "isort": {1}, "mypy": {1, 2},
    "pylint": set(range(1, 32)), "compileall": {1}, "pip": {1}, "python": {1},
}  # fmt: skip
MAKE = 2  # its exit code, whatever failed
ONE_AT_A_TIME = frozenset({"python", "pip"})  # they stop at the first: no word of another means nothing
# What programs say that run tests. They quote output, tracebacks above all.
_TESTED = re.compile(
    r"Ran \d+ tests? in |=+ (?:FAILURES|ERRORS|short test summary|.*\b(?:passed|failed|errors?)\b.* in [\d.]+s)|not ok \d|"
    r"(?:.*, )?\d+ (?:passed|failed)\b.* in [\d.]+s|--- FAIL: |FAIL\t|test result: |Tests run: |Tests: +\d|TAP version \d|"
    r"FAILED \((?:failures|errors)="
)
_MAKE = re.compile(r"g?make(?:\[\d+\])?: \*\*\* \[.*\] Error \d+")
# What starts a tool says that it failed: make, just, tox, nox, npm, pre-commit, a CI's own runner.
_STARTER = re.compile(
    rf"{_MAKE.pattern}|error: [Rr]ecipe .* failed .*|error: script \"?\w+\"? exited with .*|nox > .*|"
    r"\S+: (?:exit \d+ .*|FAIL.*)|  (?:\S+: FAIL.*|evaluation failed.*)|npm (?:ERR!|error) .*|"
    r"error Command failed with exit code .*|ERROR: InvocationError .*|- (?:hook id|exit code|duration): .*|"
    r"- files were modified by this hook|"
    r"(?:##\[error\]|Error: )Process completed with exit code \d+\."
)
_HOOK = re.compile(r"(?P<name>[^.]{1,80})\.{3,}+[^.]{0,40}Failed")


@dataclass(frozen=True)
class Printed:
    """What fails, and which tools were heard to their end."""

    failures: tuple[Failure, ...]
    heard: Heard = NOTHING_HEARD


def printed(run: Run, step: Step, why: str, *, root: str = "", reported: bool = False) -> Printed:
    """Read the output of a failed run. `why` is what is known of it as a whole; `reported`: tests told what they have to."""
    lines = clean(run.output.lines())
    told = _recognised(lines, step, root, reported=reported)
    if not 0 < len(told.diagnostics) <= MOST:
        return Printed((step_failure(step, run, why, root=root, lines=lines),))
    failures = _failures(told.diagnostics)
    tools = {one.tool for one in told.diagnostics}
    rest = [line for index, line in enumerate(lines) if index not in told.explained and not _is_starter(line, tools)]
    if not (_decides(step, tools) and _is_theirs(run, lines, tools)) or any(weight(line) >= TELLING for line in rest):
        failures = (*failures, step_failure(step, run, why, root=root, lines=rest))
    return Printed(failures, NOTHING_HEARD if run.output.left_out else _heard(step, told, tools))


def _recognised(lines: Sequence[str], step: Step, root: str, *, reported: bool) -> Complaints:
    """The complaints that are the step's own, and not what its tests quote."""
    folder = _folder(step.run)
    texts = (*step.build, step.run)
    named = frozenset(name for text in texts for name in named_tools(text))
    told = complaints(lines, named, partial(relative, root=root, folder=folder))
    lenient = {name for text in texts for piece in _pieces(text) if "--exit-zero" in piece for name in named_tools(piece)}
    tested = reported or any(_TESTED.match(line[:SHORT]) for line in lines)
    own = tuple(one for one in told.diagnostics if one.tool not in lenient and (one.tool in named or not tested))
    if own or tested or any(one.tool not in lenient for one in told.diagnostics):
        return Complaints(own, told.explained if own == told.diagnostics else frozenset(), told.content, told.partial)
    last = crash(_without_starters(lines), root, folder)
    return Complaints((last,), frozenset(range(len(lines)))) if last else Complaints()


def _failures(diagnostics: Sequence[Diagnostic]) -> tuple[Failure, ...]:
    """One for each; the second of the same id in a file is "… #2", whichever of the two is mended."""
    seen: Counter[str] = Counter()
    failures = []
    for one in sorted(diagnostics, key=lambda one: (one.path, one.line or 0, one.tool, one.rule, one.message)):
        id_ = diagnostic_id(one.path, one.tool, one.rule, steady(one.message)[:ID] or one.rule)
        seen[id_] += 1
        failures.append(
            Failure(
                id_ if seen[id_] == 1 else f"{id_} #{seen[id_]}",
                fingerprint(one.rule if one.way else f"{one.tool} {one.rule}", one.message, one.way, path=one.path),
                _message(one),
                one.path or None,
                one.line,
                one.rule,
                one.text,
            )
        )
    return tuple(failures)


def _message(one: Diagnostic) -> str:
    first = one.message.partition("\n")[0]
    if one.tool in {"python", "compileall"}:
        return (f"{one.rule}: {first}" if first else one.rule)[:MESSAGE]
    return f"{first[:MESSAGE]} ({one.tool} {one.rule})"


def _heard(step: Step, told: Complaints, tools: Collection[str]) -> Heard:
    spoke = {*tools, *told.content}
    before = {name for text in (*step.build, step.run) for piece in _pieces(text) for name in _before(piece, spoke)}
    unread = frozenset(f"{one.path}::{one.tool}[" for one in told.diagnostics if one.stops)
    return Heard(frozenset((spoke | before) - told.partial - ONE_AT_A_TIME), unread)


def _before(piece: str, spoke: Collection[str]) -> list[str]:
    """The tools that passed, or the ones behind them in `a && b` would not have said anything."""
    names = named_tools(piece)
    last = max((at for at, name in enumerate(names) if name in spoke), default=0)
    return names[:last]


def named_tools(line: str) -> list[str]:
    """The tools that a line of shell names, in its order."""
    return [_TOOLS.get(name, name) for name in _NAMES.findall(line)]


def _pieces(line: str) -> list[str]:
    """What is run whether or not that before it fails."""
    pieces = [line] if _STOPS_AT_FIRST.search(line) else _SEPARATORS.split(line)
    return [piece for piece in pieces if not _NO_COMMAND.fullmatch(piece)]


def _decides(step: Step, tools: Collection[str]) -> bool:
    """Whether the failure of these tools is that of the step: one is the last that is run, or it runs what we cannot see."""
    return any(_decides_line(line, tools) for line in (*step.build, step.run))


def _decides_line(line: str, tools: Collection[str]) -> bool:
    named = frozenset(named_tools(line)) - {"python"}
    last = frozenset(named_tools("".join(_pieces(line)[-1:])))
    return bool(last & frozenset(tools)) if named else True


def _is_theirs(run: Run, lines: Sequence[str], tools: Collection[str]) -> bool:
    """Whether the exit code is one with which these tools say that they complained."""
    codes = set().union(*(EXIT_CODES[tool] for tool in tools))
    return run.exit_code in codes or (run.exit_code == MAKE and any(_MAKE.fullmatch(line) for line in lines))


def _is_starter(line: str, tools: Collection[str]) -> bool:
    hook = _HOOK.fullmatch(line)
    return bool(_STARTER.fullmatch(line)) or (hook is not None and any(tool in hook["name"].lower() for tool in tools))


def _without_starters(lines: Sequence[str]) -> Sequence[str]:
    end = len(lines)
    while end and (not lines[end - 1].strip() or _STARTER.fullmatch(lines[end - 1])):
        end -= 1
    return lines[:end]


def _folder(line: str) -> str:
    """The folder of the tree in which a step's tools run, where it says so once."""
    moves = [words for words in commands(line) if words[0] in {"cd", "pushd"}]
    return moves[0][1] if len(moves) == 1 and len(moves[0]) == 2 and not moves[0][1].startswith(("/", "-", "$")) else ""  # noqa: PLR2004
