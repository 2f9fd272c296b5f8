"""What failing tests look like in the source: their functions, and the constants that they expect something of."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator

from selfheal_ci.syntax import tree_of

Function = ast.FunctionDef | ast.AsyncFunctionDef
_NUMBER = re.compile(r"(?<![\w.])\d{1,15}(?:\.\d{1,15})?(?![\w.]*[a-zA-Z_])")
_QUOTED = re.compile(r"\"([^\"\n]{1,200})\"|'([^'\n]{1,200})'")
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


def constants_of_module(data: bytes | None) -> frozenset[object]:
    """Those in a whole module, as a script that judges is one."""
    module = tree_of(data) if data is not None else None
    return frozenset(constants(module)) if module else frozenset()


def constants_of_doctests(data: bytes) -> frozenset[object]:
    """Those that a module's doctests do something with, and expect."""
    module = tree_of(data)
    said = [node.value for node in ast.walk(module) if isinstance(node, ast.Constant)] if module else []
    lines = [line for text in said if isinstance(text, str) and ">>>" in text for line in text.splitlines()]
    return frozenset().union(*map(constants_of_words, lines))


def constants_of_words(text: str) -> frozenset[object]:
    """The numbers in any text, and what stands in it between quotes."""
    numbers = [(float(word) if "." in word else int(word)) for word in _NUMBER.findall(text)]
    return frozenset(numbers) | frozenset(one or other for one, other in _QUOTED.findall(text))


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
        module = tree_of(data) if path.endswith(".py") and (data := read(path)) is not None else None
        last = names[-1].partition("[")[0] if names else ""
        for node in ast.walk(module) if module else ():
            if module and isinstance(node, Function) and node.name == last:
                yield module, node
