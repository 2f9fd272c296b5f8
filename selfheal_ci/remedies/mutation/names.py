"""Edits of constants, variables, attributes and the names of functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

from selfheal_ci.remedies.mutation.kinds import Mutation, edit, fading, others
from selfheal_ci.remedies.mutation.scope import Callable_, Scope, Spot, is_message
from selfheal_ci.remedies.mutation.text import Source, Span

SIMILAR: Mapping[str, tuple[str, ...]] = {
    name: tuple(other for other in group if other != name)
    for group in (
        ("min", "max"), ("any", "all"), ("append", "extend", "add"), ("add", "update", "discard"), ("discard", "remove"),
        ("strip", "lstrip", "rstrip"), ("startswith", "endswith"), ("upper", "lower"), ("find", "rfind"),
        ("index", "rindex"), ("split", "rsplit"), ("partition", "rpartition"), ("removeprefix", "removesuffix"),
        ("ceil", "floor", "round"), ("keys", "values", "items"), ("pop", "popleft", "popitem"), ("appendleft", "append"),
        ("isdigit", "isalpha", "isalnum"), ("union", "intersection", "difference"), ("sorted", "reversed", "list"),
        ("ljust", "rjust"), ("issubset", "issuperset"), ("bisect_left", "bisect_right"), ("read", "readlines"),
        ("capitalize", "title"), ("islower", "isupper"), ("ValueError", "TypeError", "KeyError"), ("str", "repr"),
    )
    for name in group
}  # fmt: skip
UNUSED = 2  # times as likely is a name that nothing uses


def mutations(source: Source, spot: Spot, scope: Scope) -> Iterator[Mutation]:
    """All edits of one constant or name."""
    match spot.node:
        case ast.Constant() as node:
            yield from _constant(source, spot, node, scope)
        case ast.Name() as node if _is_called(spot):
            yield from _callee(node.lineno, source.span(node), node.id, scope.functions)
        case ast.Name(id="self" | "cls"):
            pass
        case ast.Name() as node:
            yield from _name(source, node, scope)
        case ast.Attribute() as node:
            yield from _attribute(source, spot, node, scope)
        case _:
            pass


def _constant(source: Source, spot: Spot, node: ast.Constant, scope: Scope) -> Iterator[Mutation]:
    place, text = source.span(node), source.of(node)
    match node.value:
        case bool():
            yield edit("switch", node.lineno, (*place, str(not node.value)))
        case int() if not text.isdecimal():
            return  # 0x1f, 1_000
        case int() as number:
            for at, choice in enumerate(dict.fromkeys([f"{number + 1}", f"{number - 1}", *_numbers(number, scope)])):
                yield edit("number", node.lineno, (*place, choice), factor=fading(at))
            if number and not isinstance(spot.parent, ast.UnaryOp):
                yield edit("number", node.lineno, (*place, f"-{text}"), factor=0.4)
            for at, choice in enumerate(dict.fromkeys([*scope.unused, *scope.names])):
                yield edit("name", node.lineno, (*place, choice), factor=0.3 * fading(at))
        case float():
            for at, choice in enumerate(others(text, scope.numbers)[:4]):
                yield edit("number", node.lineno, (*place, choice), factor=fading(at + 1))
        case str() if not is_message(spot) and text in scope.strings:
            for at, choice in enumerate(others(text, scope.strings)[:6]):
                yield edit("string", node.lineno, (*place, choice), factor=fading(at))
            if node.value in {"", " "}:
                yield edit("string", node.lineno, (*place, '" "' if node.value == "" else '""'))
        case _:
            pass


def _numbers(number: int, scope: Scope) -> list[str]:
    return ([str(1 - number)] if number in {0, 1} else []) + [text for text in scope.numbers if text != str(number)][:4]


def _name(source: Source, node: ast.Name, scope: Scope) -> Iterator[Mutation]:
    place, stored = source.span(node), isinstance(node.ctx, ast.Store)
    for at, choice in enumerate(others(node.id, scope.stored if stored else scope.names)):
        yield edit("name", node.lineno, (*place, choice), factor=fading(at) * (0.4 if stored else 1))
    for choice in others(node.id, scope.unused if not stored else ()):
        yield edit("name", node.lineno, (*place, choice), factor=UNUSED)
    for at, attribute in enumerate(scope.attributes.get("self", ()) if not stored else ()):
        weight = 0.8 if attribute == node.id else 0.3
        yield edit("attribute", node.lineno, (*place, f"self.{attribute}"), factor=fading(at) * weight)


def _attribute(source: Source, spot: Spot, node: ast.Attribute, scope: Scope) -> Iterator[Mutation]:
    end = source.span(node)[1]
    place, base = (end - len(node.attr), end), node.value.id if isinstance(node.value, ast.Name) else ""
    if _is_called(spot):
        yield from _callee(node.lineno, place, node.attr, scope.methods if base in {"self", "cls"} else ())
        return
    for at, choice in enumerate(others(node.attr, scope.attributes.get(base, ()))):
        yield edit("attribute", node.lineno, (*place, choice), factor=fading(at))


def _callee(line: int, place: Span, name: str, known: Sequence[Callable_]) -> Iterator[Mutation]:
    for at, choice in enumerate(SIMILAR.get(name, ())):
        yield edit("similar function", line, (*place, choice), factor=fading(at))
    same = next((each for each in known if each.name == name), None)
    for at, choice in enumerate(others(name, [each.name for each in known if same and each.takes(same)])):
        yield edit("callee", line, (*place, choice), factor=fading(at))


def _is_called(spot: Spot) -> bool:
    return isinstance(spot.parent, ast.Call) and spot.field == "func"
