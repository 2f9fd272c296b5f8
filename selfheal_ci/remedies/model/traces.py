"""What failures say, in as few lines as tell it."""

from __future__ import annotations

import re

from selfheal_ci.values import Failure
from selfheal_ci.words import printable

HEAD, TAIL = 15, 45  # lines of a trace
LONGEST_LINE = 500  # characters of a line
_PYTEST = re.compile(r"^E {3}", re.MULTILINE)
# What pytest prints of the functions on the way, which are shown anyway; its rulers; the way from itself to the project.
_NEEDLESS = re.compile(r" {4}|(?:_ ){9}|<frozen importlib|/\S*/(?:_pytest/\S*|importlib/__init__)\.py:\d+: in ")


def text_of(failure: Failure) -> str:
    """A failure for someone who mends it: its id, what it says, its trace without the source in it."""
    place = f"at {failure.path}:{failure.line}" if failure.path and failure.line else ""
    typed = failure.type and not failure.message.startswith(failure.type)
    said = f"{failure.type}: {failure.message}" if typed else failure.message
    head = [failure.id, *(part for part in (said, place) if part)]
    return "\n".join([*head, _condensed(failure.text.strip("\n"))])


def shortened(text: str, head: int = HEAD, tail: int = TAIL) -> str:
    """The first lines and the last ones, none too long."""
    lines = [line[:LONGEST_LINE] for line in printable(text).split("\n")]
    if len(lines) <= head + tail:
        return "\n".join(lines)
    return "\n".join([*lines[:head], f"… {len(lines) - head - tail} lines left out …", *lines[len(lines) - tail :]])


def without(text: str, hidden: frozenset[str]) -> str:
    """The text without the lines of files that may not be quoted."""
    lines = printable(text).split("\n") if hidden else [text]
    return "\n".join("(a line that may not be shown)" if _quoted(line) in hidden else line for line in lines)


def _condensed(text: str) -> str:
    """A trace of pytest without the source around the lines that it marks; what was printed stays."""
    if not _PYTEST.search(text):
        return text
    trace, mark, printed = text.partition("\n---")
    lines = trace.split("\n")
    kept = [line for line in lines if line.strip() and not _NEEDLESS.match(line)]
    return "\n".join(kept) + mark + printed


def _quoted(line: str) -> str:
    """A line of code in a trace, without what pytest puts in front of it."""
    return re.sub(r"^(?:[>E]\s|\s*\d+\s*\|)?\s*", "", line).strip()
