"""Whether taking lines away leaves half of a change behind: a variable that it brought in and that then does less.

`cache = {}` and `return cache` stay, and the line between them that filled it goes: the tests that we see may be content,
and nobody ever tried that version.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping

from selfheal_ci.lab import Lab
from selfheal_ci.syntax import tree_of
from selfheal_ci.values import Case, Changes, tool_of

CHECKERS = frozenset({"mypy"})
_TOKEN = re.compile(rb"\w+|[^\w\s]")


def half_gone(case: Case, lab: Lab, changes: Changes) -> str | None:
    """The first such variable, where the green revision is known and nothing comes in the place of what goes."""
    green = case.finding.green
    if green is None:
        return None
    for path, content in changes.files.items():
        entry, now = green.entries.get(path), lab.read(path)
        if content and now is not None and path.endswith(".py"):
            was = lab.files.read(entry) if entry else b""
            if name := halved(was, now, content.data):
                return name
    return None


def loses_types(case: Case, lab: Lab, changes: Changes) -> bool:
    """Whether a type checker would be content because there is less for it to check."""
    if not any(tool_of(id_) in CHECKERS for id_ in case.targets):
        return False
    return any(
        _annotations(content.data) < _annotations(lab.read(path) or b"")
        for path, content in changes.files.items()
        if content and path.endswith(".py")
    )


def halved(was: bytes, now: bytes, then: bytes) -> str | None:
    """A variable of a function that is not in what was, and of which some uses in what is now are gone then, not all."""
    if not _only_deletes(now, then):
        return None
    before, here, after = (_functions(data) for data in (was, now, then))
    for name, function in here.items():
        if name in after:
            old = before[name].names if name in before else frozenset()
            for variable in sorted(function.bound - old):
                left = after[name].uses[variable]
                if left < function.uses[variable] and (left or variable in after[name].given):
                    return variable
    return None


def _annotations(data: bytes) -> int:
    """How many arguments, results and variables have a type."""
    tree = tree_of(data)
    nodes = list(ast.walk(tree)) if tree else []
    given = sum(isinstance(node, ast.AnnAssign) or (isinstance(node, ast.arg) and bool(node.annotation)) for node in nodes)
    return given + sum(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and bool(node.returns) for node in nodes)


class _Function:
    """The variables of a function."""

    def __init__(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        inside = [each for each in ast.walk(node) if isinstance(each, ast.Name)]
        self.uses = Counter(each.id for each in inside)
        self.given = {each.arg for each in ast.walk(node.args) if isinstance(each, ast.arg)} - {"self", "cls"}
        self.bound = self.given | {each.id for each in inside if isinstance(each.ctx, ast.Store)}
        self.names = self.given | self.uses.keys()


def _functions(data: bytes) -> Mapping[str, _Function]:
    """By the names of the classes and functions around them, and their own."""
    tree = tree_of(data)
    return dict(_below(tree, "")) if tree else {}


def _below(node: ast.AST, prefix: str) -> Iterator[tuple[str, _Function]]:
    for child in ast.iter_child_nodes(node):
        name = prefix
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{prefix}.{child.name}"
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield name, _Function(child)
        yield from _below(child, name)


def _only_deletes(now: bytes, then: bytes) -> bool:
    """Whether the newer text is the older one without some words and signs."""
    left = iter(_TOKEN.findall(now))
    return all(token in left for token in _TOKEN.findall(then))
