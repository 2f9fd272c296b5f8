"""The functions and classes of a source file, its imports and its outline, in the languages that we can read."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ast_grep_py import SgNode

LARGEST = 200_000  # characters; of longer files only what is around a place is shown: reading hostile ones takes seconds


@dataclass(frozen=True)
class Language:
    """How its grammar calls things."""

    name: str  # as ast-grep knows it: any other makes that panic
    functions: frozenset[str]
    groups: frozenset[str]  # what holds functions
    others: frozenset[str]  # what belongs to the outline besides
    imports: frozenset[str]
    around: frozenset[str] = frozenset()  # what a definition may be wrapped into, such as decorators
    before: frozenset[str] = frozenset()  # what may stand before it and belong to it, such as attributes
    named: frozenset[str] = frozenset()  # where a function stands that has no name of its own


def _kinds(text: str) -> frozenset[str]:
    return frozenset(text.split())


PYTHON = Language(
    "python", _kinds("function_definition"), _kinds("class_definition"), _kinds("type_alias_statement"),
    _kinds("import_statement import_from_statement future_import_statement"), _kinds("decorated_definition"),
)  # fmt: skip
_SCRIPT = {
    "functions": _kinds("function_declaration generator_function_declaration method_definition"),
    "groups": _kinds("class_declaration abstract_class_declaration interface_declaration internal_module"),
    "others": _kinds("type_alias_declaration enum_declaration"),
    "imports": _kinds("import_statement"),
    "around": _kinds("export_statement"),
    "named": _kinds("lexical_declaration variable_declaration"),
}
# A grammar refuses to be asked for kinds that it does not have.
JAVASCRIPT = Language("javascript", **(_SCRIPT | {"groups": _kinds("class_declaration"), "others": frozenset()}))
TYPESCRIPT, TSX = Language("typescript", **_SCRIPT), Language("tsx", **_SCRIPT)
GO = Language(
    "go", _kinds("function_declaration method_declaration"), frozenset(), _kinds("type_declaration"),
    _kinds("package_clause import_declaration"),
)  # fmt: skip
RUST = Language(
    "rust", _kinds("function_item"), _kinds("impl_item trait_item mod_item"), _kinds("struct_item enum_item type_item"),
    _kinds("use_declaration"), before=_kinds("attribute_item"),
)  # fmt: skip
JAVA = Language(
    "java", _kinds("method_declaration constructor_declaration"),
    _kinds("class_declaration interface_declaration enum_declaration record_declaration"), frozenset(),
    _kinds("package_declaration import_declaration"),
)  # fmt: skip
BY_SUFFIX: Mapping[str, Language] = {
    **dict.fromkeys((".py", ".pyi"), PYTHON),
    **dict.fromkeys((".js", ".jsx", ".mjs", ".cjs"), JAVASCRIPT),
    **dict.fromkeys((".ts", ".mts", ".cts"), TYPESCRIPT),
    ".tsx": TSX,
    ".go": GO,
    ".rs": RUST,
    ".java": JAVA,
}


@dataclass(frozen=True)
class Part:
    """A function, or a class that holds some."""

    name: str
    lines: range  # from 1, with its decorators
    header: range  # up to its body
    is_group: bool


@dataclass(frozen=True)
class Structure:
    """A source file."""

    parts: tuple[Part, ...]  # in the order in which they begin
    imports: frozenset[int]
    outline: frozenset[int]  # headers of all that can be named from outside

    def around(self, lines: Collection[int]) -> Iterator[Part]:
        """The parts that have any of these lines, outer ones first."""
        wanted = sorted(lines)
        return (part for part in self.parts if bisect_left(wanted, part.lines.start) < bisect_left(wanted, part.lines.stop))


def structure_of(path: str, lines: Sequence[str]) -> Structure | None:
    """None for a language that we cannot read, and for a file that is too long. Mistakes in the source are no matter."""
    language = BY_SUFFIX.get("." + path.rpartition(".")[2])
    text = "\n".join(lines)
    return _structure(text, language) if language and len(text) <= LARGEST else None


@lru_cache(maxsize=64)
def _structure(text: str, language: Language) -> Structure:
    from ast_grep_py import SgRoot  # noqa: PLC0415  only who asks a model needs it

    root = SgRoot(text.encode("utf-8", "replace").decode(), language.name).root()
    defined = _found(root, language.functions | language.groups | language.named)
    parts = [part for node in defined if (part := _part(node, language))]
    inner = _inner(parts)
    outline = {line for part in parts if part not in inner for line in part.header}
    others = {line for node in _found(root, language.others) for line in _lines(node)[:1]}
    imports = frozenset(line for node in _found(root, language.imports) for line in _lines(node))
    return Structure(tuple(parts), imports, frozenset(outline | others))


def _found(root: SgNode, kinds: Collection[str]) -> list[SgNode]:
    return root.find_all({"rule": {"any": [{"kind": kind} for kind in sorted(kinds)]}}) if kinds else []


def _part(node: SgNode, language: Language) -> Part | None:
    inner: SgNode | None = node
    if node.kind() in language.named:  # `const f = () => {…}`
        node_name = next((child for child in node.children() if child.kind() == "variable_declarator"), None)
        inner = node_name.field("value") if node_name else None
        if node_name is None or inner is None or inner.kind() not in {"arrow_function", "function_expression"}:
            return None
        name = node_name.field("name")
    else:
        name = node.field("name") or node.field("type")  # `impl Type`
    body = inner.field("body") if inner else None
    lines = _with_what_is_before(node, language)
    first = _lines(name).start if name else lines.start
    end = _lines(body).start if body else lines.stop
    return Part(name.text() if name else "", lines, range(first, max(end, first + 1)), node.kind() in language.groups)


def _with_what_is_before(node: SgNode, language: Language) -> range:
    """The lines of a definition, with its decorators, its `export`, its attributes."""
    lines, parent = _lines(node), node.parent()
    if parent is not None and parent.kind() in language.around:
        node = parent
    while (before := node.prev()) is not None and before.kind() in language.before:
        node = before
    return range(_lines(node).start, lines.stop)


def _inner(parts: Sequence[Part]) -> set[Part]:
    """Those inside of a function: nobody outside can name them."""
    inner, end = set[Part](), 0
    for part in parts:
        if part.lines.start < end:
            inner.add(part)
        elif not part.is_group:
            end = part.lines.stop
    return inner


def _lines(node: SgNode) -> range:
    found = node.range()
    ends_before = found.end.column == 0 and found.end.line > found.start.line
    return range(found.start.line + 1, found.end.line + (1 if ends_before else 2))
