"""A Python program that ended with an exception: the last words of an output, told as one diagnostic."""

from __future__ import annotations

import re
from collections.abc import Sequence

from selfheal_ci.detect.diagnostics import Diagnostic
from selfheal_ci.detect.frames import frames

BEGIN = "Traceback (most recent call last):"
FAR = 400  # lines from the end in which it begins
LONG = 30  # lines of a message
_RAISED = re.compile(r"(?P<type>(?:[A-Za-z_]\w{0,100}\.){0,10}[A-Za-z_]\w{0,100})(?:: (?P<message>.*))?")
_UNPARSED = re.compile(r' {2}File "[^"\n]{1,1000}", line \d{1,9}')  # how Python begins when it cannot read the program


def crash(lines: Sequence[str], root: str = "", folder: str = "") -> Diagnostic | None:
    """The exception that ended the program; None where the output ends in another way, or no line of the tree is in it."""
    begin = _begin(lines)
    if begin is None:
        return None
    end = _end_of_stack(lines, begin)
    raised = _RAISED.fullmatch(lines[end]) if end < len(lines) else None
    way = frames("\n".join(lines[begin:end]), root, folder)
    if not raised or not way or len(lines) - end > LONG:
        return None
    message = "\n".join([raised["message"] or "", *lines[end + 1 :]]).strip()
    type_ = raised["type"].rpartition(".")[2]
    return Diagnostic("python", way[-1].path, type_, message, way[-1].line, "\n".join(lines[begin:]), way)


def _begin(lines: Sequence[str]) -> int | None:
    for index in range(len(lines) - 1, max(-1, len(lines) - FAR), -1):
        if lines[index] == BEGIN:
            return index
    unparsed = [index for index in range(max(0, len(lines) - LONG), len(lines)) if _UNPARSED.fullmatch(lines[index])]
    return unparsed[-1] if unparsed else None


def _end_of_stack(lines: Sequence[str], begin: int) -> int:
    """The first line behind the beginning that does not belong to the stack."""
    end = begin + 1
    while end < len(lines) and lines[end].startswith(" "):
        end += 1
    return end
