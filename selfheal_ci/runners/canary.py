"""Tests that must fail, put beside others in a test file: whatever makes tests pass that should not meets them as well."""

from __future__ import annotations

import ast
import secrets
from collections.abc import Callable, Collection

from selfheal_ci.paths import is_judge
from selfheal_ci.values import Changes, Content, Planted

# What fails in three ways, as pytest and unittest collect it; a name tells neither tool nor code that it is ours.
_TESTS = """

class Test{name}(__import__("unittest").TestCase):
    def test_{name}_statement(self):
        assert [1] == [2]

    def test_{name}_method(self):
        self.assertEqual([1], [2])

    def test_{name}_error(self):
        raise ValueError([1])


"""
_METHODS = ("statement", "method", "error")


def planted(ids: Collection[str], read: Callable[[str], bytes | None]) -> Planted | None:
    """The first test file of these ids with tests that must fail; None where none of them is in a file of tests."""
    for path in sorted({id_.split("::")[0] for id_ in ids if "::" in id_}):
        data = read(path) if path.endswith(".py") and is_judge(path) else None
        if data is not None and (line := _end(data)) is not None:
            name = secrets.token_hex(4)
            changes = Changes({path: Content(_with(data, line, _TESTS.format(name=name).encode()))})
            return Planted(changes, frozenset(f"{path}::Test{name}::test_{name}_{method}" for method in _METHODS))
    return None


def _end(data: bytes) -> int | None:
    """Behind how many lines new tests stand: at the end, or before what starts the module as a program."""
    try:
        body = ast.parse(data).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    starts = [node.lineno for node in body if isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)]
    return min(starts) - 1 if starts else len(data.splitlines())


def _with(data: bytes, line: int, text: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    return b"".join([*lines[:line], b"\n", text, *lines[line:]])
