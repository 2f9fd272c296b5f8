"""YAML as text with line numbers: bounded, nothing constructed, `on` a word and `3.10` no number."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import yaml

DEEPEST, MOST = 40, 20_000  # levels; nodes, aliases followed
REFERENCE = "!reference"  # GitLab's


class Text(str):
    """A scalar as it is written, and its line."""

    __slots__ = ("line",)
    line: int


class Reference(tuple[str, ...]):
    """The keys that lead to what stands here in GitLab's files."""

    __slots__ = ()


class Table(dict[str, Any]):
    """A mapping, and its line."""

    line = 0


class UnreadableError(ValueError):
    """A file is no YAML that anybody would write."""


@lru_cache(maxsize=64)
def read(data: bytes) -> Any:
    """The first document with a mapping in it: Table, list, Text, Reference, bool or None. Raises UnreadableError."""
    try:
        nodes = list(yaml.compose_all(data.decode("utf-8", "replace"), yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError) as broken:
        raise UnreadableError(str(broken).partition("\n")[0]) from broken
    reader = _Reader()
    documents = [reader.value(node, 0) for node in nodes if node]
    tables = [document for document in documents if isinstance(document, Table)]
    return tables[-1] if tables else None  # a component's inputs stand in a document before


class _Reader:
    """Turns nodes into values, and counts them: an alias costs what it stands for."""

    def __init__(self) -> None:
        self.left = MOST

    def value(self, node: yaml.Node, depth: int) -> Any:
        self.left -= 1
        if depth > DEEPEST or self.left < 0:
            raise UnreadableError("it is nested deeper, or grows larger, than anybody writes")
        if isinstance(node, yaml.MappingNode):
            return self._table(node, depth)
        if isinstance(node, yaml.SequenceNode):
            items = [self.value(item, depth + 1) for item in node.value]
            return Reference(str(item) for item in items) if node.tag == REFERENCE else items
        return _scalar(node) if isinstance(node, yaml.ScalarNode) else None

    def _table(self, node: yaml.MappingNode, depth: int) -> Table:
        table, merged = Table(), Table()
        table.line = node.start_mark.line + 1
        for key, value in node.value:
            found = self.value(value, depth + 1)
            if key.value == "<<":
                for part in found if isinstance(found, list) else [found]:
                    merged |= part if isinstance(part, dict) else {}
            elif isinstance(key.value, str):
                table[key.value] = found
        return _with_line(table, {**merged, **table})


def _with_line(table: Table, items: dict[str, Any]) -> Table:
    whole = Table(items)
    whole.line = table.line
    return whole


def _scalar(node: yaml.ScalarNode) -> Text | bool | None:
    if node.style is None and node.tag == "tag:yaml.org,2002:bool" and node.value.lower() in {"true", "false"}:
        return bool(node.value.lower() == "true")
    if node.style is None and node.tag == "tag:yaml.org,2002:null":
        return None
    text = Text(node.value)
    text.line = node.start_mark.line + 1 + (node.style in {"|", ">"})
    return text


def text_of(value: Any) -> str:
    """A scalar as the forge would print it."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def line_of(value: Any, otherwise: int = 0) -> int:
    """The line of a value, where it is known."""
    return int(getattr(value, "line", otherwise) or otherwise)


def items_of(value: Any) -> list[Any]:
    """A list as it is, nothing for None, anything else as the only item."""
    return [] if value is None else value if isinstance(value, list) else [value]


def table_of(value: Any) -> dict[str, Any]:
    """A mapping, or an empty one."""
    return value if isinstance(value, dict) else {}
