"""What a module has to offer, before and after: functions that are emptied or gone, and what its doctests expect."""

from __future__ import annotations

import ast
import doctest
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from selfheal_ci.syntax import tree_of

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Features:
    """Of one module; of none where it does not parse."""

    public: Counter[str] = field(default_factory=Counter)  # names of functions and classes, wherever they are
    full: frozenset[str] = frozenset()  # functions that do something, as Class.name
    empty: frozenset[str] = frozenset()  # those that do nothing
    checks: int = 0  # what raises
    statements: int = 0
    examples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # of doctests, by whose they are
    annotations: int = 0
    nothing: frozenset[str] = frozenset()  # names that stand for nothing, or for anything


@lru_cache(maxsize=64)
def features(text: str) -> Features:
    """Those of a module."""
    tree = tree_of(text)
    if tree is None:
        return Features()
    try:
        functions, examples = dict(_functions(tree, "")), dict(_examples(tree, ""))
    except RecursionError:  # refused for that
        return Features()
    nodes = list(ast.walk(tree))
    public = Counter(node.name for node in nodes if isinstance(node, Definition) and not node.name.startswith("_"))
    empty = frozenset(name for name, node in functions.items() if _is_empty(node))
    checks = sum(isinstance(node, ast.Raise | ast.Assert) for node in nodes)
    statements = sum(isinstance(node, ast.stmt) for node in nodes)
    annotations = sum(_annotated(node) for node in nodes)
    nothing = frozenset(name for node in tree.body for name in _nothing(node))
    return Features(public, frozenset(functions) - empty, empty, checks, statements, examples, annotations, nothing)


def _functions(node: ast.AST, above: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for child in ast.iter_child_nodes(node):
        name = f"{above}.{child.name}" if above and isinstance(child, Definition) else getattr(child, "name", "")
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield name, child
        yield from _functions(child, name if isinstance(child, Definition) else above)


def _is_empty(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether the first thing that it does is to give back a constant, or nothing."""
    body = [each for each in function.body if not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))]
    match body[0] if body else ast.Pass():
        case ast.Pass():
            return len(body) <= 1
        case ast.Return(value=value):
            return value is None or isinstance(value, ast.Constant)
        case ast.Raise(exc=exc):
            return exc is not None and "NotImplemented" in ast.unparse(exc)
        case _:
            return False


def _nothing(node: ast.stmt) -> list[str]:
    match node:
        case ast.Assign(targets=targets, value=ast.Constant(value=None)):
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case _:
            return []


def _annotated(node: ast.AST) -> bool:
    return getattr(node, "annotation", None) is not None or getattr(node, "returns", None) is not None


def _examples(node: ast.AST, name: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    if isinstance(node, Definition | ast.Module) and (said := ast.get_docstring(node)):
        try:
            found = doctest.DocTestParser().get_examples(said)
        except ValueError:  # no doctest after all
            found = []
        if found:
            yield name, tuple(f"{example.source} → {example.want}" for example in found)
    for child in ast.iter_child_nodes(node):
        yield from _examples(child, f"{name}.{child.name}" if isinstance(child, Definition) else name)
