"""The scripts that a step starts: they are part of the judge. Also those that the files name which steer it."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator

from selfheal_ci import paths
from selfheal_ci.shell_words import commands
from selfheal_ci.values import Entry, Step, Tree

# What runs the file that comes next; any number of them, with options and numbers between.
_STARTERS = re.compile(
    r"(?:python|pypy|node|deno|bun|ruby|perl|php|lua|Rscript|pwsh|bash|dash|zsh|ash|ksh|sh|source|\.|exec|env|nice|nohup|time|"
    r"timeout|stdbuf|xvfb-run|sudo|uv|uvx|poetry|pdm|pipenv|hatch|rye|pixi|conda|coverage|npx|tsx|ts-node|run|exec|call|"
    r"go|cargo|dotnet|java|make|-f|--file|-C)[\d.]*"
)
Names = dict[str, list[str]]  # the last part of a path → all paths that end in it
_QUOTED = re.compile(r'"(?:[^"\\\n]|\\.)*"|' r"'[^'\n]*'")
_NO_FILE = frozenset({"-c", "-m", "-e", "--module", "--eval", "-p"})  # what comes next is code, or a name
_WITH_VALUE = frozenset({"-W", "-X", "--with", "--env-file", "--source", "--rcfile"})
_MOST_BYTES = 200_000  # of a file that steers, which is read for scripts
STEERS = frozenset({"a CI file", "a build or dependency manifest", "a tool's configuration"})  # kinds of protected files
_DEPTH = 4  # scripts that name scripts


def scripts(step: Step, tree: Tree, read: Callable[[Entry], bytes]) -> frozenset[str]:
    """The paths of the tree's files that the step starts, as far as its words and those of its files say."""
    named: Names = {}
    for path in tree.entries:
        named.setdefault(posixpath.basename(path), []).append(path)
    found: set[str] = set()
    new = {path for line in (*step.build, step.run) for path in _started(line, named)}
    new |= {path for path in tree.entries if "/" not in path and _steers(path)}
    for _ in range(_DEPTH):
        found |= new
        texts = [_text(path, tree, read) for path in sorted(new) if not path.endswith(".py") or _steers(path)]
        new = {path for text in texts for path in _started(text, named)} - found
    return frozenset(path for path in found if not _steers(path))


def _started(text: str, named: Names) -> Iterator[str]:
    for line in text.splitlines():
        for words in commands(line.strip().lstrip("@-+")):
            if word := _file(words):
                yield from _called(word, named)


def _file(words: Iterable[str]) -> str | None:
    """What a command starts that may be a file."""
    rest = iter(words)
    for word in rest:
        if word in _NO_FILE:
            return None
        if word in _WITH_VALUE:
            next(rest, None)
        elif not (word[:1] in "-0123456789" or _STARTERS.fullmatch(word.rpartition("/")[2] or word)):
            return word
    return None


def _called(word: str, named: Names) -> list[str]:
    """The files of this name; where there is none just there, those below: the command may stand in another folder."""
    name = re.sub(r"^(?:\.{1,2}/)+", "", posixpath.normpath(word))
    alike = named.get(posixpath.basename(name), [])
    if name in alike:
        return [name]
    return [path for path in alike if path.endswith(f"/{name}")] if "." in name or "/" in name else []


def _steers(path: str) -> bool:
    """Whether it is protected anyway, and may name scripts. What builds a package starts nothing that judges."""
    return paths.protected(path) in STEERS and path != "setup.py"


def _text(path: str, tree: Tree, read: Callable[[Entry], bytes]) -> str:
    """What a file says, as lines of shell; package.json and TOML by their texts."""
    entry = tree.entries.get(path)
    if entry is None or entry.mode == "120000":
        return ""
    text = read(entry)[:_MOST_BYTES].decode("utf-8", "replace")
    if path.endswith((".json", ".toml", ".py")):  # texts in quotes are commands, or all of a line one
        lines = [[_unquoted(match[0]) for match in _QUOTED.finditer(line)] for line in text.splitlines()]
        return "\n".join([word for words in lines for word in (*words, " ".join(words)) if " " in word])
    return re.sub(r"(?m)^\s*(?:commands|run|script|test)\s*[:=]\s*", "", text)


def _unquoted(quoted: str) -> str:
    if quoted.startswith('"'):
        try:
            return str(json.loads(quoted))
        except ValueError:
            pass
    return quoted[1:-1]
