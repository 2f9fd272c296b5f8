"""Python source: its tree, whether it is sound, and where more code may stand in it; whether other files can be read."""

from __future__ import annotations

import ast
import json
import tomllib
import warnings
from collections import Counter
from collections.abc import Callable
from functools import lru_cache

from selfheal_ci.values import Changes
from selfheal_ci.words import one_line


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


def unreadable(path: str, before: bytes | None, after: bytes) -> str | None:
    """Why a file must not become this: it does not parse, where it did."""
    wrong = _syntax(path, after)
    return wrong if wrong and (before is None or _syntax(path, before) is None) else None


def mistaken(path: str, before: bytes | None, after: bytes) -> str | None:
    """The first mistake of a Python file that it did not have before, such as a name that nothing defines."""
    if not path.endswith(".py"):
        return None
    known = Counter(what for _, what in _mistakes(before or b""))
    for line, what in _mistakes(after):
        known[what] -= 1
        if known[what] < 0:
            return f"{path}:{line}: {what}"
    return None


# What pyflakes finds that cannot be meant. Unused names and imports can.
MISTAKES = (
    "UndefinedName", "UndefinedLocal", "UndefinedExport", "DuplicateArgument", "ReturnOutsideFunction",
    "YieldOutsideFunction", "ContinueOutsideLoop", "BreakOutsideLoop", "DefaultExceptNotLast", "TwoStarredExpressions",
    "IfTuple", "AssertTuple", "RaiseNotImplemented", "StringDotFormatMissingArgument",
    "PercentFormatPositionalCountMismatch",
)  # fmt: skip


@lru_cache(maxsize=64)
def _mistakes(data: bytes) -> tuple[tuple[int, str], ...]:
    """(line, what is wrong), in order."""
    from pyflakes.checker import Checker  # noqa: PLC0415  only where something is judged

    tree = tree_of(data)
    if tree is None:
        return ()
    try:
        found = Checker(tree).messages
    except (RecursionError, ValueError):
        return ()
    wrong = [message for message in found if type(message).__name__ in MISTAKES]
    return tuple(sorted((message.lineno, str(message.message % message.message_args)) for message in wrong))


def _syntax(path: str, data: bytes) -> str | None:
    """Why a text in a language that we can read does not parse."""
    try:
        if path.endswith(".py"):
            compile(data, path, "exec", dont_inherit=True)
        elif path.endswith(".json"):
            json.loads(data)
        elif path.endswith(".toml"):
            tomllib.loads(data.decode())
        elif path.endswith((".yaml", ".yml")):
            _read_yaml(data)
    except SyntaxError as error:
        return f"{path}:{error.lineno}: does not parse: {error.msg}"
    except (ValueError, RecursionError, MemoryError) as error:
        return f"{path}: does not parse: {error}"
    return None


def _read_yaml(data: bytes) -> None:
    """Raises ValueError. Nothing is built from it: a tag may name anything, and an alias may stand for a lot."""
    import yaml  # noqa: PLC0415  only where such a file is judged

    if not yaml.__with_libyaml__:
        return  # the other reader takes minutes for a hostile file
    try:
        for _ in yaml.parse(data, Loader=yaml.CSafeLoader):
            pass
    except yaml.YAMLError as error:
        raise ValueError(one_line(str(error))) from error


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
