"""A Python file as text with its syntax tree, and edits of it that keep every byte around them."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

LARGEST = 400_000  # bytes; a larger file is no hand-written source
_LINE_END = re.compile(r"\r\n|\r|\n")
_COMMENT = re.compile(r"#[^\r\n]*")
_BLANK = re.compile(r"[ \t\f]*(?:#.*)?")
Span = tuple[int, int]


@dataclass(frozen=True)
class Edit:
    """Characters from `start` to `end` become `new`."""

    start: int
    end: int
    new: str


@dataclass(frozen=True)
class Source:
    """One file that can be parsed."""

    path: str
    text: str
    encoding: str
    tree: ast.Module

    @cached_property
    def starts(self) -> list[int]:
        """Where each line begins."""
        return [0, *(end.end() for end in _LINE_END.finditer(self.text)), len(self.text)]

    def index(self, line: int, column: int) -> int:
        """The character at a place of the tree, whose columns count bytes of UTF-8."""
        start = self.starts[line - 1]
        whole = self.text[start : self.starts[line]]
        return start + (column if whole.isascii() else len(whole.encode()[:column].decode("utf-8", "ignore")))

    def span(self, node: ast.expr | ast.stmt | ast.keyword | ast.arg) -> Span:
        """Where a node begins and ends."""
        assert node.end_lineno is not None  # noqa: S101  the parser sets it
        assert node.end_col_offset is not None  # noqa: S101
        return self.index(node.lineno, node.col_offset), self.index(node.end_lineno, node.end_col_offset)

    def grouped(self, node: ast.expr) -> Span:
        """The span of an operand with the parentheses around it."""
        start, end = self.span(node)
        while True:
            before = self.text[:start].rstrip()
            after = re.compile(r"\s*\)").match(self.text, end)
            if not (before.endswith("(") and after):
                return start, end
            start, end = len(before) - 1, after.end()

    def of(self, node: ast.expr | ast.stmt) -> str:
        """How a node is written."""
        start, end = self.span(node)
        return self.text[start:end]

    def between(self, start: int, end: int, wanted: str) -> Span | None:
        """Where the pattern first matches between two places, comments left out."""
        gap = _COMMENT.sub(lambda found: " " * len(found.group()), self.text[start:end])
        found = re.search(wanted, gap)
        return (start + found.start(), start + found.end()) if found else None

    def sign(self, left: ast.expr, right: ast.expr, sign: str) -> Span | None:
        """Where the operator between two operands is."""
        words = r"\s+".join(map(re.escape, sign.split()))
        return self.between(self.span(left)[1], self.span(right)[0], rf"\b{words}\b" if sign[0].isalpha() else words)

    def lines(self, node: ast.stmt) -> Span | None:
        """The whole lines of a statement, their ends too; None where it shares one with something else."""
        first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
        start, (begin, end) = self.starts[first - 1], self.span(node)
        last = self.starts[node.end_lineno or node.lineno]
        alone = not self.text[start : self.index(first, 0) if first < node.lineno else begin].strip()
        return (start, last) if alone and _BLANK.fullmatch(self.text[end:last].rstrip("\r\n")) else None

    def indent(self, node: ast.stmt) -> str:
        """What stands before a statement on its line."""
        return self.text[self.starts[node.lineno - 1] : self.span(node)[0]]

    @cached_property
    def line_end(self) -> str:
        found = _LINE_END.search(self.text)
        return found.group() if found else "\n"

    @cached_property
    def step(self) -> str:
        """By what a block is indented: as the file's first one."""
        for node in ast.walk(self.tree):
            body = getattr(node, "body", None)
            if isinstance(node, ast.stmt) and isinstance(body, list) and body[0].lineno > node.lineno:
                step = self.indent(body[0]).removeprefix(self.indent(node))
                if step and not step.strip():
                    return step
        return "    "

    def changed(self, edits: Sequence[Edit]) -> str:
        """The text with the edits, which do not overlap."""
        text = self.text
        for edit in sorted(edits, key=lambda edit: (edit.start, edit.end), reverse=True):
            text = text[: edit.start] + edit.new + text[edit.end :]
        return text

    def encoded(self, edits: Sequence[Edit]) -> bytes | None:
        """The bytes of the file with the edits; None where its encoding lacks a letter."""
        try:
            return self.changed(edits).encode(self.encoding)
        except UnicodeEncodeError:
            return None

    @cached_property
    def regions(self) -> list[Span]:
        """The lines of each statement of the module, decorators included."""
        firsts = [
            min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))]) for node in self.tree.body
        ]
        return [
            (self.starts[first - 1], self.starts[node.end_lineno or node.lineno])
            for first, node in zip(firsts, self.tree.body, strict=True)
        ]

    def around(self, edits: Sequence[Edit]) -> Span | None:
        """The lines of the module's statement that the edits are in; None where that is not one."""
        low, high = min(edit.start for edit in edits), max(edit.end for edit in edits)
        return next(((start, end) for start, end in self.regions if start <= low and high <= end), None)


def parse(path: str, data: bytes) -> Source | None:
    """The file; None where it is no Python that can be read, or cannot be written back as it is."""
    if not path.endswith(".py") or len(data) > LARGEST:
        return None
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
        tree = parsed(text)
        written = text.encode(encoding)
    except (SyntaxError, ValueError, RecursionError, MemoryError, LookupError):
        return None
    return Source(path, text, encoding, tree) if written == data else None


def parsed(text: str) -> ast.Module:
    """The tree. Raises what ast.parse does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of strange escapes in the project's strings
        return ast.parse(text)


@lru_cache(maxsize=1024)
def shape_of(text: str) -> str | None:
    """The tree of a piece of a module, dumped; None where it does not compile. Of nothing there is nothing."""
    try:
        tree = parsed(text)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(tree, "", "exec", dont_inherit=True)
        return ast.dump(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
