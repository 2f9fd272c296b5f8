"""How text that others wrote is shown, so that it stays text: on a terminal, in a CI log, in Markdown, in a commit."""

from __future__ import annotations

import re

# Sequences that a terminal acts on and that show nothing themselves; cut off ones are left to UNSEEN.
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]"  # colours, cursor
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*+(?:\x07|\x1b\\|\x9c)"  # titles, links, clipboard
    r"|\x1b[ -/]*+[0-OQ-WYZ\\`-~]"
)
# Control characters, and what is there without being seen: bidi marks, joiners, tags, fillers, private use, surrogates.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ud800-\udfff\ue000-\uf8ff\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U000110bd\U000110cd\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U0010ffff]"
)
_WORKFLOW_COMMAND = re.compile(r"^(\s*):(?=:)", re.MULTILINE)  # GitHub reads "::error::" at the start of a line
_OLD_COMMAND = re.compile(r"##(?=\[|vso\[)")  # and "##[error]" anywhere; Azure "##vso["
_SECTION = re.compile(r"(section)(?=_(?:start|end):)")  # GitLab
_MARKUP = re.compile(r"[\\`*_\[\]~|$]|^[-+#=/]|(?<=^\d)[.)]|(?<=^\d\d)[.)]")
_CLOSING = re.compile(r"([@#!](?=\w)|\bGH-(?=\d)|:(?=//))", re.IGNORECASE)
_REFERENCE = re.compile(rf"({_CLOSING.pattern}|[#%~$&^](?=[\w\"'])|\bwww\.|(?<![:\w]):(?=[a-z+][\w+-]*:))", re.IGNORECASE)
_SKIP_CI = re.compile(r"\[\s*((?:skip|ci|no|actions?)[ _-](?:skip|ci|actions?))\s*\]|(\*{3}NO_CI\*{3})", re.IGNORECASE)
_BREAK = "\u200b"


def printable(text: str) -> str:
    """The text as a terminal may show it: no control sequences, nothing that is there unseen; that is shown escaped."""
    plain = _SEQUENCE.sub("", text.replace("\r\n", "\n")).replace("\r", "\n")
    return _UNSEEN.sub(_escaped, plain)


def log_lines(text: str) -> str:
    """The text as a CI log may show it: no line of it is a command."""
    plain = _WORKFLOW_COMMAND.sub(r"\1: ", printable(text))
    return _SECTION.sub(r"\1 ", _OLD_COMMAND.sub("## ", plain))


def one_line(text: str, limit: int = 300) -> str:
    """The text on one line, cut to `limit` characters."""
    line = " ".join(printable(text[: 4 * limit]).split())
    return line if len(line) <= limit and len(text) <= 4 * limit else line[: limit - 1] + "…"


def plain(text: str, limit: int = 300) -> str:
    """One line for a commit message or a title: it mentions nobody, refers to nothing, closes nothing, skips no CI."""
    line = _SKIP_CI.sub(lambda match: f"({match[1] or 'NO_CI'})", one_line(text, limit))
    return _CLOSING.sub(r"\1 ", line)


def markdown(text: str, limit: int = 300) -> str:
    """One line of prose in Markdown: no markup, link, image, HTML, mention, reference or quick action comes of it."""
    broken = _REFERENCE.sub(lambda match: match[1] + _BREAK, one_line(text, limit))
    entities = broken.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKUP.sub(r"\\\g<0>", entities).replace(_BREAK, "&#8203;")


def code(text: str, limit: int = 300) -> str:
    """One line of code in Markdown."""
    line = one_line(text, limit)
    ticks = "`" * (_longest_run(line) + 1)
    space = " " if line.startswith("`") or line.endswith("`") or not line else ""
    return f"{ticks}{space}{line}{space}{ticks}"


def fenced(text: str, language: str = "") -> str:
    """A block of code in Markdown, fenced by more backticks than it has in a row anywhere."""
    lines = printable(text).removesuffix("\n").split("\n")
    # GitLab looks for quick actions ("/close") line by line, some versions in code as well.
    body = "\n".join(f" {line}" if line.startswith("/") else line for line in lines)
    fence = "`" * max(3, _longest_run(body) + 1)
    return f"{fence}{language}\n{body}\n{fence}"


def counted(number: int, noun: str) -> str:
    """`1 test`, `2 tests`."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


def _escaped(match: re.Match[str]) -> str:
    number = ord(match[0])
    if 0xDC80 <= number <= 0xDCFF:  # noqa: PLR2004  a byte that is not UTF-8
        return f"\\x{number - 0xDC00:02x}"
    return f"\\x{number:02x}" if number <= 0xFF else f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"  # noqa: PLR2004
