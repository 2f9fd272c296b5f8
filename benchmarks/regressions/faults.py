"""Faults that people make: planted in Python sources by rewriting spans of the text, the same ones for the same seed.

Half of the kinds are undone by one small edit that mutation operators know (a token swapped, a constant off by one). The
other half have no such inverse: what they take away, or put there, is nowhere near in the text.
"""

from __future__ import annotations

import ast
import random
import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Edit:
    """Bytes of the text that become others."""

    start: int
    end: int
    new: bytes
    line: int  # that must be executed


@dataclass(frozen=True)
class Fault:
    """One planted fault."""

    kind: str
    line: int
    was: str
    now: str
    text: bytes  # the whole file with it
    alone: tuple[bytes, ...] = ()  # the file with each of its edits alone, where it takes more than one


@dataclass(frozen=True)
class Source:
    """A parsed file."""

    text: bytes
    tree: ast.Module
    starts: tuple[int, ...]

    def span(self, node: ast.expr | ast.stmt | ast.arg) -> tuple[int, int]:
        assert node.end_lineno is not None and node.end_col_offset is not None  # noqa: S101, PT018  parsed from text
        return (
            self.starts[node.lineno - 1] + node.col_offset,
            self.starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def line(self, offset: int) -> int:
        return bisect_right(self.starts, offset)

    def of(self, node: ast.expr | ast.stmt) -> bytes:
        start, end = self.span(node)
        return self.text[start:end]

    def instead(self, node: ast.expr | ast.stmt, new: bytes) -> Edit:
        return Edit(*self.span(node), new, node.lineno)


Planter = Callable[[Source, Function], Iterator[Sequence[Edit]]]


def faults(text: bytes, kind: str, executed: Collection[int], where: Collection[int], rng: random.Random) -> Iterator[Fault]:
    """Every way to plant a fault of the kind in executed lines of these, in a random order."""
    try:
        source = _parsed(text)
    except (SyntaxError, ValueError):
        return
    found = []
    for function in ast.walk(source.tree):
        if isinstance(function, Function):
            found += [
                edits
                for edits in KINDS[kind](source, function)
                if all(edit.line in executed and source.line(edit.start) in where for edit in edits)
            ]
    found.sort(key=lambda edits: [(edit.start, edit.end, edit.new) for edit in edits])
    rng.shuffle(found)
    for edits in found:
        planted = apply(text, edits)
        if planted != text and _compiles(planted):
            first = min(edits, key=lambda edit: edit.start)
            was, now = text[first.start : first.end], first.new
            alone = tuple(apply(text, [edit]) for edit in edits) if kind == "two lines" else ()
            yield Fault(kind, source.line(first.start), _short(was), _short(now), planted, alone)


def apply(text: bytes, edits: Sequence[Edit]) -> bytes:
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
        text = text[: edit.start] + edit.new + text[edit.end :]
    return text


# --- with an inverse among the mutation operators ------------------------------------------------------------------------

COMPARISONS: Mapping[type[ast.cmpop], tuple[bytes, bytes]] = {
    ast.Lt: (b"<", b"<="), ast.LtE: (b"<=", b"<"), ast.Gt: (b">", b">="), ast.GtE: (b">=", b">"),
    ast.Eq: (b"==", b"!="), ast.NotEq: (b"!=", b"=="),
    ast.In: (b"in", b"not in"), ast.NotIn: (b"not in", b"in"), ast.Is: (b"is", b"is not"), ast.IsNot: (b"is not", b"is"),
}  # fmt: skip
ARITHMETIC: Mapping[type[ast.operator], tuple[bytes, bytes]] = {
    ast.Add: (b"+", b"-"), ast.Sub: (b"-", b"+"), ast.Mult: (b"*", b"/"), ast.Div: (b"/", b"*"), ast.Mod: (b"%", b"//"),
    ast.FloorDiv: (b"//", b"%"),
}  # fmt: skip


def comparison(source: Source, function: Function) -> Iterator[Sequence[Edit]]:
    for node in _inside(function, ast.Compare):
        if len(node.ops) == 1 and type(node.ops[0]) in COMPARISONS:
            yield from _token(source, node.left, node.comparators[0], *COMPARISONS[type(node.ops[0])])


def arithmetic(source: Source, function: Function) -> Iterator[Sequence[Edit]]:
    for node in _inside(function, ast.BinOp):
        if type(node.op) in ARITHMETIC:
            yield from _token(source, node.left, node.right, *ARITHMETIC[type(node.op)])


def boolean(source: Source, function: Function) -> Iterator[Sequence[Edit]]:
    for node in _inside(function, ast.BoolOp):
        words = (b"and", b"or") if isinstance(node.op, ast.And) else (b"or", b"and")
        for left, right in pairwise(node.values):
            yield from _token(source, left, right, *words)


def constant(source: Source, function: Function) -> Iterator[Sequence[Edit]]:
    for node in _inside(function, ast.Constant):
        if type(node.value) is int:
            yield [source.instead(node, str(node.value + 1).encode())]


def negation(source: Source, function: Function) -> Iterator[Sequence[Edit]]:
    for node in _inside(function, ast.If, ast.While, ast.IfExp):
        if isinstance(node.test, ast.UnaryOp) and isinstance(node.test.op, ast.Not):
            yield [source.instead(node.test, b"(" + source.of(node.test.operand) + b")")]
        else:
            yield [source.instead(node.test, b"not (" + source.of(node.test) + b")")]


def name(source: Source, function: Function) -> Iterator[Sequence[Edit]]:
    known = _locals(function)
    for node in _inside(function, ast.Name):
        if isinstance(node.ctx, ast.Load) and node.id in known:
            for other in known:
                if other != node.id:
                    yield [source.instead(node, other.encode())]


def arguments(source: Source, function: Function) -> Iterator[Sequence[Edit]]:
    for node in _inside(function, ast.Call):
        for left, right in pairwise(node.args):
            if not isinstance(left, ast.Starred) and not isinstance(right, ast.Starred):
                yield [source.instead(left, source.of(right)), source.instead(right, source.of(left))]


def flag(source: Source, function: Function) -> Iterator[Sequence[Edit]]:
    for node in _inside(function, ast.Constant):
        if isinstance(node.value, bool):
            yield [source.instead(node, str(not node.value).encode())]


# --- without one ---------------------------------------------------------------------------------------------------------

SIMPLE = ast.Assign | ast.AugAssign | ast.AnnAssign
NEAR = 8  # lines between two that are wrong together
ALIKE: Mapping[str, tuple[str, ...]] = {
    "append": ("extend", "insert"), "extend": ("append",), "add": ("discard",), "update": ("clear",),
    "startswith": ("endswith",), "endswith": ("startswith",), "strip": ("lstrip", "rstrip"), "lstrip": ("rstrip",),
    "rstrip": ("lstrip",), "lower": ("upper",), "upper": ("lower",), "split": ("rsplit", "splitlines"),
    "partition": ("rpartition",), "find": ("rfind",), "get": ("pop",), "pop": ("get",), "keys": ("values",),
    "values": ("keys",), "items": ("keys",), "match": ("search", "fullmatch"), "search": ("match",), "sorted": ("list",),
    "min": ("sum",), "max": ("sum",), "any": ("all",), "all": ("any",), "list": ("set",), "tuple": ("set",),
    "str": ("repr",), "repr": ("str",), "int": ("float",), "len": ("bool",), "isinstance": ("hasattr",), "join": ("strip",),
    "enumerate": ("zip",), "reversed": ("iter",), "iter": ("list",), "next": ("list",), "ord": ("len",), "abs": ("int",),
    "setdefault": ("get",), "format": ("strip",), "replace": ("removeprefix",), "getattr": ("hasattr",), "range": ("list",),
}  # fmt: skip


def two_lines(source: Source, function: Function) -> Iterator[Sequence[Edit]]:
    small = [edits[0] for kind in INVERSE.values() for edits in kind(source, function) if len(edits) == 1]
    rng = random.Random(function.lineno)  # noqa: S311  no secret
    small = rng.sample(small, min(len(small), 40))
    for one in small:
        for other in small:
            if 0 < other.line - one.line <= NEAR and one.end < other.start:
                yield [one, other]


def dropped_statement(source: Source, function: Function) -> Iterator[Sequence[Edit]]:
    for body in _bodies(function):
        for at, node in enumerate(body):
            called = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
            if called or isinstance(
                node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Delete | ast.Continue | ast.Break
            ):
                yield [source.instead(node, b"pass")] if len(body) == 1 else [_line_gone(source, node)]
            elif isinstance(node, ast.If) and not node.orelse and len(body) > 1 and at < len(body) - 1:
                yield [_line_gone(source, node)]


def wrong_callee(source: Source, function: Function) -> Iterator[Sequence[Edit]]:
    module = [node.name for node in source.tree.body if isinstance(node, Function) and node is not function]
    methods = sorted({
        node.func.attr
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_self(node.func.value)
    })  # fmt: skip
    for node in _inside(function, ast.Call):
        called = node.func
        if isinstance(called, ast.Name):
            others = [*ALIKE.get(called.id, ()), *(module if called.id in module else ())]
            yield from ([source.instead(called, other.encode())] for other in others if other != called.id)
        elif isinstance(called, ast.Attribute):
            others = [*ALIKE.get(called.attr, ()), *(methods if _is_self(called.value) else ())]
            start = source.span(called)[1] - len(called.attr.encode())
            for other in others:
                if other != called.attr:
                    yield [Edit(start, source.span(called)[1], other.encode(), called.lineno)]


def wrong_condition(source: Source, function: Function) -> Iterator[Sequence[Edit]]:
    """Another condition in its place: one of the same function, or one about another argument."""
    tests = [node.test for node in _inside(function, ast.If, ast.While, ast.IfExp)]
    names = _arguments(function)
    for test in tests:
        used = {node.id for node in ast.walk(test) if isinstance(node, ast.Name)}
        others = [source.of(other) for other in tests if source.of(other) != source.of(test) and other.lineno < test.lineno]
        others += [form % name.encode() for name in names if name not in used for form in (b"%s is None", b"bool(%s)")]
        yield from ([source.instead(test, b"(" + other + b")")] for other in others)


def swapped_statements(source: Source, function: Function) -> Iterator[Sequence[Edit]]:
    for body in _bodies(function):
        for one, other in pairwise(body):
            if isinstance(one, SIMPLE | ast.Expr) and isinstance(other, SIMPLE | ast.Expr | ast.Return | ast.If | ast.For):
                yield [source.instead(one, source.of(other)), source.instead(other, source.of(one))]


def wrong_default(source: Source, function: Function) -> Iterator[Sequence[Edit]]:
    defaults = [*function.args.defaults, *(default for default in function.args.kw_defaults if default)]
    inside = next((node.lineno for node in function.body if not _is_docstring(node)), function.lineno)
    for default in defaults:
        if isinstance(default, ast.Constant):
            start, end = source.span(default)
            value = default.value
            for new in _other_values(value):
                yield [Edit(start, end, new, inside)]


def early_return(source: Source, function: Function) -> Iterator[Sequence[Edit]]:
    """The function ends before its last steps, with what it has by then."""
    body = [node for node in function.body if not _is_docstring(node)]
    for before, node in pairwise(body):
        targets = before.targets if isinstance(before, ast.Assign) else []
        named = [target.id for target in targets if isinstance(target, ast.Name)]
        value = named[0] if named else next(iter(_arguments(function)), "None")
        start, _ = source.span(node)
        yield [Edit(start, start, f"return {value}\n{' ' * node.col_offset}".encode(), node.lineno)]


def swallowed_exception(source: Source, function: Function) -> Iterator[Sequence[Edit]]:
    for node in _inside(function, ast.Raise):
        yield [source.instead(node, b"return None")]
    for handler in _inside(function, ast.ExceptHandler):
        if handler.body and not (len(handler.body) == 1 and isinstance(handler.body[0], ast.Pass | ast.Raise)):
            start, end = source.span(handler.body[0])[0], source.span(handler.body[-1])[1]
            yield [Edit(start, end, b"pass", handler.body[0].lineno)]


INVERSE: Mapping[str, Planter] = {
    "comparison swapped": comparison,
    "arithmetic operator swapped": arithmetic,
    "and for or": boolean,
    "constant off by one": constant,
    "condition negated": negation,
    "wrong name": name,
    "arguments swapped": arguments,
    "flag flipped": flag,
}
NO_INVERSE: Mapping[str, Planter] = {
    "two lines": two_lines,
    "dropped statement": dropped_statement,
    "wrong callee": wrong_callee,
    "wrong condition": wrong_condition,
    "statements swapped": swapped_statements,
    "wrong default": wrong_default,
    "early return": early_return,
    "exception swallowed": swallowed_exception,
}
KINDS: Mapping[str, Planter] = {**INVERSE, **NO_INVERSE}


def _parsed(text: bytes) -> Source:
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return Source(text, ast.parse(text), tuple(starts))


def _compiles(text: bytes) -> bool:
    try:
        compile(text, "planted.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


def _inside(function: Function, *kinds: type[ast.AST]) -> list:  # type: ignore[type-arg]
    """The nodes of these kinds in a function's body, those of functions in it left out."""
    found, waiting = [], [node for node in function.body if not _is_docstring(node)]
    todo: list[ast.AST] = list(waiting)
    while todo:
        node = todo.pop()
        if isinstance(node, Function | ast.ClassDef):
            continue
        if isinstance(node, kinds):
            found.append(node)
        todo += ast.iter_child_nodes(node)
    return sorted(found, key=lambda node: (node.lineno, node.col_offset))


def _bodies(function: Function) -> Iterator[Sequence[ast.stmt]]:
    yield [node for node in function.body if not _is_docstring(node)]
    for node in _inside(function, ast.If, ast.For, ast.While, ast.With, ast.Try, ast.ExceptHandler):
        for part in ("body", "orelse", "finalbody"):
            if body := getattr(node, part, []):
                yield body


def _token(source: Source, left: ast.expr, right: ast.expr, was: bytes, now: bytes) -> Iterator[Sequence[Edit]]:
    """One token between two expressions."""
    start, end = source.span(left)[1], source.span(right)[0]
    gap = source.text[start:end]
    pattern = rb"\s+".join(map(re.escape, was.split())) if was.isalpha() else re.escape(was)
    found = list(re.finditer(pattern, gap))
    if len(found) == 1 and b"#" not in gap:
        first, last = start + found[0].start(), start + found[0].end()
        yield [Edit(first, last, now, source.line(first))]


def _line_gone(source: Source, node: ast.stmt) -> Edit:
    """The statement with the line that it stands on, where it stands there alone."""
    start, end = source.span(node)
    first = source.text.rfind(b"\n", 0, start) + 1
    last = source.text.find(b"\n", end)
    last = len(source.text) if last < 0 else last + 1
    alone = not source.text[first:start].strip() and not source.text[end:last].strip()
    return Edit(first, last, b"", node.lineno) if alone else source.instead(node, b"pass")


def _arguments(function: Function) -> list[str]:
    every = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return [arg.arg for arg in every if arg.arg not in {"self", "cls"}]


def _locals(function: Function) -> list[str]:
    stored = {node.id for node in _inside(function, ast.Name) if isinstance(node.ctx, ast.Store)}
    return sorted({*_arguments(function), *stored})


def _other_values(value: object) -> Sequence[bytes]:
    match value:
        case bool():
            return [b"None"]
        case int():
            return [str(value + 7).encode(), b"None"]
        case str():
            return [repr(f"{value}x").encode(), b"None"] if value else [b"None", b"'-'"]
        case None:
            return [b"0", b"''"]
        case _:
            return [b"None"]


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _short(text: bytes) -> str:
    words = " ".join(text.decode("utf-8", "replace").split())
    return words if len(words) <= 50 else f"{words[:49]}…"  # noqa: PLR2004
