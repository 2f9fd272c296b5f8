"""What Python code does that a fix has no need to do. One pass over the tree, each sign with what shows it."""

from __future__ import annotations

import ast
import sys
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise

from selfheal_ci.gate.suspicion.names import Names
from selfheal_ci.gate.suspicion.references import (
    ANSWERS,
    ATTRIBUTES,
    BROAD,
    DECIDES,
    EXITS,
    FOREIGN_FILES,
    IMPORTS,
    OPENS,
    PACKED,
    REFERENCES,
    STEERING,
    SYS_EXIT,
    TEST_TOOLS,
    TEST_WORDS,
)
from selfheal_ci.gate.suspicion.signs import Sign
from selfheal_ci.paths import is_mixed
from selfheal_ci.syntax import tree_of

Signs = Counter[tuple[Sign, str]]  # how often each thing is there that shows a sign

SHOWN = 60


@lru_cache(maxsize=64)
def signs(text: str) -> Signs:
    """What is in a module; nothing where it does not parse. Code that is nested too deeply hides all of it."""
    try:
        tree = tree_of(text) or ast.parse(text)
        reader = _Reader(Names.of(tree))
        reader.visit(tree)
    except (SyntaxError, ValueError):
        return Counter()
    except (RecursionError, MemoryError):  # a sign of this very text: any other is new
        return Counter([(Sign.HIDES, f"code that is nested too deeply to be read, {zlib.crc32(text.encode()):08x}")])
    return Counter([*reader.found, *_mixed_names(tree)])


@lru_cache(maxsize=64)
def imports(text: str) -> Counter[str]:
    """The packages that a module imports, by their first names."""
    nodes = list(ast.walk(tree_of(text) or ast.Module([], [])))
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    named = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level]
    return Counter(name.split(".")[0] for name in [*plain, *named])


def _mixed_names(tree: ast.AST) -> Iterator[tuple[Sign, str]]:
    """Names with letters of two scripts: the one that looks Latin is another."""
    for node in ast.walk(tree):
        for part in ("id", "attr", "name", "arg"):
            name = getattr(node, part, None)
            if isinstance(name, str) and not name.isascii() and is_mixed(name):
                yield Sign.HIDES, ascii(name)


class _Reader(ast.NodeVisitor):
    def __init__(self, names: Names) -> None:
        self.names = names
        self.found: list[tuple[Sign, str]] = []
        self.functions = 0  # that are open around the node
        self.deleted = False  # in `__del__`, which may not fail
        self.main = False  # below `if __name__ == "__main__"`

    def see(self, sign: Sign, what: str) -> None:
        self.found.append((sign, what if len(what) <= SHOWN else f"{what[:SHOWN]}…"))

    def visit(self, node: ast.AST) -> None:
        body = getattr(node, "body", None)
        if isinstance(body, list):
            self._blocks(node)
        super().visit(node)

    def _blocks(self, node: ast.AST) -> None:
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None) or []
            for before, after in pairwise(block):
                if isinstance(before, ast.Return | ast.Raise | ast.Continue | ast.Break):
                    self.see(Sign.DEAD, ast.unparse(after).splitlines()[0])

    # Names

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._module(alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.level == 0 and node.module:
            for alias in node.names:
                self._module(f"{node.module}.{alias.name}")

    def _module(self, dotted: str) -> None:
        if dotted.split(".", maxsplit=1)[0] in TEST_TOOLS:
            self.see(Sign.ASKS, f"import {dotted}")
        self._reference(dotted)

    def visit_Name(self, node: ast.Name) -> None:
        dotted = self.names.dotted(node)
        if dotted and "." not in dotted:  # a builtin; what is imported is seen where it is imported
            self._reference(dotted)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if (sign := ATTRIBUTES.get(node.attr)) and not (isinstance(node.value, ast.Name) and node.value.id == "self"):
            self.see(sign, f".{node.attr}")
        dotted = self.names.dotted(node)
        if dotted:
            self._reference(dotted)
        else:
            self.generic_visit(node)

    def _reference(self, dotted: str) -> None:
        for sign, known in REFERENCES.items():
            if any(dotted == name or dotted.startswith(f"{name}.") for name in known):
                self.see(sign, dotted)
        if dotted.startswith(("os.exec", "os.spawn")):
            self.see(Sign.STARTS, dotted)
        if dotted in SYS_EXIT:
            inside = self.functions or self.main
            self.see(Sign.EXITS if inside else Sign.LEAVES, dotted)

    def visit_Constant(self, node: ast.Constant) -> None:
        if not isinstance(node.value, str | bytes):
            return
        text = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
        if text in DECIDES:
            self.see(Sign.EQUALS, repr(text))
        if text == "__doc__":
            self.see(Sign.EXPECTS, repr(text))
        if TEST_WORDS.search(text):
            self.see(Sign.ASKS, repr(node.value))
        if FOREIGN_FILES.search(text):
            self.see(Sign.PRIES, repr(node.value))
        if PACKED.search(text):
            self.see(Sign.PACKED, repr(node.value))

    def visit_Global(self, node: ast.Global) -> None:
        self.see(Sign.SILENCES_JUDGE, f"global {', '.join(node.names)}")

    def visit_arg(self, node: ast.arg) -> None:
        self._annotated(node.annotation)
        self.generic_visit(node)

    def _annotated(self, annotation: ast.expr | None) -> None:
        if isinstance(annotation, ast.Name) and annotation.id == "object":
            self.see(Sign.SILENCES_JUDGE, "object")

    def visit_Expr(self, node: ast.Expr) -> None:
        if not (isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)):  # else a docstring
            self.generic_visit(node)

    # Calls

    def visit_Call(self, node: ast.Call) -> None:
        called = self.names.dotted(node.func)
        if called in OPENS and _writes(node):
            self.see(Sign.WRITES, f"{called}(…, for writing)")
        if called in IMPORTS and not _constant(node.args[:1]):
            self.see(Sign.BUILDS, f"{called}(…)")
        looked_up = called == "getattr" and node.args and not _constant(node.args[1:2])
        if looked_up and self.names.is_module(node.args[0]):
            self.see(Sign.BUILDS, "getattr(…) of a module")
        if called in {"getattr", "setattr"} and any(isinstance(name, ast.BinOp) for name in node.args[1:2]):
            self.see(Sign.BUILDS, f"{called}(…) of a name that is put together")
        if called in {"globals", "vars", "locals"}:
            self.see(Sign.SILENCES_JUDGE, f"{called}()")
        if called in {"setattr", "delattr"} and node.args:
            self._stored(ast.Attribute(node.args[0], _text(node.args[1:2]), ast.Store()))
        suppressed = called in {"contextlib.suppress", "suppress"} and not self.deleted
        if suppressed and any(self.names.dotted(arg) in BROAD for arg in node.args):
            self.see(Sign.SWALLOWS, ast.unparse(node))
        if (dotted := self.names.dotted(node)) and called not in IMPORTS:  # getattr(os, "_exit")
            self._reference(dotted)
        elif dotted:
            self._module(dotted)
        self.generic_visit(node)

    # Definitions and assignments

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        if node.name in ANSWERS:
            self.see(Sign.EQUALS if node.name in DECIDES or _always_the_same(node) else Sign.COMPARES, f"def {node.name}")
        if node.name in EXITS and _always_the_same(node, but_for=(None, False)):
            self.see(Sign.SWALLOWS, f"def {node.name}")
        if node.name.startswith("pytest_"):
            self.see(Sign.SKIPS, f"def {node.name}")
        self._annotated(node.returns)
        for part in (*node.decorator_list, node.args, *filter(None, [node.returns])):
            self.visit(part)
        before, self.deleted = self.deleted, node.name == "__del__"
        self.functions += 1
        for statement in node.body:
            self.visit(statement)
        self.functions -= 1
        self.deleted = before

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._function(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.functions += 1
        self.generic_visit(node)
        self.functions -= 1

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            for part in ast.walk(target):
                self._stored(part)
            if isinstance(target, ast.Name | ast.Attribute) and _name(target) in ANSWERS:
                constant = isinstance(node.value, ast.Lambda) and isinstance(node.value.body, ast.Constant)
                decides = constant or (_name(target) in DECIDES and not isinstance(node.value, ast.Constant))
                self.see(Sign.EQUALS if decides else Sign.COMPARES, f"{_name(target)} = …")
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._stored(node.target)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._annotated(node.annotation)
        if node.value:
            self._stored(node.target)
        self.generic_visit(node)

    def visit_Delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            self._stored(target)
        self.generic_visit(node)

    def _stored(self, target: ast.AST) -> None:
        if isinstance(target, ast.Name | ast.Attribute) and _name(target) in STEERING:
            self.see(Sign.SKIPS, f"{_name(target)} = …")
        if isinstance(target, ast.Attribute) and target.attr == "__class__":
            own = isinstance(target.value, ast.Name) and target.value.id == "self"
            self.see(Sign.COMPARES if own else Sign.EQUALS, "__class__ = …")
        if isinstance(target, ast.Attribute | ast.Name) and _name(target) == "__doc__":
            self.see(Sign.EXPECTS, "__doc__ = …")
        called = target.value if isinstance(target, ast.Subscript) else None
        if isinstance(called, ast.Call) and self.names.dotted(called.func) in {"globals", "vars"}:
            self.see(Sign.PATCHES, f"{ast.unparse(target)} = …")
        place = target.value if isinstance(target, ast.Attribute | ast.Subscript) else None
        dotted = self.names.dotted(place) if place is not None else None
        if not dotted:
            return
        foreign = self.names.is_module(place) and _is_foreign(dotted)
        if foreign or dotted.startswith(("sys.modules", "builtins", "__builtins__")) or self._of_class_elsewhere(dotted):
            self.see(Sign.PATCHES, f"{ast.unparse(target)} = …")

    def _of_class_elsewhere(self, dotted: str) -> bool:
        """Whether an attribute of a class of somebody else is set: `json.JSONDecoder.decode = …`."""
        root, _, rest = dotted.partition(".")
        return bool(rest) and rest.rpartition(".")[2][:1].isupper() and _is_foreign(root)

    # Flow

    def visit_If(self, node: ast.If) -> None:
        if isinstance(node.test, ast.Constant):
            self.see(Sign.DEAD, f"if {ast.unparse(node.test)}")
        is_main = ast.unparse(node.test) in {"__name__ == '__main__'", "'__main__' == __name__"}
        before, self.main = self.main, self.main or is_main
        self.generic_visit(node)
        self.main = before

    def visit_Try(self, node: ast.Try) -> None:
        self._caught_in(node)

    def _caught_in(self, node: ast.Try | ast.TryStar) -> None:
        for handler in node.handlers:
            if self._is_broad(handler.type):
                words = f"except {ast.unparse(handler.type) if handler.type else ''}".strip()
                self._caught(handler, words)
            elif not any(isinstance(part, ast.Raise) for part in ast.walk(handler)):
                for caught in _types(handler.type):
                    self.see(Sign.HUSHES, ast.unparse(caught).rpartition(".")[2])
        for each in node.finalbody:
            if any(isinstance(part, ast.Return | ast.Break | ast.Continue) for part in _of_this_function(each)):
                self.see(Sign.SWALLOWS, "finally: return")
        self.generic_visit(node)

    def visit_TryStar(self, node: ast.TryStar) -> None:
        self._caught_in(node)

    def _caught(self, handler: ast.ExceptHandler, words: str) -> None:
        if self.deleted or any(isinstance(part, ast.Raise) for part in ast.walk(handler)):
            return
        does_nothing = all(map(_does_nothing, handler.body))
        self.see(Sign.SWALLOWS if does_nothing else Sign.CATCHES, words)

    def _is_broad(self, caught: ast.expr | None) -> bool:
        return caught is None or any(self.names.dotted(each) in BROAD for each in _types(caught))


def _types(caught: ast.expr | None) -> list[ast.expr]:
    return caught.elts if isinstance(caught, ast.Tuple) else [caught] if caught else []


def _does_nothing(statement: ast.stmt) -> bool:
    match statement:
        case ast.Pass() | ast.Continue() | ast.Break():
            return True
        case ast.Expr(value=value) | ast.Assign(value=value):
            return _is_plain(value)
        case ast.Return(value=value):
            return value is None or _is_plain(value)
        case _:
            return False


def _is_plain(value: ast.expr) -> bool:
    """A constant, or a collection of them."""
    try:
        ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def _always_the_same(function: ast.FunctionDef | ast.AsyncFunctionDef, but_for: tuple[object, ...] = ()) -> bool:
    inside = [part for statement in function.body for part in _of_this_function(statement)]
    returned = [node.value for node in inside if isinstance(node, ast.Return)]
    return bool(returned) and all(isinstance(value, ast.Constant) and value.value not in but_for for value in returned)


def _of_this_function(node: ast.AST) -> Iterator[ast.AST]:
    """The node and what is in it, without functions and classes in there."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            yield from _of_this_function(child)


def _writes(call: ast.Call) -> bool:
    """Whether a file is opened for writing, as far as the words say."""
    modes = [*call.args[1:2], *(word.value for word in call.keywords if word.arg in {"mode", "flags"})]
    return any(not isinstance(mode, ast.Constant) or set(str(mode.value)) & set("wax+") for mode in modes)


def _constant(arguments: Iterable[ast.expr]) -> bool:
    return all(isinstance(argument, ast.Constant) for argument in arguments)


def _text(arguments: list[ast.expr]) -> str:
    first = arguments[0] if arguments else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else "?"


def _name(target: ast.Name | ast.Attribute) -> str:
    return target.id if isinstance(target, ast.Name) else target.attr


def _is_foreign(dotted: str) -> bool:
    root = dotted.split(".", maxsplit=1)[0]
    return root in sys.stdlib_module_names or root in TEST_TOOLS
