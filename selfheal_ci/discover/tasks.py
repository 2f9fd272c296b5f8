"""What the names of tasks stand for: targets of a Makefile, scripts of a package.json."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from selfheal_ci.discover.found import Files

MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
DEEPEST, MOST, LONGEST = 3, 8, 50  # targets that need targets; of one; lines of a recipe
TARGETS, WIDEST = 500, 1000  # in a Makefile; letters of a line
_TARGET = re.compile(r"([A-Za-z0-9_][\w./ -]*?)\s*::?(?!=)\s*([^#\n]*)")


@dataclass(frozen=True)
class Tasks:
    """By name, the lines of each."""

    targets: Mapping[str, str]
    scripts: Mapping[str, str]
    lines: Mapping[str, int]  # of targets, from 1
    builds_with: tuple[str, ...] = ()  # what pip installs before it builds the project

    def expand(self, words: Sequence[str]) -> str:
        """The lines behind a command that runs tasks; empty where it runs none."""
        program = words[0].rpartition("/")[2]
        named = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
        if program in {"make", "gmake"}:
            first = next(iter(self.targets), "")
            return "\n".join(self.targets.get(name, "") for name in named or [first])
        if program in {"npm", "pnpm", "yarn", "bun"}:
            names = named[1:2] if named[:1] in (["run"], ["run-script"]) else named[:1]
            return "\n".join(self.scripts.get(name, "") for name in names)
        return ""


def tasks_of(files: Files) -> Tasks:
    """Those at the root of a repository."""
    path = next((name for name in MAKEFILES if name in files.paths), None)
    targets, lines = _targets(files.text(path)) if path else ({}, {})
    return Tasks(targets, scripts_of(files), lines, _builds_with(files))


def _builds_with(files: Files) -> tuple[str, ...]:
    """The build requirements of a Python project."""
    try:
        build = tomllib.loads(files.text("pyproject.toml")).get("build-system")
    except (ValueError, RecursionError):
        build = None
    wanted = build.get("requires") if isinstance(build, dict) else None
    named = [each for each in wanted if isinstance(each, str)] if isinstance(wanted, list) else ["setuptools"]
    return ("wheel", *named)


def scripts_of(files: Files) -> dict[str, str]:
    """The scripts of the root's package.json."""
    try:
        package = json.loads(files.text("package.json") or "{}")
    except (ValueError, RecursionError):
        return {}
    scripts = package.get("scripts") if isinstance(package, dict) else None
    return {name: text for name, text in scripts.items() if isinstance(text, str)} if isinstance(scripts, dict) else {}


def _targets(text: str) -> tuple[dict[str, str], dict[str, int]]:
    """The recipes, with those of what each target needs before its own."""
    recipes: dict[str, list[str]] = {}
    needs: dict[str, list[str]] = {}
    lines: dict[str, int] = {}
    names: list[str] = []
    for number, row in enumerate(text.splitlines(), 1):
        if row.startswith("\t"):
            for name in names:
                recipes[name].append(row.strip().lstrip("@-+"))
        elif len(row) <= WIDEST and len(lines) < TARGETS and (match := _TARGET.match(row)):
            names = match[1].split()
            for name in names:
                recipes.setdefault(name, [])
                needs.setdefault(name, []).extend(match[2].split())
                lines.setdefault(name, number)
        elif row.strip() and not row.startswith((" ", "#")):
            names = []
    return {name: "\n".join(_whole(name, recipes, needs, 0)) for name in recipes}, lines


def _whole(name: str, recipes: Mapping[str, list[str]], needs: Mapping[str, list[str]], depth: int) -> list[str]:
    inner = needs.get(name, [])[:MOST] if depth < DEEPEST else []
    before = [line for need in inner for line in _whole(need, recipes, needs, depth + 1)]
    return [*before, *recipes.get(name, [])][:LONGEST]
