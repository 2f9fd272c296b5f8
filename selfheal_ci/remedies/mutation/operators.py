"""Edits of operators and conditions."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from itertools import pairwise

from selfheal_ci.remedies.mutation.kinds import Mutation, edit, fading, others
from selfheal_ci.remedies.mutation.scope import Scope, Spot
from selfheal_ci.remedies.mutation.text import Source

COMPARISONS = {
    ast.Lt: ("<", "<=", ">", ">="), ast.LtE: ("<=", "<", ">=", ">"), ast.Gt: (">", ">=", "<", "<="),
    ast.GtE: (">=", ">", "<=", "<"), ast.Eq: ("==", "!=", "<=", ">="), ast.NotEq: ("!=", "==", "<", ">"),
    ast.In: ("in", "not in"), ast.NotIn: ("not in", "in"), ast.Is: ("is", "is not", "=="), ast.IsNot: ("is not", "is", "!="),
}  # fmt: skip
BOUNDARIES = frozenset({("<", "<="), ("<=", "<"), (">", ">="), (">=", ">")})
ARITHMETIC = {
    ast.Add: ("+", "-", "*"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/", "+", "//", "**"), ast.Div: ("/", "//", "*"),
    ast.FloorDiv: ("//", "/", "%"), ast.Mod: ("%", "//", "/"), ast.Pow: ("**", "*"), ast.LShift: ("<<", ">>"),
    ast.RShift: (">>", "<<"), ast.BitAnd: ("&", "|"), ast.BitOr: ("|", "&", "^"), ast.BitXor: ("^", "|", "&"),
}  # fmt: skip
LOOSE = ast.BoolOp | ast.IfExp | ast.Lambda | ast.NamedExpr  # bind less than `not`
CONDITIONS = 12  # of the function that one is replaced by, or gets
TURNED = {"==": "!=", "!=": "==", "<": ">=", ">": "<=", "<=": ">", ">=": "<", "in": "not in", "not in": "in",
          "is": "is not", "is not": "is"}  # fmt: skip


def mutations(source: Source, spot: Spot, scope: Scope) -> Iterator[Mutation]:
    """All edits of one operator, and of an expression that is a condition."""
    node = spot.node
    match node:
        case ast.Compare():
            yield from _comparison(source, node)
        case ast.BinOp():
            yield from _arithmetic(source, node)
        case ast.BoolOp():
            yield from _boolean(source, node)
        case ast.UnaryOp():
            yield from _sign(source, node)
        case _:
            pass
    if isinstance(node, ast.expr) and (spot.field in {"test", "ifs"} or isinstance(spot.parent, ast.BoolOp)):
        yield from _condition(source, node, scope)


def _comparison(source: Source, node: ast.Compare) -> Iterator[Mutation]:
    operands = [node.left, *node.comparators]
    for (left, right), operator in zip(pairwise(operands), node.ops, strict=True):
        sign, *choices = COMPARISONS[type(operator)]
        if place := source.sign(left, right, sign):
            for number, choice in enumerate(choices):
                kind = "comparison boundary" if (sign, choice) in BOUNDARIES else "comparison"
                yield edit(kind, left.lineno, (*place, choice), factor=fading(max(number - 1, 0)))


def _arithmetic(source: Source, node: ast.BinOp) -> Iterator[Mutation]:
    sign, *choices = ARITHMETIC.get(type(node.op), ("@",))
    place = source.sign(node.left, node.right, sign)
    if place is None or (sign == "%" and isinstance(node.left, ast.Constant | ast.JoinedStr)):
        return
    for number, choice in enumerate(choices):
        yield edit("arithmetic", node.lineno, (*place, choice), factor=fading(2 * number))
    (start, left_end), (right, end) = source.grouped(node.left), source.grouped(node.right)
    yield edit("expression", node.lineno, (left_end, end, ""))
    yield edit("expression", node.lineno, (start, right, ""))


def _boolean(source: Source, node: ast.BoolOp) -> Iterator[Mutation]:
    word, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
    places = []
    for left, right in pairwise(node.values):
        place = source.sign(left, right, word)
        if place:
            places.append(place)
            yield edit("boolean operator", left.lineno, (*place, other))
    for inner in node.values:
        if isinstance(inner, ast.BoolOp):  # both operators are exchanged
            for left, right in pairwise(inner.values):
                back = source.sign(left, right, other)
                if back and places:
                    yield edit("boolean operator", node.lineno, (*places[0], other), (*back, word), factor=0.4)
    for at, value in enumerate(node.values):
        start, end = source.grouped(value)
        if at + 1 < len(node.values):
            gone = (start, source.grouped(node.values[at + 1])[0])
        else:
            gone = (source.grouped(node.values[at - 1])[1], end)
        yield edit("condition dropped", value.lineno, (*gone, ""))


def _sign(source: Source, node: ast.UnaryOp) -> Iterator[Mutation]:
    start, operand = source.span(node)[0], source.grouped(node.operand)[0]
    kind = "negation" if isinstance(node.op, ast.Not) else "number"
    yield edit(kind, node.lineno, (start, operand, ""))


def _condition(source: Source, node: ast.expr, scope: Scope) -> Iterator[Mutation]:
    place, text = source.grouped(node), tight(source, node)
    if not (isinstance(node, ast.Compare) and len(node.ops) == 1) and not is_not(node):
        yield edit("negation", node.lineno, (*place, f"not {text}"))
    known = others(source.of(node), scope.conditions)
    for number, condition in enumerate(known[:CONDITIONS]):
        yield edit("expression", node.lineno, (*place, condition), factor=2 * fading(number))
    for number, condition in enumerate(with_opposites(known)[:CONDITIONS]):
        for word in ("and", "or"):
            yield edit("condition added", node.lineno, (*place, f"{text} {word} {condition}"), factor=fading(number))


def with_opposites(conditions: Sequence[str]) -> list[str]:
    """Each condition, and what holds where it does not."""
    both = []
    for text in conditions:
        tree = ast.parse(text, mode="eval").body
        both += [f"({text})" if isinstance(tree, LOOSE) else text, opposite(tree, text)]
    return list(dict.fromkeys(both))


def opposite(tree: ast.expr, text: str) -> str:
    """The condition that holds where this one does not."""
    if isinstance(tree, ast.Compare) and len(tree.ops) == 1:
        sign = COMPARISONS[type(tree.ops[0])][0]
        return f"{ast.unparse(tree.left)} {TURNED[sign]} {ast.unparse(tree.comparators[0])}"
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not):
        return ast.unparse(tree.operand)
    return f"not ({text})" if isinstance(tree, LOOSE) else f"not {text}"


def tight(source: Source, node: ast.expr) -> str:
    """How an operand of `not`, `and`, `or` is written, in parentheses where it needs them."""
    start, end = source.grouped(node)
    bare = (start, end) == source.span(node)
    return f"({source.text[start:end]})" if bare and isinstance(node, LOOSE) else source.text[start:end]


def is_not(node: ast.expr) -> bool:
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
