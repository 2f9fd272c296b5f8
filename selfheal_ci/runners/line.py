"""The line of shell that runs a step, and what its words say of the tool it starts."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping

from selfheal_ci.values import REPORTS, Step

ROOT_FILE = "selfheal-root"

# Where the step begins is the tree's root: tools may start elsewhere, and traces name absolute paths.
_PREFIX = f'SELFHEAL_ROOT="$(pwd -P)"; export SELFHEAL_ROOT; printf %s "$SELFHEAL_ROOT" >{REPORTS}/{ROOT_FILE}'
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_KEYWORDS = frozenset({"if", "then", "else", "elif", "do", "while", "until", "!", "{", "exec", "command", "time"})
_BREAKS = frozenset("();<>|&")
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ash"})


def step_line(step: Step) -> str:
    """Build, then run; the exit code is the run's, or that of the build that failed."""
    builds = [f"{{\n{build}\n}} || exit" for build in step.build]
    return "\n".join([_PREFIX, *builds, step.run])


def root_of(reports: Mapping[str, bytes]) -> str:
    """The tree's absolute path, as the run saw it."""
    return reports.get(ROOT_FILE, b"").decode("utf-8", "surrogateescape")


def commands(line: str) -> Iterator[list[str]]:
    """The simple commands of a piece of shell, each from its program on; what a shell is given by -c as well."""
    for row in line.replace("\\\n", " ").splitlines():
        for words in _simple(row):
            yield words
            if words[0].rpartition("/")[2] in _SHELLS and "-c" in words[1:-1]:
                yield from commands(words[words.index("-c") + 1])


def _simple(row: str) -> Iterator[list[str]]:
    command: list[str] = []
    for word in [*_words(row), ";"]:
        if not _BREAKS.issuperset(word):
            command.append(word)
            continue
        while command and (_ASSIGNMENT.match(command[0]) or command[0] in _KEYWORDS):
            command.pop(0)
        if command:
            yield command
        command = []


def _words(row: str) -> list[str]:
    lexer = shlex.shlex(row, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:  # a quote that ends on another line
        return row.split()
