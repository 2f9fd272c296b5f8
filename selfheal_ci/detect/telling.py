"""How much a line of output tells about a failure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_DIGITS = str.maketrans("23456789", "1" * 8)  # which it is makes no difference; zero does
EXCEPTION = re.compile(
    r"(?:E   )?(?:[A-Za-z_]\w*\.)*(?:[A-Z]\w*)?(?:Error|Exception|Exit|Interrupt)(?: \[\w{1,40}\])?(?:: |$)"
)
# Looked for in small letters: other lines tell nothing.
_WORDS = re.compile(
    r"error|fail|exception|traceback|panic|fatal|cannot|can't|unable|denied|refused|timed out|killed|not found|no such|"
    r"no module|undefined|unexpected|expected|exit|interrupt|fault|dumped|memory|npm err|[✗✕✖×]|^e  |assert|conflict|"
    r"not ok|reformat|unformatted|can't open|:\d{1,6}:|^[a-z]{1,4}\d{2,5} "
)
# What only sounds bad. Taken out before a line is weighed.
_HARMLESS = re.compile(
    r"\b(?:0|no|without) (?:errors?|failures?|failed|warnings?)\b|\b(?:errors?|fail(?:ed|ures?)?)[=:] ?0\b|"
    r"--[\w-]{0,40}fail[\w-]{0,40}|continue[-_]on[-_]error|^\+ .*|"
    r"^(?:ok|compiling|collecting|download\w*|fetch\w*|installing|get:\d{1,6}) .*|^.{0,400}(?:\bpassed\b|\.\.\. ok$).*",
    re.IGNORECASE,
)
_HARMLESS_WORDS = ("0 ", ":0", ": 0", "=0", "= 0", "no ", "without ", "--", "on-error", "on_error", "passed", "... ok")
_HARMLESS_BEGINNINGS = ("+ ", "ok ", "compiling ", "collecting ", "download", "fetch", "installing ", "get:")


@dataclass(frozen=True)
class Sign:
    """What lines of one weight have: one of the words, in small letters, and the pattern."""

    weight: int
    words: tuple[str, ...]
    pattern: re.Pattern[str]
    small: bool = False  # the pattern is of small letters, and the line is taken so


# The first that a line has says how much it tells.
_SIGNS = (
    Sign(10, ("error", "panic: ", "fatal"), re.compile(r"##\[error\]|^(?:::error|panic: |fatal(?: error)?: )"), small=True),
    Sign(9, ("error", "exception", "exit", "interrupt"), re.compile(f"^{EXCEPTION.pattern}")),
    Sign(
        8,
        ("e   ", "fail", "error", "not ok ", "traceback ", "conflict", "panicked at"),
        re.compile(
            r"^ {0,8}(?:E   |FAILED |ERROR[ :]|--- FAIL|FAIL(?:ED)?\b|not ok |Traceback |error(?:\[\w{1,12}\])?: |npm ERR!|"
            r"CONFLICT \(|thread '.{0,200}' (?:\(\d{1,9}\) )?panicked at )"
        ),
    ),
    Sign(
        7,
        ("error", "no module named ", "✗ ", "✕ ", "✖ ", "× "),
        re.compile(r": (?:fatal )?error\b|Error: |\berror [A-Z]{1,4}\d{3,5}: | No module named |^ {0,40}[✗✕✖×] "),
    ),
    Sign(7, (" ",), re.compile(r"^(?:[^\s:]{1,300}:\d{1,6}:(?:\d{1,6}:)? )?[A-Z]{1,4}\d{2,5} ")),  # a linter's rule
    Sign(
        6,
        ("exit", "not found", "no such", "denied", "undefined", "fault", "dumped", "memory", "killed", "timed out",
         "reformat", "unformatted", "can't open"),
        re.compile(
            r"exit (?:code|status)[ :=]{1,3}[1-9]|exited with (?:code )?[1-9]|command not found|no such file|"
            r"permission denied|undefined reference|segmentation fault|core dumped|out of memory|killed|timed out|"
            r"would (?:be )?reformat|unformatted: |can't open|"
            r": not found$"
        ),
        small=True,
    ),
    Sign(5, (":1",), re.compile(r"^\s{0,8}(?:vet: )?[^\s:]{1,300}\.\w{1,10}:1{1,6}:(?:1{1,6}:)? \S")),  # a place, and words
    Sign(
        4,
        ("error", "fail", "exception", "assert"),
        re.compile(r"\b(?:errors?|fail(?:ed|ure|ures|s)?|exception|assert\w*)\b"),
        small=True,
    ),
    Sign(
        2,
        ("cannot", "can't", "unable", "denied", "refused", "not found", "undefined", "expected", "panic", "fatal",
         "conflict"),
        re.compile(
            r"\b(?:cannot|can't|unable|denied|refused|not found|undefined|unexpected|expected|panic|fatal|conflict\w*)\b"
        ),
        small=True,
    ),
)  # fmt: skip


def weight(line: str) -> int:
    """How much a line tells about a failure."""
    return _weight(line.translate(_DIGITS)) if _WORDS.search(line.lower()) else 0


@lru_cache(maxsize=20_000)  # many lines differ in numbers alone
def _weight(line: str) -> int:
    low = line.lower()
    if low.startswith(_HARMLESS_BEGINNINGS) or any(word in low for word in _HARMLESS_WORDS):
        line = _HARMLESS.sub("", line)
        low = line.lower()
    return next((sign.weight for sign in _SIGNS if _shows(line, low, sign)), 0)


def _shows(line: str, low: str, sign: Sign) -> bool:
    return any(word in low for word in sign.words) and bool(sign.pattern.search(low if sign.small else line))
