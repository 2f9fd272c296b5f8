"""Values of the failing tests that a candidate brings in, as who knows the answers and not the rule would."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache

from selfheal_ci.expected import constants_of_words
from selfheal_ci.syntax import tree_of

COMMON = frozenset({-1, 0, 1, 2, 10, 100, "", " ", ",", ".", ":", "/", "-", "\n", "utf-8"})
Value = int | float | str | bytes


@lru_cache(maxsize=64)
def values(text: str) -> Counter[Value]:
    """The constants that are given as they are: returned, assigned, as a default, as what a table or a choice gives."""
    nodes = ast.walk(tree_of(text) or ast.Module([], []))
    return Counter(value for node in nodes for given in _given_as_they_are(node) for value in _literals(given))


@lru_cache(maxsize=64)
def pairs(text: str) -> Counter[tuple[Value, Value]]:
    """What is given for what: (7, 13) of `if n == 7: return 13`, of `{7: 13}` and of `case 7: return 13`."""
    return Counter(_pairs(tree_of(text) or ast.Module([], [])))


@lru_cache(maxsize=64)
def tables(text: str) -> Counter[tuple[Value, ...]]:
    """What stands together in a list, a tuple, a set, or in one text between quotes: answers, to be looked up."""
    nodes = list(ast.walk(tree_of(text) or ast.Module([], [])))
    said = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}  # docstrings
    found: list[tuple[Value, ...]] = []
    for node in nodes:
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            found.append(tuple(_literals(node)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            found.append(words(node.value))
    return Counter(table for table in found if table[1:])


def words(text: str) -> tuple[Value, ...]:
    """The numbers and quoted texts of any text."""
    return tuple(sorted((value for value in constants_of_words(text) if isinstance(value, Value)), key=repr))


def _given_as_they_are(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.Return(value=value) | ast.Assign(value=value) | ast.AnnAssign(value=value) if value is not None:
            return [value]
        case ast.IfExp(body=body, orelse=other):
            return [body, other]
        case ast.Dict(values=found):
            return found
        case ast.arguments(defaults=defaults, kw_defaults=named):
            return [*defaults, *filter(None, named)]
        case _:
            return []


def _literals(node: ast.expr) -> list[Value]:
    """Of a constant, with its sign; of a list or tuple of such those in it. Of a table nothing: its values are given."""
    match node:
        case ast.UnaryOp(operand=operand):
            return _literals(operand)
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            return [value for part in parts for value in _literals(part)]
        case _:
            return _own(node)


def _values(node: ast.AST) -> Iterator[Value]:
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)):
            yield from _own(child)
            yield from _values(child)


def _constants(node: ast.AST) -> Iterator[Value]:
    """Those of an expression, which may be one itself."""
    yield from _own(node)
    yield from _values(node)


def _own(node: ast.AST) -> list[Value]:
    if isinstance(node, ast.Constant) and isinstance(node.value, Value) and not isinstance(node.value, bool):
        return [node.value]
    return []


def _pairs(tree: ast.AST) -> Iterator[tuple[Value, Value]]:
    for node in ast.walk(tree):
        match node:
            case ast.If(test=test, body=body):
                yield from _crossed(_compared(test), [value for each in body for value in _given(each)])
            case ast.IfExp(test=test, body=value):
                yield from _crossed(_compared(test), [value])
            case ast.match_case(pattern=pattern, body=body):
                yield from _crossed([pattern], [value for each in body for value in _given(each)])
            case ast.Dict(keys=keys, values=found):
                for key, value in zip(keys, found, strict=True):
                    yield from _crossed([key] if key else [], [value])
            case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
                for part in parts:
                    if isinstance(part, ast.Tuple) and len(part.elts) == 2:  # noqa: PLR2004
                        yield from _crossed(part.elts[:1], part.elts[1:])
            case _:
                pass


def _compared(test: ast.expr) -> list[ast.AST]:
    """Only what is compared: `7 in known` as well as `n == 7`."""
    return [node for node in ast.walk(test) if isinstance(node, ast.Compare)]


def _given(statement: ast.stmt) -> list[ast.AST]:
    match statement:
        case ast.Return(value=value) | ast.Assign(value=value) if value is not None:
            return [value]
        case _:
            return []


def _crossed(left: Sequence[ast.AST], right: Sequence[ast.AST]) -> Iterator[tuple[Value, Value]]:
    lefts, rights = ([value for node in nodes for value in _constants(node)] for nodes in (left, right))
    yield from ((one, other) for one in lefts for other in rights)
