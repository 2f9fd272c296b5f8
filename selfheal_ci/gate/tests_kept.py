"""What a test file checks, before and after: a formatter leaves every test and every assertion where it was."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

# What a test is called where it is declared, and what asserts, in languages that we do not parse.
_DECLARED = re.compile(
    r"\bfunc\s+((?:Test|Benchmark|Fuzz|Example)\w*)|\bfn\s+(\w+)|\bdef\s+(test\w*)|@Test\b[^{;]*?\b(\w+)\s*\("
    r"|\b(?:it|test|describe|specify|context)(?:\.\w+)*\s*\(?\s*(?:\"([^\"]*)\"|'([^']*)'|`([^`]*)`)"
)
_ASSERTS = re.compile(r"\b(?:assert\w*!?|expect\w*|should\w*|require\.\w+|t\.(?:Error|Fatal|Fail)\w*)\s*[(.! ]")
_SKIPS = re.compile(r"\b(?:skip|skipif|skipIf|skipUnless|xfail|importorskip|xit|xdescribe|xtest)\b|\.only\b|#\[ignore")
_CODE = (".js", ".jsx", ".ts", ".tsx", ".mjs", ".cjs", ".mts", ".cts", ".go", ".rs", ".java", ".kt", ".rb", ".php", ".cs")
_CALLS = re.compile(r"assert\w*|fail\w*|raises|warns|deprecated_call|expect\w*|verify\w*")


@dataclass(frozen=True)
class Checked:
    """What a file of tests checks."""

    tests: Counter[str]  # by name
    assertions: int
    skips: int


def lost(path: str, before: bytes, after: bytes) -> str | None:
    """What a test file checks no more, in words; None when it checks all that it did, or is no code that we can read."""
    count = _python if path.endswith(".py") else _words if path.endswith(_CODE) else None
    old = _counted(count, before) if count else None
    if count is None or old is None:
        return None
    new = _counted(count, after)
    if new is None:
        return "it does not parse any more"
    if gone := old.tests - new.tests:
        return f"it loses the test {min(gone)}"
    if new.assertions < old.assertions:
        return f"it has {old.assertions} assertions, and {new.assertions} after it"
    return "it skips more than before" if new.skips > old.skips else None


def _counted(count: Callable[[str], Checked], data: bytes) -> Checked | None:
    try:
        return count(data.decode("utf-8", "replace"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _python(text: str) -> Checked:
    nodes = list(ast.walk(ast.parse(text)))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    names = Counter(node.name for node in nodes if isinstance(node, kinds))
    return Checked(names, sum(map(_asserts, nodes)), len(_SKIPS.findall(text)))


def _asserts(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        return bool(_CALLS.fullmatch(str(name)))
    return isinstance(node, ast.Assert | ast.Raise)


def _words(text: str) -> Checked:
    tests = Counter(next(filter(None, found), "") for found in _DECLARED.findall(text))
    return Checked(tests, len(_ASSERTS.findall(text)), len(_SKIPS.findall(text)))
