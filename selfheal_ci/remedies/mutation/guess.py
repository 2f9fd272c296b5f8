"""What failing tests may execute, where nothing can trace them: what they name, and what that names."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from selfheal_ci import paths
from selfheal_ci.detect.frames import frames
from selfheal_ci.expected import functions_of
from selfheal_ci.lab import Lab
from selfheal_ci.remedies.mutation.scope import Function
from selfheal_ci.remedies.mutation.text import Source, parse
from selfheal_ci.values import Case, Line

MOST_FILES = 300
DEPTH = 4  # calls from the failing test
FARTHER = 0.8  # times as likely, for each call more


@dataclass(frozen=True)
class Named:
    """A function, or a method that Python calls for its class."""

    path: str
    node: Function

    @property
    def lines(self) -> range:
        return range(self.node.lineno, (self.node.end_lineno or self.node.lineno) + 1)


def guess(case: Case, lab: Lab) -> dict[Line, float]:
    """The functions that failing tests name and those that these name, nearer ones likelier; the lines of the trace most."""
    files = [path for path in sorted(case.tree.entries) if may_change(path)][:MOST_FILES]
    sources = {path: source for path in files if (source := parse(path, lab.read(path) or b""))}
    weights: dict[Line, float] = {}
    for name, depth in _reached(set(_of_tests(case, lab)), known := _functions(sources)):
        for function in known[name]:
            for line in function.lines:
                weights[function.path, line] = max(FARTHER**depth, weights.get((function.path, line), 0.0))
    for failure in case.failures:
        for frame in frames(failure.text, root=str(case.tree.root)):
            if frame.path in sources:
                weights[frame.path, frame.line] = 1.0
    return weights


def may_change(path: str) -> bool:
    """Whether it is Python that a fix may touch."""
    return path.endswith(".py") and paths.is_source(path)


def _of_tests(case: Case, lab: Lab) -> Iterator[str]:
    for function in functions_of(case.targets, lab.read):
        yield from _names(function)


def _functions(sources: Mapping[str, Source]) -> dict[str, list[Named]]:
    """By their names; the special methods of a class by the name of that."""
    found: dict[str, list[Named]] = {}
    for path, source in sources.items():
        for node in ast.walk(source.tree):
            if isinstance(node, Function):
                found.setdefault(node.name, []).append(Named(path, node))
            elif isinstance(node, ast.ClassDef):
                special = [each for each in node.body if isinstance(each, Function) and each.name.startswith("__")]
                found.setdefault(node.name, []).extend(Named(path, each) for each in special)
    return found


def _reached(wanted: set[str], known: Mapping[str, list[Named]]) -> Iterator[tuple[str, int]]:
    """The names of functions, and how many calls away they are."""
    done: set[str] = set()
    for depth in range(DEPTH):
        here = sorted((wanted - done) & known.keys())
        yield from ((name, depth) for name in here)
        done |= wanted
        wanted = {name for each in here for function in known[each] for name in _names(function.node)}


def _names(node: ast.AST) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.Name):
            yield each.id
        elif isinstance(each, ast.Attribute):
            yield each.attr
