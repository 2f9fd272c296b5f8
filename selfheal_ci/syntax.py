"""Python source: its tree, whether changes leave it one that can be parsed, and where more code may stand in it."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable
from functools import lru_cache

from selfheal_ci.values import Changes


@lru_cache(maxsize=32)
def tree_of(data: bytes | str) -> ast.Module | None:
    """The syntax tree; None where it is no Python, for the Python that runs us."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of strange escapes in the project's strings
        try:
            return ast.parse(data)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


@lru_cache(maxsize=256)
def parses(data: bytes) -> bool:
    """Whether it is Python."""
    return tree_of(data) is not None


def breaks(changes: Changes, read: Callable[[str], bytes | None]) -> bool:
    """Whether a Python file could be parsed before and cannot be any more. `read` gives a file as it was."""
    for path, content in changes.files.items():
        before = read(path) if content and path.endswith(".py") else None
        if content and before is not None and not parses(content.data) and parses(before):
            return True
    return False


def after_future(data: bytes, added: bytes) -> bytes:
    """The module with code behind what has to come first: its docstring, and imports from `__future__`."""
    first = 0
    for node in _body(data):
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not is_text and not (isinstance(node, ast.ImportFrom) and node.module == "__future__"):
            break
        first = node.end_lineno or first
    return _with(data, first, added)


def before_main(data: bytes, added: bytes) -> bytes:
    """The module with code at its end, where it is a program before that."""
    mains = [node.lineno for node in _body(data) if isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)]
    return _with(data, min(mains, default=len(data.splitlines()) + 1) - 1, added)


def _body(data: bytes) -> list[ast.stmt]:
    tree = tree_of(data)
    return tree.body if tree else []


def _with(data: bytes, at: int, added: bytes) -> bytes:
    """The text with more behind so many of its lines."""
    lines = data.splitlines(keepends=True)
    ended = b"" if not at or lines[at - 1].endswith((b"\n", b"\r")) else b"\n"
    return b"".join([*lines[:at], ended, added, *lines[at:]])
