"""Whether an edit looks like something that a person would write: no `x - x`, no variable that is left without use."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache

from selfheal_ci.remedies.mutation.text import parsed

SAME = ast.Sub | ast.Div | ast.FloorDiv | ast.Mod | ast.BitXor | ast.BitAnd | ast.BitOr
NEUTRAL = ((ast.Add | ast.Sub, 0), (ast.Mult | ast.Div | ast.FloorDiv | ast.Pow, 1))


@lru_cache(maxsize=1024)
def senseless(text: str) -> int:
    """How many expressions say nothing, whatever their names mean."""
    try:
        return sum(map(_says_nothing, ast.walk(parsed(text))))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return 0


def unused(text: str) -> frozenset[tuple[str, str]]:
    """(function, name) of what is assigned and never used, parameters too."""
    try:
        return frozenset(_unused(parsed(text)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()


def _says_nothing(node: ast.AST) -> bool:
    match node:
        case ast.BinOp(left=left, op=operator, right=ast.Constant(value=value)) if not isinstance(left, ast.Constant):
            nothing = any(isinstance(operator, kinds) and value == number for kinds, number in NEUTRAL)
        case ast.BinOp(left=left, op=operator, right=right):
            nothing = isinstance(operator, SAME) and _equal(left, right)
        case ast.Compare(left=left, comparators=[right]):
            nothing = _equal(left, right) or (isinstance(left, ast.Constant) and isinstance(right, ast.Constant))
        case ast.BoolOp(values=values):
            nothing = len(set(map(ast.dump, values))) < len(values)
        case ast.Assign(targets=[ast.Name() | ast.Attribute() as target], value=value):
            nothing = ast.unparse(target) == ast.unparse(value)
        case ast.IfExp(body=left, orelse=right) | ast.Call(func=ast.Name(id="min" | "max"), args=[left, right]):
            nothing = _equal(left, right)
        case _:
            nothing = False
    return nothing


def _equal(left: ast.AST, right: ast.AST) -> bool:
    return ast.dump(left) == ast.dump(right)


def _unused(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            inside = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
            used = {node.id for node in inside if isinstance(node.ctx, ast.Load)}
            stored = {node.id for node in inside if isinstance(node.ctx, ast.Store)}
            given = {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}
            yield from ((function.name, name) for name in (stored | given) - used if not name.startswith("_"))
