"""Which program a command starts in the end, behind `uv run`, `python -m` and their like."""

from __future__ import annotations

import re
from collections.abc import Sequence

STARTERS = (
    "uv run", "uv tool run", "uvx", "poetry run", "pdm run", "pipenv run", "rye run", "pixi run", "pipx run", "npx", "bunx",
    "pnpm exec", "pnpm dlx", "yarn dlx", "bundle exec", "time", "env", "exec", "xvfb-run", "nice",
)  # fmt: skip
# Options of theirs that are followed by a value.
VALUED = frozenset({
    "--group", "--only-group", "--no-group", "--with", "--with-editable", "--with-requirements", "--extra", "--python", "-p",
    "--package", "--from", "--spec", "--directory", "--project", "--index", "--env-file", "--resolution", "-w", "-s",
})  # fmt: skip
_PYTHON = re.compile(r"(?:python|pypy)[\d.]*")


def base(word: str) -> str:
    """A program's name without its folder."""
    return word.rpartition("/")[2]


def place_of(words: Sequence[str]) -> int:
    """The index of the word that names the program which is started in the end."""
    at = 0
    while at < len(words):
        further = behind(words, at)
        if further is None:
            return at
        at = further
    return max(len(words) - 1, 0)


def program_of(words: Sequence[str]) -> list[str]:
    """The words from that program on, its folder left out."""
    at = place_of(words)
    return [base(words[at]), *words[at + 1 :]] if words else []


def behind(words: Sequence[str], at: int) -> int | None:
    """Where what a starter starts is named; None where nothing is started."""
    name = base(words[at])
    if _PYTHON.fullmatch(name):
        options = next((index for index, word in enumerate(words[at + 1 :], at + 1) if not word.startswith("-")), len(words))
        module = next((index for index in range(at + 1, options) if words[index] == "-m"), None)
        return module + 1 if module is not None and module + 1 < len(words) else None
    starter = next((each for each in STARTERS if [name, *words[at + 1 :]][: len(each.split())] == each.split()), None)
    if starter is None:
        return None
    begin = at + len(starter.split())
    while begin < len(words) and (words[begin].startswith("-") or "=" in words[begin]):
        begin += 2 if words[begin] in VALUED else 1
    return begin if begin < len(words) else None
