"""Names that a failing test found undefined: the assignment or the import that binds them elsewhere in the project."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from posixpath import dirname

from selfheal_ci.remedies.mutation.kinds import Mutation, edit, fading
from selfheal_ci.remedies.mutation.scope import BUILTINS, Function
from selfheal_ci.remedies.mutation.text import Source
from selfheal_ci.values import Failure

MOST = 6  # different definitions of one name that are tried
ONE_LINE = 200  # characters of one
# What Python says of a name without a definition, in the words of its versions.
_UNDEFINED = re.compile(
    r"\b(?:name|local variable|free variable|global name) '(\w{1,100})' (?:is not defined|where it is not|referenced before)"
)


def undefined(failures: Iterable[Failure]) -> frozenset[str]:
    """The names that failures complain of."""
    return frozenset(name for failure in failures for name in _UNDEFINED.findall(f"{failure.message}\n{failure.text}"))


def definitions(source: Source, names: frozenset[str], others: Sequence[Source]) -> Iterator[Mutation]:
    """A definition at the head of each function that uses one of the names, or an import at the head of the file.

    `others` are the files in which definitions are looked for, this one first.
    """
    for name in sorted(names - BUILTINS):
        users = [node for node in _functions(source) if _uses(node, name)]
        for user in users:
            for at, text in enumerate(_assignments(name, others, user)[:MOST]):
                if place := _before(source, user, name):
                    start, indent = place
                    new = f"{indent}{text}{source.line_end}"
                    yield edit("definition", user.lineno, (start, start, new), factor=fading(at))
        if _uses(source.tree, name) and not _imports(source.tree, name):
            for at, text in enumerate(_known_imports(name, source, others)[:MOST]):
                line, start = _import_place(source)
                yield edit("definition", line, (start, start, f"{text}{source.line_end}"), factor=fading(at))


def _functions(source: Source) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(source.tree) if isinstance(node, Function)]


def _uses(node: ast.AST, name: str) -> bool:
    return any(isinstance(each, ast.Name) and each.id == name and isinstance(each.ctx, ast.Load) for each in ast.walk(node))


def _assignments(name: str, sources: Sequence[Source], user: ast.AST) -> list[str]:
    """How the name is assigned in other functions, those of the nearest files first."""
    found: list[str] = []
    for source in sources:
        for node in ast.walk(source.tree):
            match node:
                case ast.Assign(targets=[ast.Name(id=target)]) if target == name and not _inside(node, user):
                    text = source.of(node)
                    if "\n" not in text and len(text) <= ONE_LINE:
                        found.append(text)
                case _:
                    pass
    return list(dict.fromkeys(found))


def _inside(node: ast.stmt, user: ast.AST) -> bool:
    return any(each is node for each in ast.walk(user))


def _before(source: Source, user: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> tuple[int, str] | None:
    """Where the first statement of the function's own block begins that uses the name, and its indentation."""
    for statement in user.body:
        if _uses(statement, name):
            lines = source.lines(statement)
            return (lines[0], source.indent(statement)) if lines else None
    return None


def _imports(tree: ast.Module, name: str) -> bool:
    return any(_binds(node, name) for node in tree.body)


def _binds(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom) and any(
        (alias.asname or alias.name.partition(".")[0]) == name for alias in node.names
    )


def _known_imports(name: str, source: Source, others: Sequence[Source]) -> list[str]:
    """How other files import the name; relative ones only from the same folder. Then the standard library."""
    found = []
    for other in others:
        for node in ast.walk(other.tree):
            near = not (isinstance(node, ast.ImportFrom) and node.level) or dirname(other.path) == dirname(source.path)
            if _binds(node, name) and near:
                found.append(_single(node, name))
    if name in sys.stdlib_module_names:
        found.append(f"import {name}")
    return list(dict.fromkeys(found))


def _single(node: ast.AST, name: str) -> str:
    """The import of that one name."""
    assert isinstance(node, ast.Import | ast.ImportFrom)  # noqa: S101  _binds says so
    [alias] = [each for each in node.names if (each.asname or each.name.partition(".")[0]) == name][:1]
    only = ast.Import([alias]) if isinstance(node, ast.Import) else ast.ImportFrom(node.module, [alias], node.level)
    return ast.unparse(only)


def _import_place(source: Source) -> tuple[int, int]:
    """Behind the last import at the head of the file, else before the first statement that is no docstring."""
    imports = [node for node in source.tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    if imports:
        last = imports[-1]
        return last.lineno, source.starts[last.end_lineno or last.lineno]
    body = source.tree.body
    is_doc = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    first = body[1] if is_doc and len(body) > 1 else body[0]
    line = min([first.lineno, *(each.lineno for each in getattr(first, "decorator_list", ()))])
    return line, source.starts[line - 1]
