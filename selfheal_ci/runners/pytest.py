"""What a step's words and its exit code say of pytest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from selfheal_ci.detect import Reports
from selfheal_ci.shell_words import commands
from selfheal_ci.values import Run

NOTHING = "no test was collected"
UNHEARD = "pytest did not load selfheal's plugin, which comes through PYTHONPATH"

_NAMES = frozenset({"pytest", "py.test"})
_PYTHON = re.compile(r"(?:python|pypy)[\d.]*|coverage[\d.]*")
# What starts another program, named somewhere behind it.
_STARTERS = frozenset(
    {"uv", "uvx", "poetry", "pdm", "pipenv", "rye", "pixi", "conda", "mamba", "micromamba", "env", "timeout", "nice",
     "ionice", "nohup", "stdbuf", "xvfb-run", "dbus-run-session", "sudo", "doppler", "dotenv"}
)  # fmt: skip
_NAMES_NO_PROGRAM = frozenset({"add", "install", "--with", "--group", "--only-group", "--extra", "-E", "--package"})
USAGE, NONE_COLLECTED = 4, 5
_USAGE = re.compile(r"^(?:ERROR: (?!usage: )|[^:\n]{0,200}(?:py\.?test|__main__\.py): error: )(.{1,1000})$", re.MULTILINE)
_SUMMARY = re.compile(r"^(?:=+ )?\d{1,9} (?:failed|errors?)\b.{0,200} in \d", re.MULTILINE)
_NONE_RAN = re.compile(r"no tests ran|NO TESTS RAN|\bdeselected\b")
# What pytest's exit codes mean. Other commands of the step have codes too: the output must agree.
_EXIT_CODES = {
    2: (re.compile(r"Interrupted|KeyboardInterrupt"), "pytest was interrupted"),
    3: (re.compile(r"INTERNALERROR"), "pytest had an internal error"),
    4: (re.compile(r"ERROR: |error: |conftest|UsageError"), "pytest could not start"),
    5: (re.compile(r"no tests ran|deselected|^$"), NOTHING),
}


def starts_pytest(command: str) -> bool:
    """Whether this is what a command does by its own words."""
    return any(_starts(words) for words in commands(command))


def why(run: Run, reports: Reports, *, known: bool, wrote: bool) -> str:
    """What the exit code means, where it is pytest's own. `known`: the step starts pytest; `wrote`: a report is there."""
    empty = wrote and not reports.cases
    if run.exit_code == 0:
        return NOTHING if known and empty else ""
    if not wrote and _SUMMARY.search(run.output.text):
        return UNHEARD
    return _meaning(run, empty=empty) if known or wrote else ""


def _meaning(run: Run, *, empty: bool) -> str:
    """`empty`: a report is there, and no test in it."""
    output = run.output.text
    if empty and run.exit_code == NONE_COLLECTED:
        return NOTHING
    if run.exit_code == USAGE and (wrong := _usage_error(output)):
        return wrong
    sign, meaning = _EXIT_CODES.get(run.exit_code or 0, (_NONE_RAN, ""))
    if meaning and sign.search(output):
        return meaning
    return NOTHING if empty and _NONE_RAN.search(output) else ""


def _starts(words: Sequence[str]) -> bool:
    program = words[0].rpartition("/")[2]
    if program in _NAMES:
        return True
    if _PYTHON.fullmatch(program):
        return any(pair in {("-m", "pytest"), ("-m", "py.test")} for pair in pairwise(words))
    return program in _STARTERS and any(
        words[at - 1] not in _NAMES_NO_PROGRAM and not _STARTERS & {words[at]} and _starts(words[at:])
        for at in range(1, len(words))
    )


def _usage_error(output: str) -> str:
    said = _USAGE.findall(output)
    return f"pytest: usage error: {said[-1].strip()}" if said else ""
