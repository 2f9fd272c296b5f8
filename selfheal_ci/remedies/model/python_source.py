"""The structure of a Python file: its functions and classes, what it imports, and which of its lines belong together."""

from __future__ import annotations

import ast
import warnings
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

LONG_CLASS = 120  # lines; of longer classes the methods are shown
LONG_FUNCTION = 200  # lines; of longer functions what is around
AROUND = 20  # lines around a place in a long function, or outside of all


@dataclass(frozen=True)
class Part:
    """A function or class."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

    @property
    def is_class(self) -> bool:
        return isinstance(self.node, ast.ClassDef)

    @cached_property
    def lines(self) -> range:
        """With its decorators."""
        first = min([self.node.lineno, *(decorator.lineno for decorator in self.node.decorator_list)])
        return range(first, (self.node.end_lineno or self.node.lineno) + 1)

    @property
    def header(self) -> range:
        return range(self.node.lineno, max(self.node.body[0].lineno, self.node.lineno + 1))

    @property
    def arguments(self) -> list[str]:
        if isinstance(self.node, ast.ClassDef):
            return []
        given = self.node.args
        return [argument.arg for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs)]


@dataclass(frozen=True)
class Import:
    """A module that is imported, or the names that are taken from it."""

    module: tuple[str, ...]
    names: frozenset[str]
    level: int  # dots in front
    lines: range


@dataclass(frozen=True)
class Module:
    """A Python file."""

    parts: tuple[Part, ...]
    imports: tuple[Import, ...]
    skeleton: frozenset[int]  # lines of the headers of functions and classes that can be named from outside


def parse(path: str, lines: Sequence[str]) -> Module | None:
    if not path.endswith((".py", ".pyi")):
        return None
    try:
        return _module("\n".join(lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


@lru_cache(maxsize=32)
def _module(source: str) -> Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    parts = tuple(Part(node) for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef))
    outer = {id(node) for node in tree.body}
    outer |= {id(node) for part in parts if part.is_class and id(part.node) in outer for node in part.node.body}
    skeleton = frozenset(line for part in parts if id(part.node) in outer for line in part.header)
    return Module(parts, tuple(found for node in nodes for found in _imports(node)), skeleton)


def _imports(node: ast.AST) -> Iterator[Import]:
    match node:
        case ast.Import():
            lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
            yield from (Import(tuple(alias.name.split(".")), frozenset(), 0, lines) for alias in node.names)
        case ast.ImportFrom():
            module = tuple(node.module.split(".")) if node.module else ()
            lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
            yield Import(module, frozenset(alias.name for alias in node.names), node.level, lines)
        case _:
            pass


def chosen(module: Module, at: Collection[int], *, skeleton: bool) -> set[int]:
    """The functions around these lines, or their class where that is short, with imports and headers."""
    focus = sorted(at)
    wanted = {line for said in module.imports for line in said.lines}
    wanted |= module.skeleton if skeleton else set()
    shown: set[int] = set()
    for part in module.parts:
        if bisect_left(focus, part.lines.start) < bisect_left(focus, part.lines.stop):
            wanted.update(part.header)
            if len(part.lines) <= (LONG_CLASS if part.is_class else LONG_FUNCTION):
                shown.update(part.lines)
    near = (range(line - AROUND, line + AROUND + 1) for line in focus if line not in shown)
    return wanted.union(shown, *near)
