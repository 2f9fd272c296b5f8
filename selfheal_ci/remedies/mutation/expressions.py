"""Edits of whole expressions: arguments, slices, bounds, and another expression in the place of one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import combinations, pairwise, product

from selfheal_ci.remedies.mutation.kinds import Mutation, edit, fading, others
from selfheal_ci.remedies.mutation.scope import Scope, Spot
from selfheal_ci.remedies.mutation.text import Source

WRAPPERS = ("abs({})", "sorted({})", "list({})", "str({})", "int({})", "set({})", "len({})", "{}.strip()", "{}.lower()")
LOOSE = ast.BoolOp | ast.Compare | ast.IfExp | ast.Lambda | ast.NamedExpr | ast.UnaryOp | ast.BinOp | ast.Starred
OPERATION = ast.BinOp | ast.Compare | ast.UnaryOp | ast.BoolOp
NO_VALUE = ast.Starred | ast.Slice | ast.JoinedStr | ast.FormattedValue | ast.Tuple
NO_BOUND = NO_VALUE | ast.Constant | ast.BoolOp | ast.Compare | ast.IfExp | ast.Lambda | ast.NamedExpr
VALUES = frozenset({"value", "args", "comparators", "left", "right", "iter", "slice", "values", "elt", "elts"})
EXPRESSIONS = 12  # of the function that may stand in the place of one
LIMITS = 5  # names that an expression may be bounded by
PAIRS = 10  # of one statement that are exchanged


def mutations(source: Source, spot: Spot, scope: Scope) -> Iterator[Mutation]:
    """All edits of one expression as a whole."""
    node = spot.node
    if not isinstance(node, ast.expr) or isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
        return
    match node:
        case ast.Call():
            yield from _call(source, node)
        case ast.Subscript(slice=ast.Slice(step=None) as part):
            yield from _slice(source, node, part)
        case ast.IfExp():
            yield _exchanged(source, "branches", node.body, node.orelse)
        case _:
            pass
    yield from _off_by_one(source, spot, node)
    if spot.field in VALUES and not isinstance(node, NO_VALUE):
        yield from _replaced(source, spot, node, scope)
        yield from _wrapped(source, spot, node, scope)


def exchanges(source: Source, statement: ast.stmt) -> Iterator[Mutation]:
    """Two names or constants of a simple statement in each other's place, near ones first."""
    nodes = [node for node in ast.walk(statement) if isinstance(node, ast.Constant | ast.Name)]
    texts = sorted((source.span(node), source.of(node)) for node in nodes if _is_atom(node))
    pairs = [(left, right) for left, right in combinations(texts, 2) if left[1] != right[1] and left[0][1] <= right[0][0]]
    pairs.sort(key=lambda pair: pair[1][0][0] - pair[0][0][1])
    for number, ((left, was), (right, other)) in enumerate(pairs[:PAIRS]):
        yield edit("exchange", statement.lineno, (*left, other), (*right, was), factor=fading(number))


def _is_atom(node: ast.Constant | ast.Name) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int | float | str) and not isinstance(node.value, bool)
    return isinstance(node.ctx, ast.Load) and node.id not in {"self", "cls"}


def _exchanged(source: Source, kind: str, left: ast.expr, right: ast.expr) -> Mutation:
    return edit(kind, left.lineno, (*source.span(left), source.of(right)), (*source.span(right), source.of(left)))


def _call(source: Source, node: ast.Call) -> Iterator[Mutation]:
    plain = [each for each in node.args if not isinstance(each, ast.Starred)]
    yield from (_exchanged(source, "exchange", left, right) for left, right in pairwise(plain))
    inner = list(plain) if not node.keywords and isinstance(node.func, ast.Name) else []
    if isinstance(node.func, ast.Attribute) and not node.args and not node.keywords:
        inner = [node.func.value]
    if len(inner) == 1 or (isinstance(node.func, ast.Name) and node.func.id in {"min", "max"}):
        for each in inner:
            yield edit("unwrapped", node.lineno, (*source.span(node), source.of(each)), factor=1 / len(inner))
    parts = sorted([*map(source.span, node.args), *map(source.span, node.keywords)])
    for before, part in pairwise(parts):
        yield edit("argument dropped", node.lineno, (before[1], part[1], ""))
    if isinstance(node.func, ast.Name) and node.func.id == "sorted" and parts:
        yield edit("switch", node.lineno, (parts[-1][1], parts[-1][1], ", reverse=True"), factor=0.4)


def _slice(source: Source, node: ast.Subscript, part: ast.Slice) -> Iterator[Mutation]:
    bracket = source.between(source.span(node.value)[1], source.span(node)[1], r"\[")
    if bracket is None:
        return
    low, high = (source.of(each) if each else "" for each in (part.lower, part.upper))
    if low and high:
        choices = [("", high), (low, "")]
    elif low:
        choices = [(low, "-1"), ("", low)]
    else:
        choices = [("1", high), (high, "")] if high else []
    for at, (first, last) in enumerate(choices):
        place = (bracket[1], source.span(node)[1] - 1)
        yield edit("slice", node.lineno, (*place, f"{first}:{last}"), factor=fading(at))


def _off_by_one(source: Source, spot: Spot, node: ast.expr) -> Iterator[Mutation]:
    weight = _bound(spot)
    ends_in_number = isinstance(node, ast.BinOp) and isinstance(node.right, ast.Constant)  # which is changed itself
    if weight and not isinstance(node, NO_BOUND) and not ends_in_number:
        for sign in "+-":
            yield edit("off by one", node.lineno, (*source.span(node), f"{source.of(node)} {sign} 1"), factor=weight)


def _bound(spot: Spot) -> float:
    """How likely ±1 is at this place."""
    match spot.parent:
        case ast.Slice() | ast.Call(func=ast.Name(id="range")):
            return 1.0
        case ast.Subscript() if spot.field == "slice":
            return 0.8
        case ast.Compare(ops=[ast.Lt() | ast.LtE() | ast.Gt() | ast.GtE()]):
            return 0.5
        case ast.Return() | ast.Assign():
            return 0.3
        case _:
            return 0.2 if isinstance(spot.parent, ast.Call) and spot.field == "args" else 0.0


def _replaced(source: Source, spot: Spot, node: ast.expr, scope: Scope) -> Iterator[Mutation]:
    """Another expression of the function: of the same kind first, then a name for more or more for a name."""
    if isinstance(spot.parent, ast.Attribute | ast.Expr | ast.FormattedValue | ast.JoinedStr):
        return
    kind, text = type(node).__name__, source.of(node)
    same = [other for sort, other in scope.expressions if sort == kind != "Name"]
    rest = [other for sort, other in scope.expressions if sort != kind and "Name" in {sort, kind}]
    for at, other in enumerate([*others(text, same)[:EXPRESSIONS], *others(text, rest)[:EXPRESSIONS]]):
        loose = isinstance(spot.parent, OPERATION) and isinstance(ast.parse(other, mode="eval").body, LOOSE)
        new = f"({other})" if loose else other
        yield edit("expression", node.lineno, (*source.span(node), new), factor=fading(at))


def _wrapped(source: Source, spot: Spot, node: ast.expr, scope: Scope) -> Iterator[Mutation]:
    """The same expression with something around it."""
    if not isinstance(spot.parent, ast.Return | ast.Assign | ast.Call) or isinstance(node, ast.Constant):
        return
    text, place = source.of(node), source.span(node)
    for at, wrapper in enumerate(WRAPPERS):
        inner = f"({text})" if wrapper.startswith("{}") and isinstance(node, LOOSE) else text
        yield edit("wrapped", node.lineno, (*place, wrapper.format(inner)), factor=fading(at))
    limits = ["0", *others(text, scope.names)[: LIMITS - 1]] if not isinstance(spot.parent, ast.Call) else []
    for at, (limit, word) in enumerate(product(limits, ("max", "min"))):
        yield edit("bound", node.lineno, (*place, f"{word}({text}, {limit})"), factor=fading(at))
