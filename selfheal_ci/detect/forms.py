"""How tools print what they complain of: the forms of one line, and what begins, continues and ends longer ones."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PATH = r"(?P<path>[^\s:][^:\n]{0,1000})"
_LINE = r"(?P<line>\d{1,9})"
_RULE = r"(?P<rule>[\w-]{1,60})"


@dataclass(frozen=True)
class Form:
    """How a tool prints a complaint in one line."""

    tool: str
    pattern: re.Pattern[str]
    rule: str = ""  # where the line does not say it
    message: str = ""  # where the line does not say it
    named_only: bool = False  # others print such lines, too: only where the step names the tool


RUFF_OR_FLAKE8 = "ruff or flake8"
FORMS = (
    Form(
        "ruff",  # --output-format=github
        re.compile(
            rf"::error title=ruff \({_RULE}\),file=(?P<path>[^,]{{1,1000}}),line={_LINE}[^:]{{0,200}}::"
            r"\S+ (?:(?P=rule):? )?(?P<message>.*?)(?:%0A.*)?"
        ),
    ),
    Form(
        "pylint",
        re.compile(rf"{_PATH}:{_LINE}:\d{{1,9}}: (?P<rule>[CRWEFI]\d{{4}}): (?P<message>.+?)(?: \([a-z-]{{1,60}}\))?"),
    ),
    Form(
        RUFF_OR_FLAKE8,
        re.compile(
            rf"{_PATH}:{_LINE}:\d{{1,9}}: (?P<rule>[A-Z]{{1,5}}\d{{2,5}}|invalid-syntax|SyntaxError):? (?:\[\*\] )?"
            r"(?P<message>.+)"
        ),
    ),
    Form(
        "mypy",
        re.compile(
            rf"(?P<path>[^\s:][^:\n]{{0,1000}}\.pyi?):{_LINE}(?::\d{{1,9}}){{0,3}}: error: "
            rf"(?P<message>.+?)(?:  \[{_RULE}\])?"
        ),
        rule="error",
    ),
    Form("pyflakes", re.compile(rf"{_PATH}:{_LINE}:\d{{1,9}}:? (?P<message>.+)"), rule="check", named_only=True),
    Form("black", re.compile(r"would reformat (?P<path>\S.*)"), rule="format", message="would reformat"),
    Form(
        "black",
        re.compile(rf"error: cannot (?:parse|format):? {_PATH}(?::{_LINE}:\d{{1,9}})?(?:: (?P<message>.+))?"),
        rule="parse",
        message="cannot parse",
    ),
    Form("ruff-format", re.compile(r"Would reformat: (?P<path>\S.*)"), rule="format", message="would reformat"),
    Form(
        "ruff-format",
        re.compile(rf"error: Failed to parse {_PATH}:{_LINE}:\d{{1,9}}: (?P<message>.+)"),
        rule="invalid-syntax",
    ),
    Form(
        "isort",
        re.compile(r"ERROR: (?P<path>\S.*?) (?P<message>Imports are incorrectly sorted and/or formatted)\."),
        rule="imports",
    ),
)
UNREADABLE = frozenset({"invalid-syntax", "SyntaxError", "E999", "E902", "E0001", "parse", "syntax"})  # rules
# How a line begins in which a complaint may begin; most do not.
LIKELY = re.compile(
    r"[^\s:][^:]{0,1000}:\d|::error title=ruff|would reformat |Would reformat: |error: |ERROR: | +--> |\*\*\* |"
    r"Found |All |Success|Your |\*{13} |\d+ files? |Oh no! |Listing |\[\*\]"
)
GOES_ON = re.compile(r"\s+\S.*|\s*\d+\s*[|+-].*|(?:help|note): .*|ParseError: .*")  # what is shown of the place
CARET = re.compile(r"\s*\^\s*")

# ruff's long form: the complaint, then its place.
RUFF_HEAD = re.compile(r"(?P<rule>[A-Z]{1,5}\d{2,5}|invalid-syntax|unformatted):? (?:\[\*\] )?(?P<message>.+)")
RUFF_PLACE = re.compile(rf" {{1,9}}--> {_PATH}:{_LINE}(?::\d{{1,9}})?")
# mypy's pretty form breaks lines.
MYPY_END = re.compile(rf"(?P<message>.*)  \[{_RULE}\]")
COMPILING = re.compile(
    r"\*\*\* (?:Error compiling '(?P<path>[^'\n]{1,1000})'\.\.\.|  File \"(?P<file>[^\"\n]{1,1000})\", line \d{1,9})"
)
COMPILED_LINE = re.compile(rf'(?:\*\*\* )? {{2}}File "[^"\n]{{1,1000}}", line {_LINE}')
COMPILE_ERROR = re.compile(r"(?P<rule>[A-Za-z_][\w.]{0,200}): (?P<message>.+)")
PIP_NOTHING = re.compile(r"ERROR: (?P<message>No matching distribution found for .+)")
PIP_CONFLICT = re.compile(
    r"ERROR: (?P<message>Cannot install .+) because these package versions have conflicting dependencies\."
)
PIP_CAUSE = re.compile(r" {4}(\S.* (?:depends on|requested|requires) .+)")
PIP_FILE = re.compile(r"-r (\S{1,1000}) \(line \d{1,9}\)")
PIP_END = "ERROR: ResolutionImpossible"
# What belongs to complaints and is none.
SUMMARIES = re.compile(
    r"Found \d+ errors?.*|\[\*\] \d+ .*|\d+ files? (?:would|already|left) .*|Oh no! .*|\*{13} Module .*|Listing .*|"
    r"Your code has been rated .*|.{1,1000}: note: .*|ERROR: (?:ResolutionImpossible: |Could not find a version that ).*"
)
CONTENT = {  # that all is well
    "ruff": re.compile(r"All checks passed!"),
    "ruff-format": re.compile(r"\d+ files? already formatted"),
    "black": re.compile(r"All done! .*"),
    "mypy": re.compile(r"Success: no issues found in .*"),
    "pylint": re.compile(r"Your code has been rated at 10\.00/10.*"),
}
PARTIAL = {"mypy": re.compile(r"Found .* \(errors prevented further checking\)")}  # that it did not come to its end
