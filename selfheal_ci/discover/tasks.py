"""What the names of tasks stand for: targets of a Makefile, scripts of a package.json."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from selfheal_ci.discover.found import Files

MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
DEEPEST, MOST, LONGEST = 4, 20, 200  # targets that need targets; of one; lines
_TARGET = re.compile(r"([A-Za-z0-9_][\w./ -]*?)\s*::?(?!=)\s*([^#\n]*)")


@dataclass(frozen=True)
class Tasks:
    """By name, the lines of each."""

    targets: Mapping[str, str]
    scripts: Mapping[str, str]
    lines: Mapping[str, int]  # of targets, from 1

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
    return Tasks(targets, scripts_of(files), lines)


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
        elif match := _TARGET.match(row):
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
