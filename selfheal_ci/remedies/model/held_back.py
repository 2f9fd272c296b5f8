"""Cases of a parametrised test that a model is not told of: what it proposes has to hold for them too."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence

from selfheal_ci.syntax import tree_of
from selfheal_ci.values import Failure

LEAST = 3  # failing cases of one test, from which on some are held back
EVERY = 3  # of them one is
INSTEAD = "…"


def held_back(failures: Sequence[Failure]) -> frozenset[str]:
    """The ids of every third failing case of a test, where there are enough; the first is told in any case."""
    cases: dict[str, list[str]] = {}
    for id_ in sorted({failure.id for failure in failures}):
        if id_.endswith("]"):
            cases.setdefault(id_.partition("[")[0], []).append(id_)
    many = (ids for ids in cases.values() if len(ids) >= LEAST)
    return frozenset(id_ for ids in many for id_ in ids[EVERY - 1 :: EVERY])


def without(path: str, lines: Sequence[str], held: Collection[str]) -> list[str]:
    """The lines of a test file with the values of these cases left out, where they are written beside the test."""
    tree = tree_of("\n".join(lines)) if any(id_.startswith(f"{path}::") for id_ in held) else None
    hidden = [node for function in _functions(tree) for node in _values(function, path, held)] if tree else []
    shown = [line.encode("utf-8", "surrogateescape") for line in lines]
    for node in sorted(hidden, key=lambda node: (node.lineno, node.col_offset), reverse=True):
        last = node.end_lineno or node.lineno
        ending = shown[last - 1][node.end_col_offset :]
        shown[node.lineno - 1] = shown[node.lineno - 1][: node.col_offset] + INSTEAD.encode() + ending
        for between in range(node.lineno, last):
            shown[between] = b""
    return [line.decode("utf-8", "surrogateescape") for line in shown]


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _values(function: ast.FunctionDef | ast.AsyncFunctionDef, path: str, held: Collection[str]) -> Iterator[ast.expr]:
    """The values of cases that are held back, where one list of them is written above the function."""
    lists = [found for decorator in function.decorator_list if (found := _parametrised(decorator))]
    if len(lists) != 1:
        return
    names, values = lists[0]
    for at, value in enumerate(values):
        named = f"::{function.name}[{_id(value, names, at)}]"
        if any(id_.startswith(f"{path}::") and id_.endswith(named) for id_ in held):
            yield value


def _parametrised(decorator: ast.expr) -> tuple[list[str], list[ast.expr]] | None:
    match decorator:
        case ast.Call(func=ast.Attribute(attr="parametrize"), args=[names, ast.List(elts=values) | ast.Tuple(elts=values)]):
            return _names(names), values
        case _:
            return None


def _names(node: ast.expr) -> list[str]:
    match node:
        case ast.Constant(value=str(said)):
            return [name.strip() for name in said.split(",") if name.strip()]
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return [str(element.value) for element in elements if isinstance(element, ast.Constant)]
        case _:
            return []


def _id(value: ast.expr, names: Sequence[str], at: int) -> str:
    """How pytest calls a case."""
    match value:
        case ast.Call(func=ast.Attribute(attr="param"), keywords=keywords) if said := _said(keywords):
            return said
        case ast.Call(func=ast.Attribute(attr="param"), args=parts):
            pass
        case ast.Tuple(elts=parts) | ast.List(elts=parts) if len(names) > 1:
            pass
        case _:
            parts = [value]
    return "-".join(_part(part, name, at) for part, name in zip(parts, names, strict=False))


def _said(keywords: Sequence[ast.keyword]) -> str | None:
    given = (keyword.value for keyword in keywords if keyword.arg == "id")
    return next((str(value.value) for value in given if isinstance(value, ast.Constant)), None)


def _part(value: ast.expr, name: str, at: int) -> str:
    match value:
        case ast.Constant(value=str(text)):
            return text.encode("unicode_escape").decode("ascii")
        case ast.Constant(value=int() | float() | None as plain):
            return str(plain)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return f"-{number}"
        case _:
            return f"{name}{at}"
