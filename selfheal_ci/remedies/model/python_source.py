"""What a Python file imports of the tree, and which arguments its functions ask for."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from selfheal_ci import paths
from selfheal_ci.lab import Lab
from selfheal_ci.remedies.model.withheld import lines_of
from selfheal_ci.syntax import tree_of


@dataclass(frozen=True)
class _Import:
    """A module that is imported, or the names that are taken from it."""

    module: tuple[str, ...]
    names: frozenset[str]
    level: int  # dots in front


def imports(path: str, lab: Lab) -> list[tuple[str, set[str]]]:
    """Files of the tree that a Python file imports, with the names it takes from them; through packages once."""
    found: list[tuple[str, set[str]]] = []
    for file, names in _imported(path, lab):
        found.append((file, names))
        if file.endswith("/__init__.py"):
            found += [(deeper, names & taken) for deeper, taken in _imported(file, lab) if names & taken]
    return [(file, names) for file, names in found if not paths.is_judge(file)]


def arguments(path: str, lab: Lab) -> Mapping[str, Sequence[str]]:
    """The names of functions and their arguments."""
    found: dict[str, list[str]] = {}
    for node in ast.walk(_tree(path, lab)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            given = node.args
            found[node.name] = [argument.arg for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return found


def _imported(path: str, lab: Lab) -> Iterator[tuple[str, set[str]]]:
    folder = path.split("/")[:-1]
    for said in (found for node in ast.walk(_tree(path, lab)) for found in _imports(node)):
        yield from ((file, set(said.names)) for file in _files(said.module, folder, said.level, lab))
        for name in sorted(said.names):  # which may be modules themselves
            yield from ((file, set()) for file in _files([*said.module, name], folder, said.level, lab))


def _imports(node: ast.AST) -> Iterator[_Import]:
    match node:
        case ast.Import():
            yield from (_Import(tuple(alias.name.split(".")), frozenset(), 0) for alias in node.names)
        case ast.ImportFrom():
            module = tuple(node.module.split(".")) if node.module else ()
            yield _Import(module, frozenset(alias.name for alias in node.names), node.level)
        case _:
            pass


def _files(dotted: Sequence[str], folder: Sequence[str], level: int, lab: Lab) -> list[str]:
    """The file of the tree that a module is, if it is one."""
    roots = [folder[: len(folder) - level + 1]] if level else [[], ["src"], folder]
    bases = ("/".join([*root, *dotted]) for root in roots)
    files = (file for base in bases for file in (f"{base}.py", f"{base}/__init__.py"))
    return [file for file in files if file in lab.tree.entries][:1]


def _tree(path: str, lab: Lab) -> ast.Module:
    """Empty where it is no Python."""
    found = tree_of("\n".join(lines_of(path, lab))) if path.endswith((".py", ".pyi")) else None
    return found or ast.Module([], [])
