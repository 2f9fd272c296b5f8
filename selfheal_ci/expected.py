"""What failing tests look like in the source: their functions, and the constants that they expect something of."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator

Function = ast.FunctionDef | ast.AsyncFunctionDef
Read = Callable[[str], bytes | None]


def functions_of(ids: Iterable[str], read: Read) -> Iterator[Function]:
    """The functions of tests, by their ids."""
    for _, function in _found(ids, read):
        yield function


def constants_of(ids: Iterable[str], read: Read) -> frozenset[object]:
    """The constants in these functions, in their decorators, and in the module's tables that they name."""
    found: set[object] = set()
    for module, function in _found(ids, read):
        found |= constants(function)
        named = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
        for statement in module.body:
            targets = statement.targets if isinstance(statement, ast.Assign) else []
            if any(isinstance(target, ast.Name) and target.id in named for target in targets):
                found |= constants(statement)
    return frozenset(found)


def constants(tree: ast.AST) -> set[object]:
    """The numbers, texts and None in a tree."""
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float | str | bytes | None)
    }


def _found(ids: Iterable[str], read: Read) -> Iterator[tuple[ast.Module, Function]]:
    for id_ in sorted(ids):
        path, *names = id_.split("::")
        module = _parsed(read(path)) if path.endswith(".py") else None
        last = names[-1].partition("[")[0] if names else ""
        for node in ast.walk(module) if module else ():
            if module and isinstance(node, Function) and node.name == last:
                yield module, node


def _parsed(data: bytes | None) -> ast.Module | None:
    try:
        return ast.parse(data) if data is not None else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
