"""Statements that may be missing: an exit, a call, an assignment, or one that the function has elsewhere."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import product

from selfheal_ci.remedies.mutation.kinds import Mutation, edit, fading
from selfheal_ci.remedies.mutation.operators import with_opposites
from selfheal_ci.remedies.mutation.scope import Scope, Spot
from selfheal_ci.remedies.mutation.statements import ENDS, LOOP, deeper, siblings
from selfheal_ci.remedies.mutation.text import Source

MOST = 24  # new statements of each kind after one
FLAGS, CONDITIONS, EXITS = 8, 8, 4  # that an early exit is made of


def mutations(source: Source, spot: Spot, scope: Scope) -> Iterator[Mutation]:
    """All statements that could follow this one, or come before it where it is the first."""
    node = spot.node
    assert isinstance(node, ast.stmt)  # noqa: S101
    lines = source.lines(node)
    if lines is None or spot.function is None:
        return
    indent, first = source.indent(node), _is_first(spot)
    if not isinstance(node, ENDS | ast.FunctionDef | ast.ClassDef):
        missing_end = "" if source.text[: lines[1]].endswith(("\n", "\r")) else source.line_end
        for kind, text, factor in _statements(spot, node, scope):
            new = f"{indent}{text}{source.line_end}"
            yield edit(kind, node.lineno, (lines[1], lines[1], missing_end + new), factor=factor)
            if first:
                yield edit(kind, node.lineno, (lines[0], lines[0], new), factor=0.5 * factor)
    if first:
        inner = deeper(source, indent)
        for at, (condition, leave) in enumerate(_early_exits(spot, scope)):
            new = f"{indent}if {condition}:{source.line_end}{inner}{leave}{source.line_end}"
            yield edit("inserted exit", node.lineno, (lines[0], lines[0], new), factor=0.5 * fading(at))


def _is_first(spot: Spot) -> bool:
    """Whether it is the first statement of its block, but for a docstring."""
    rest = [each for each in siblings(spot) if not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))]
    return bool(rest) and rest[0] is spot.node


def _statements(spot: Spot, node: ast.stmt, scope: Scope) -> Iterator[tuple[str, str, float]]:
    """Kind, text and factor of what could be missing here."""
    if siblings(spot)[-1] is node and isinstance(spot.parent, ast.If | ast.ExceptHandler):
        if any(isinstance(each, LOOP) for each in spot.above):
            yield from (("inserted exit", word, 1.0) for word in ("continue", "break"))
        yield from (("inserted exit", text, 0.5) for text in scope.statements if text.startswith("return"))
    for at, call in enumerate(_calls(spot, scope)[:MOST]):
        yield "inserted call", call, fading(at) * (0.4 if call.endswith("()") else 1)
    here = ast.unparse(node)
    elsewhere = [text for text in scope.statements if not text.startswith(("return", "continue", "break")) and text != here]
    for at, text in enumerate(elsewhere[:MOST]):
        yield "inserted statement", text, fading(at)
    for at, text in enumerate(_assignments(node, scope)[: 2 * MOST]):
        yield "inserted assignment", text, 1 / (1 + at / 6)


def _calls(spot: Spot, scope: Scope) -> list[str]:
    """Calls of the class's methods whose arguments have the names of variables here."""
    own = spot.function.name if spot.function else ""
    fitting = [each for each in scope.methods if each.name != own and not each.name.startswith("__")]
    needed = [(each.name, each.arguments[: each.least]) for each in fitting]
    return [f"self.{name}({', '.join(given)})" for name, given in needed if set(given) <= set(scope.names)]


def _assignments(node: ast.stmt, scope: Scope) -> list[str]:
    """What is assigned somewhere, from a variable; those that the statement before uses first."""
    used = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    targets = list(dict.fromkeys([*scope.attributes_stored, *scope.stored]))
    pairs = [(target, name) for target, name in product(targets, scope.names) if target != name]
    pairs.sort(key=lambda pair: (pair[1] not in used, targets.index(pair[0])))
    return [f"{target} = {name}" for target, name in pairs]


def _early_exits(spot: Spot, scope: Scope) -> Iterator[tuple[str, str]]:
    """A condition and how it leaves the function or the loop that begins here."""
    if isinstance(spot.parent, LOOP):
        leaves = ["continue"]
    elif spot.parent is spot.function:
        leaves = [text for text in scope.statements if text.startswith("return")][:EXITS]
    else:
        return
    bases = {*scope.names, "self"}
    flags = [f"{base}.{name}" for base, known in scope.attributes.items() if base in bases for name in known]
    absent = [f"not {name}" for name in scope.names]
    conditions = dict.fromkeys([*flags[:FLAGS], *absent[:EXITS], *with_opposites(scope.conditions)[:CONDITIONS]])
    yield from product(conditions, leaves)
