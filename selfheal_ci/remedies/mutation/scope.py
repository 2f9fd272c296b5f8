"""What a place in a file can name: the variables, attributes, functions, conditions and statements around it."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from selfheal_ci.remedies.mutation.text import Source

Function = ast.FunctionDef | ast.AsyncFunctionDef
BUILTINS = frozenset(dir(builtins))
LOGGING = frozenset({"debug", "info", "warning", "warn", "error", "exception", "critical", "log"})
_LOGGER = re.compile(r"(?:^|[._])(?:log|logger|logging|warnings)$", re.IGNORECASE)
NO_CODE = ast.Import | ast.ImportFrom | ast.Global | ast.Nonlocal
_LONGEST = 60  # characters of an ingredient


@dataclass(frozen=True)
class Spot:
    """A node that may be edited, with what is around it."""

    node: ast.expr | ast.stmt
    parent: ast.AST
    field: str  # of the parent
    above: tuple[ast.AST, ...]  # from the module down to the parent

    @cached_property
    def function(self) -> Function | None:
        return next((node for node in reversed(self.above) if isinstance(node, Function)), None)

    @cached_property
    def statement(self) -> ast.stmt | None:
        """The innermost statement that it is part of, itself included."""
        return next((node for node in reversed((*self.above, self.node)) if isinstance(node, ast.stmt)), None)


@dataclass(frozen=True)
class Callable_:
    """A function of the module, or a method of a class of it, by the arguments that it takes."""

    name: str
    arguments: tuple[str, ...]  # without self
    least: int

    def takes(self, other: Callable_) -> bool:
        """Whether it may be called as the other is."""
        return self.least <= len(other.arguments) and other.least <= len(self.arguments)


@dataclass
class Scope:
    """What one function can name. For code outside of functions, what the module can."""

    names: list[str] = field(default_factory=list)  # variables, in the order of their first appearance
    stored: list[str] = field(default_factory=list)  # those that are assigned here
    loaded: set[str] = field(default_factory=set)
    attributes: dict[str, list[str]] = field(default_factory=dict)  # "self" → ["size", …]
    attributes_stored: list[str] = field(default_factory=list)  # "self.size", assigned somewhere in the class
    functions: list[Callable_] = field(default_factory=list)
    methods: list[Callable_] = field(default_factory=list)  # of the class around
    conditions: list[str] = field(default_factory=list)
    expressions: list[tuple[str, str]] = field(default_factory=list)  # (kind of node, text)
    strings: list[str] = field(default_factory=list)  # as they are written
    numbers: list[str] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)  # simple ones that fit in a line

    @property
    def unused(self) -> list[str]:
        return [name for name in self.names if name not in self.loaded]


def spots(source: Source) -> Iterator[Spot]:
    """Every node of the code that may be edited: no docstring, annotation, log message, import, or guard of the module."""
    waiting: list[tuple[ast.AST, tuple[ast.AST, ...], str]] = [(source.tree, (), "")]
    while waiting:
        node, above, name = waiting.pop()
        if isinstance(node, ast.expr | ast.stmt) and above:
            yield Spot(node, above[-1], name, above)
        below: list[tuple[ast.AST, tuple[ast.AST, ...], str]] = []
        for name_, value in ast.iter_fields(node):
            children = value if isinstance(value, list) else [value]
            for child in children:
                if isinstance(child, ast.AST) and not _closed(node, name_, child):
                    below.append((child, (*above, node), name_))
        waiting.extend(reversed(below))


def scope_of(source: Source, function: Function | None, around: Sequence[Spot]) -> Scope:
    """What can be named in a function, from the spots in it; `around` are the spots of the whole file."""
    scope = Scope()
    if function:
        given = function.args
        arguments = [*given.posonlyargs, *given.args, given.vararg, *given.kwonlyargs, given.kwarg]
        scope.names += [argument.arg for argument in arguments if argument and argument.arg not in {"self", "cls"}]
    inside = [spot for spot in around if spot.function is function or function in spot.above]
    for spot in inside:
        _collect(source, spot, scope)
    owner = _class_of(function, around)
    for spot in around:
        _collect_outside(source, spot, scope, owner)
    scope.names = [name for name in dict.fromkeys(scope.names) if name not in BUILTINS or name in scope.stored]
    for texts in (scope.stored, scope.attributes_stored, scope.conditions, scope.strings, scope.numbers, scope.statements):
        texts[:] = dict.fromkeys(texts)
    scope.expressions = list(dict.fromkeys(scope.expressions))
    return scope


def _class_of(function: Function | None, around: Sequence[Spot]) -> ast.ClassDef | None:
    spot = next((spot for spot in around if spot.node is function), None)
    return next((node for node in reversed(spot.above if spot else ()) if isinstance(node, ast.ClassDef)), None)


def _collect(source: Source, spot: Spot, scope: Scope) -> None:
    node = spot.node
    match node:
        case ast.Name(id=name):
            called = isinstance(spot.parent, ast.Call) and spot.field == "func"
            if not called and name not in {"self", "cls", "_"}:
                scope.names.append(name)
            if isinstance(node.ctx, ast.Store):
                scope.stored.append(name)
            else:
                scope.loaded.add(name)
        case ast.Constant(value=bool() | None):
            pass
        case ast.Constant(value=int() | float()):
            scope.numbers.append(source.of(node))
        case ast.Constant(value=str()) if len(text := source.of(node)) <= _LONGEST and "\n" not in text:
            if not any(isinstance(each, ast.JoinedStr) for each in spot.above):
                scope.strings.append(text)
        case _:
            pass
    if isinstance(node, ast.expr) and _is_ingredient(source, node):
        if spot.field in {"test", "ifs"} or isinstance(node, ast.Compare):
            scope.conditions.append(source.of(node))
        scope.expressions.append((type(node).__name__, source.of(node)))
    simple = ast.Assign | ast.AugAssign | ast.Expr | ast.Return | ast.Continue | ast.Break | ast.Delete
    if isinstance(node, simple) and len(text := source.of(node)) <= _LONGEST and "\n" not in text:
        scope.statements.append(text)


def _collect_outside(source: Source, spot: Spot, scope: Scope, owner: ast.ClassDef | None) -> None:
    """From the rest of the file: attributes and functions."""
    node = spot.node
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        base = node.value.id
        same = base != "self" or owner is None or owner in spot.above
        called = isinstance(spot.parent, ast.Call) and spot.field == "func"
        if same and not called:
            known = scope.attributes.setdefault(base, [])
            if node.attr not in known:
                known.append(node.attr)
            if isinstance(node.ctx, ast.Store):
                scope.attributes_stored.append(f"{base}.{node.attr}")
    if isinstance(node, Function):
        if isinstance(spot.parent, ast.Module):
            scope.functions.append(_callable(node, bound=False))
        elif owner is not None and spot.parent is owner:
            scope.methods.append(_callable(node, bound=True))


def _callable(node: Function, *, bound: bool) -> Callable_:
    given = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)][1 if bound else 0 :]
    return Callable_(node.name, tuple(given), max(len(given) - len(node.args.defaults), 0))


def _is_ingredient(source: Source, node: ast.expr) -> bool:
    if not isinstance(node, ast.Attribute | ast.BinOp | ast.Call | ast.Compare | ast.Name | ast.Subscript | ast.BoolOp):
        return False
    if not isinstance(getattr(node, "ctx", None), ast.Load | None):
        return False
    text = source.of(node)
    return len(text) <= _LONGEST and "\n" not in text


def _closed(node: ast.AST, name: str, child: ast.AST) -> bool:
    """Whether a part of the tree is left alone."""
    if name in {"annotation", "returns", "type_params"} or isinstance(child, NO_CODE):
        return True
    match node, child:
        case _, ast.Expr(value=ast.Constant(value=str())):
            return True  # a docstring
        case ast.Module(), ast.Assign(targets=[ast.Name(id="__all__")]) | ast.AugAssign(target=ast.Name(id="__all__")):
            return True
        case ast.Module(), ast.If(test=ast.Compare(left=ast.Name(id="__name__")) | ast.Name(id="TYPE_CHECKING")):
            return True
        case _, ast.Expr(value=ast.Call(func=ast.Attribute(attr=attr, value=base))) if attr in LOGGING:
            return bool(_LOGGER.search(ast.unparse(base)))
        case _:
            return isinstance(node, ast.Assert) and name == "msg"


def is_message(spot: Spot) -> bool:
    """Whether a string is text for people: in what is raised or warned, or formatted for them."""
    raised = any(isinstance(node, ast.Raise) for node in spot.above)
    return raised or any(isinstance(node, ast.JoinedStr) for node in spot.above)
