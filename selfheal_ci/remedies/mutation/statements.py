"""Edits of statements: deleted, moved into or out of a block, in another order, under a condition."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from selfheal_ci.remedies.mutation.expressions import exchanges
from selfheal_ci.remedies.mutation.kinds import Mutation, edit, fading
from selfheal_ci.remedies.mutation.operators import with_opposites
from selfheal_ci.remedies.mutation.scope import Scope, Spot
from selfheal_ci.remedies.mutation.text import Source

SIMPLE = ast.Assign | ast.AugAssign | ast.Expr | ast.Return | ast.Continue | ast.Break | ast.Delete | ast.Raise
LOOP = ast.For | ast.AsyncFor | ast.While
BLOCK = ast.If | LOOP | ast.With | ast.AsyncWith
ENDS = ast.Return | ast.Raise | ast.Continue | ast.Break
AUGMENTED = {
    ast.Add: ("+=", "-="), ast.Sub: ("-=", "+="), ast.Mult: ("*=", "/=", "+="), ast.Div: ("/=", "*=", "//="),
    ast.FloorDiv: ("//=", "/=", "%="), ast.BitOr: ("|=", "&="), ast.BitAnd: ("&=", "|="),
}  # fmt: skip
GUARDS = 10  # conditions that a statement is given


def mutations(source: Source, spot: Spot, scope: Scope) -> Iterator[Mutation]:
    """All edits of one statement."""
    node = spot.node
    assert isinstance(node, ast.stmt)  # noqa: S101
    match node:
        case ast.AugAssign():
            yield from _augmented(source, node)
        case ast.Assign(targets=[ast.Name() | ast.Attribute() | ast.Subscript() as target]):
            yield from _assignment(source, node, target)
        case ast.Expr() if spot.function is not None:
            yield from _missing_word(source, node, spot)
        case ast.If(orelse=[_, *_]):
            yield from _branches(source, node)
        case _:
            pass
    if isinstance(node, SIMPLE):
        yield from exchanges(source, node) if not isinstance(node, ast.Raise) else ()
        yield from _unneeded(source, spot, node)
        yield from _guarded(source, node, scope)
    yield from _in_other_block(source, spot, node)
    yield from _later(source, spot, node)


def awaits(source: Source, spot: Spot) -> Iterator[Mutation]:
    """`await` before a call in a coroutine."""
    node, parent = spot.node, spot.parent
    if isinstance(node, ast.Call) and isinstance(spot.function, ast.AsyncFunctionDef) and not isinstance(parent, ast.Await):
        bare = isinstance(parent, ast.Assign | ast.Return | ast.keyword | ast.Call | ast.Expr)
        text = f"await {source.of(node)}"
        yield edit("return", node.lineno, (*source.span(node), text if bare else f"({text})"))


def siblings(spot: Spot) -> Sequence[ast.stmt]:
    """The block that a statement is in."""
    block: Sequence[ast.stmt] = getattr(spot.parent, spot.field)
    return block


def deeper(source: Source, indent: str) -> str:
    """The indentation of a block below one with this indentation, as the file has it."""
    return indent + ("\t" if "\t" in indent else source.step)


def _augmented(source: Source, node: ast.AugAssign) -> Iterator[Mutation]:
    sign, *choices = AUGMENTED.get(type(node.op), ("@=",))
    if place := source.sign(node.target, node.value, sign):
        for at, choice in enumerate([*choices, "="]):
            yield edit("assignment", node.lineno, (*place, choice), factor=fading(at))


def _assignment(source: Source, node: ast.Assign, target: ast.expr) -> Iterator[Mutation]:
    if place := source.sign(target, node.value, "="):
        for at, choice in enumerate(("+=", "-=")):
            yield edit("assignment", node.lineno, (*place, choice), factor=fading(at + 2))


def _missing_word(source: Source, node: ast.Expr, spot: Spot) -> Iterator[Mutation]:
    start = source.span(node)[0]
    if not isinstance(node.value, ast.Yield | ast.YieldFrom | ast.Await | ast.Constant):
        last = siblings(spot)[-1] is node
        yield edit("return", node.lineno, (start, start, "return "), factor=1.0 if last else 0.2)


def _branches(source: Source, node: ast.If) -> Iterator[Mutation]:
    """The body in the place of the other branch, where both are whole lines."""
    places = [_whole(source, block) for block in (node.body, node.orelse)]
    if places[0] and places[1] and not (len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If)):
        texts = [source.text[start:end] for start, end in filter(None, places)]
        yield edit("branches", node.lineno, (*places[0], texts[1]), (*places[1], texts[0]))


def _whole(source: Source, block: Sequence[ast.stmt]) -> tuple[int, int] | None:
    first, last = source.lines(block[0]), source.lines(block[-1])
    return (first[0], last[1]) if first and last else None


def _unneeded(source: Source, spot: Spot, node: ast.stmt) -> Iterator[Mutation]:
    lines = source.lines(node)
    if lines and len(siblings(spot)) > 1:
        yield edit("deleted", node.lineno, (*lines, ""))
    else:
        yield edit("deleted", node.lineno, (*source.span(node), "pass"))


def _guarded(source: Source, node: ast.stmt, scope: Scope) -> Iterator[Mutation]:
    text = source.of(node)
    if not source.lines(node) or "\n" in text:
        return
    inner = deeper(source, source.indent(node))
    for at, condition in enumerate(_conditions(node, scope)[:GUARDS]):
        new = f"if {condition}:{source.line_end}{inner}{text}"
        yield edit("guard", node.lineno, (*source.span(node), new), factor=fading(at))


def _conditions(node: ast.stmt, scope: Scope) -> list[str]:
    """What a statement could depend on: that a thing is not there yet, that its names are true, what the function asks."""
    names = [each.id for each in ast.walk(node) if isinstance(each, ast.Name) and each.id in scope.names]
    absent = [
        f"{ast.unparse(call.args[0])} not in {ast.unparse(call.func.value)}"
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and len(call.args) == 1
        if call.func.attr in {"append", "add"}
    ]
    own = with_opposites([text for text in scope.conditions if any(name in text for name in names)])
    return list(dict.fromkeys([*absent, *names, *own, *(f"{name} is not None" for name in names)]))


def _in_other_block(source: Source, spot: Spot, node: ast.stmt) -> Iterator[Mutation]:
    """Out of the block that the statement ends, or into the one before it."""
    lines, block = source.lines(node), siblings(spot)
    if lines is None or _has_long_string(node):
        return
    here, at = source.indent(node), block.index(node)
    wanted = []
    if block[-1] is node and at and isinstance(spot.parent, BLOCK) and _is_last_block(spot) and source.lines(spot.parent):
        wanted.append((source.indent(spot.parent), 1.0))
    if at:
        wanted += [(source.indent(inner), 0.8) for inner in _last_statements(block[at - 1]) if source.lines(inner)]
    for indent, factor in wanted:
        moved = re.sub(rf"(?m)^{re.escape(here)}(?=[^\r\n])", indent, source.text[lines[0] : lines[1]])
        yield edit("indentation", node.lineno, (*lines, moved), factor=factor)


def _is_last_block(spot: Spot) -> bool:
    """Whether nothing of the compound statement follows the block."""
    return spot.field == "orelse" or not getattr(spot.parent, "orelse", [])


def _last_statements(node: ast.stmt) -> Iterator[ast.stmt]:
    """The statements that end a compound one, the outermost first; none that leaves it."""
    while isinstance(node, BLOCK):
        node = (getattr(node, "orelse", []) or node.body)[-1]
        if isinstance(node, ENDS):
            return
        yield node


def _later(source: Source, spot: Spot, node: ast.stmt) -> Iterator[Mutation]:
    """Behind the next statement."""
    block = siblings(spot)
    at = block.index(node)
    lines = source.lines(node)
    following = source.lines(block[at + 1]) if at + 1 < len(block) else None
    if lines and following and lines[1] == following[0] and source.text[: following[1]].endswith(("\n", "\r")):
        both = source.text[following[0] : following[1]] + source.text[lines[0] : lines[1]]
        yield edit("order", node.lineno, (lines[0], following[1], both))


def _has_long_string(node: ast.stmt) -> bool:
    return any(isinstance(each, ast.Constant | ast.JoinedStr) and each.end_lineno != each.lineno for each in ast.walk(node))
