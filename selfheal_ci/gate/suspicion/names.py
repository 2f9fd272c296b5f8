"""What a name in a module stands for: `e` for `os._exit` after `from os import _exit as e`."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_BUILTINS = frozenset(dir(builtins)) | {"__builtins__", "__debug__"}
_IMPORTS = frozenset({"__import__", "importlib.import_module", "importlib.__import__"})


@dataclass(frozen=True)
class Names:
    """Local name → the dotted name that it stands for; and which of these are modules as far as we can tell."""

    known: Mapping[str, str]
    modules: frozenset[str]  # dotted

    @classmethod
    def of(cls, tree: ast.AST) -> Names:
        """Of all imports in the module, in functions too, and of names that are other words for what was imported."""
        known: dict[str, str] = {}
        modules: set[str] = set()
        for name, dotted, module in _imported(tree):
            known[name] = dotted
            modules |= {dotted} if module else set()
        names = cls(known, frozenset(modules))
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name | ast.Attribute | ast.Call | ast.Subscript):
                other = names.dotted(node.value)
                for target in node.targets:
                    if other and isinstance(target, ast.Name) and (other in modules or other in _BUILTINS):
                        known[target.id] = other
        return names

    def dotted(self, node: ast.AST) -> str | None:
        """`os.path.join` of an expression, whatever it is called here; None where it is not of something imported."""
        match node:
            case ast.Name(id=name):
                return self.known.get(name, name if name in _BUILTINS else None)
            case ast.Attribute(value=value, attr=attr):
                return self._part(value, attr)
            case ast.Call(func=ast.Name(id="getattr"), args=[value, ast.Constant(value=str(attr)), *_]):
                return self._part(value, attr)
            case ast.Call(func=func, args=[ast.Constant(value=str(name)), *_]) if self.dotted(func) in _IMPORTS:
                return name
            case ast.Subscript(value=value, slice=ast.Constant(value=str(name))) if self.dotted(value) == "sys.modules":
                return name
        return None

    def is_module(self, node: ast.AST | None) -> bool:
        """Whether an expression is a module that was imported here."""
        dotted = self.dotted(node) if node is not None else None
        imported = isinstance(node, ast.Call | ast.Subscript) and dotted is not None
        return imported or dotted in self.modules

    def _part(self, value: ast.expr, attr: str) -> str | None:
        whole = self.dotted(value)
        return f"{whole}.{attr}" if whole else None


def _imported(tree: ast.AST) -> Iterator[tuple[str, str, bool]]:
    """Name, what it stands for, and whether that is a module for sure."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                whole = alias.name if alias.asname else alias.name.split(".")[0]
                yield alias.asname or whole, whole, True
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}", False
