"""The words of a piece of shell, and which commands it runs. Nothing is run or expanded."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# Begins of alternatives differ, so that a text is read in one go whatever it holds.
_WORD = r"""(?:[^\s'"\\`$();<>|&]|\\.|'[^']*'|"(?:[^"\\]|\\.)*"|\$\([^()]*(?:\([^()]*\)[^()]*)*\)|`[^`]*`|\$)+"""
_TOKEN = re.compile(
    rf"(?P<nothing>[^\S\n]+|\\\n|\#[^\n]*)"
    rf"|(?P<redirect>\d*(?:&>>?|[<>]&|<<<|<<-?|>>|>\||[<>])[^\S\n]*{_WORD})"
    rf"|(?P<word>{_WORD})"
    r"|(?P<operator>&&|\|\||;;|[;|&()\n])"
    r"|(?P<stray>.)",
    re.DOTALL,
)
_SUBSTITUTION = re.compile(r"\$\(([^()]*(?:\([^()]*\)[^()]*)*)\)|`([^`]*)`")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_KEYWORDS = frozenset({"if", "then", "else", "elif", "do", "while", "until", "!", "{", "exec", "command", "time"})
_COMPOUND = frozenset({"if", "for", "while", "until", "case", "{", "function", "select"})
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ash"})


@dataclass(frozen=True)
class Word:
    """One word, as it is written."""

    raw: str
    start: int  # in the text

    @property
    def text(self) -> str:
        """Without its quotes."""
        try:
            return " ".join(shlex.split(self.raw))
        except ValueError:
            return self.raw


def commands(line: str) -> Iterator[list[str]]:
    """The simple commands of a piece of shell, each from its program on; what a shell is given by -c as well."""
    for command in simple_commands(line):
        words = [word.text for word in command]
        yield words
        if inner := given_to_shell(words):
            yield from commands(inner)


def simple_commands(line: str) -> Iterator[list[Word]]:
    """The same with their places, and without what is inside of words."""
    command: list[Word] = []
    for token in [*_TOKEN.finditer(line), None]:
        if token and token.lastgroup in {"nothing", "redirect", "stray"}:
            continue
        if token and token.lastgroup == "word":
            command.append(Word(token[0], token.start()))
            continue
        while command and (_ASSIGNMENT.match(command[0].raw) or command[0].raw in _KEYWORDS):
            command.pop(0)
        if command:
            yield command
        command = []


def given_to_shell(words: Sequence[str]) -> str | None:
    """What `sh -c` is given to run."""
    if words[0].rpartition("/")[2] not in _SHELLS:
        return None
    return next((words[at + 1] for at in range(1, len(words) - 1) if re.fullmatch(r"-[a-z]*c", words[at])), None)


def substitutions(line: str) -> list[str]:
    """What runs for its output: `$(…)`, and the same in backquotes."""
    return [first or second for first, second in _SUBSTITUTION.findall(line)]


def parts(line: str) -> list[str]:
    """What is between `&&`, `||`, `;`, `&` and line ends; the whole where it is a loop, a condition, or in brackets."""
    tokens = [token for token in _TOKEN.finditer(line) if token.lastgroup != "nothing"]
    if any(token[0] in _COMPOUND for token in tokens):
        return [line]
    found, begin, depth = [], 0, 0
    for token in tokens:
        depth += (token[0] == "(") - (token[0] == ")")
        if token.lastgroup == "operator" and token[0] not in {"(", ")", "|"} and depth <= 0:
            found.append(line[begin : token.start()])
            begin = token.end()
    return [part.strip() for part in (*found, line[begin:]) if part.strip()]
