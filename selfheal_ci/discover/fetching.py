"""What a step would fetch while it runs, fetched before: steps have no network."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Sequence

from selfheal_ci.discover.sorting import Use, use_of
from selfheal_ci.discover.starting import base, behind, place_of, program_of
from selfheal_ci.discover.tasks import Tasks
from selfheal_ci.shell_words import Word, commands, simple_commands

# What tells tools to ask nobody.
OFFLINE = {"uv": {"UV_OFFLINE": "1"}, "uvx": {"UV_OFFLINE": "1"}, "cargo": {"CARGO_NET_OFFLINE": "true"}}
WHEELS = "~/.wheels"  # what pip takes instead of an index
FROM_WHEELS = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": WHEELS.replace("~", "$HOME")}
# Tools that fetch as they go: what makes them run on what is there.
WITHOUT_FETCHING = {"nox": "-R", "gradle": "--offline", "gradlew": "--offline", "mvn": "-o", "mvnw": "-o"}
FETCHES = {"go": "go mod download", "cargo": "cargo fetch"}
_INNER = re.compile(r"[\w./@=:,\[\]-]+( [\w./@=:,\[\]\"'-]+)*")  # of a recipe: a line that holds nothing of make's own


def fetched(run: str, tasks: Tasks) -> Iterator[str]:
    """The commands that fetch what these lines would, each once it is known to be needed."""
    if _installs(run, tasks):
        yield f"pip download --quiet --dest {WHEELS} {shlex.join(tasks.builds_with)}"
    for command in simple_commands(run):
        yield from _fetches(command)
        texts = [word.text for word in command]
        for row in tasks.expand(texts).splitlines():
            if _INNER.fullmatch(row) and base(row.split()[0]) != base(texts[0]):
                installs = use_of(row, tasks.expand) is Use.INSTALL
                yield from [row] if installs else (each for words in simple_commands(row) for each in _fetches(words))


def _installs(run: str, tasks: Tasks) -> bool:
    """Whether pip will install something while these lines run; uv has a cache of its own for that."""
    programs = {tuple(program_of(words)[:2]) for line in _all(run, tasks) for words in commands(line)}
    pip = any(words[:1] == ("tox",) or words in {("pip", "install"), ("pip3", "install")} for words in programs)
    return pip and not re.search(r"\buvx?\b", run)


def _all(run: str, tasks: Tasks) -> list[str]:
    """The lines, and those behind the tasks that they run."""
    return [run, *map(tasks.expand, commands(run))]


def without_fetching(run: str) -> str:
    """The lines, with tools that would fetch as they go told not to."""
    for command in reversed(list(simple_commands(run))):
        at = place_of([word.text for word in command])
        if option := WITHOUT_FETCHING.get(base(command[at].text)):
            end = command[at].start + len(command[at].raw)
            run = run if option in {word.raw for word in command} else f"{run[:end]} {option}{run[end:]}"
    return run


def offline(run: str, tasks: Tasks, *, uv: bool) -> dict[str, str]:
    """Variables that keep the tools in these lines from asking anybody. `uv`: it is there, and others may start it."""
    words = {base(word) for line in _all(run, tasks) for command in commands(line) for word in command}
    told = [variables for tool, variables in OFFLINE.items() if tool in words or (uv and tool == "uv")]
    return {
        name: value
        for variables in (*told, FROM_WHEELS if _installs(run, tasks) else {})
        for name, value in variables.items()
    }


def _fetches(command: Sequence[Word]) -> Iterator[str]:
    texts, raws = [word.text for word in command], [word.raw for word in command]
    at = place_of(texts)
    before, tool, after = raws[:at], base(texts[at]), raws[at + 1 :]
    if tool in FETCHES and not before:
        yield FETCHES[tool]
    elif tool in {"pip", "pip3"} and after[:1] == ["install"]:
        yield " ".join(raws)
    elif tool in TOOLS:
        yield " ".join([*before, *TOOLS[tool](raws[at], after)])
    elif base(texts[0]) in {"uv", "uvx", "pipx"} and (began := behind(texts, 0)):
        yield " ".join(
            [*raws[:began], *(["true"] if texts[1] == "run" and texts[0] == "uv" else [raws[began], "--version"])]
        )


def _ending(option: str) -> Callable[[str, Sequence[str]], list[str]]:
    """The same command with an option, but for what it passes on behind `--`."""

    def made(tool: str, words: Sequence[str]) -> list[str]:
        own = list(words)[: words.index("--")] if "--" in words else list(words)
        return [tool, *own, option]

    return made


def _anyway(tool: str, words: Sequence[str]) -> list[str]:
    return [tool, *words, "||", "true"]


TOOLS: dict[str, Callable[[str, Sequence[str]], list[str]]] = {
    "tox": _ending("--notest"),
    "nox": _ending("--install-only"),
    "pre-commit": lambda tool, _: [tool, "install-hooks"],
    "prek": lambda tool, _: [tool, "install-hooks"],
    "hatch": lambda tool, _: [tool, "env", "create"],
    "mvn": _anyway,
    "mvnw": _anyway,
    "gradle": _anyway,
    "gradlew": _anyway,
}
