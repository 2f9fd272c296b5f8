"""Reads a JUnit document as hostile bytes: no DTD, no entities, capped in every way, or one ReportError."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.etree.ElementTree import TreeBuilder  # from events that the defused parser checked

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, XMLParser

from selfheal_ci.errors import ReportError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

SIZE = 64 << 20  # bytes of a report
DEPTH = 32
CASES = 200_000
PARTS = 10_000  # elements of one case
ELEMENTS = 1_500_000  # of the report
CHUNK = 512 << 10  # bytes given to the parser at once: an older expat reads a long token anew with each
CASE = "testcase"
OF_A_SUITE = frozenset({"failure", "error"})  # beside its cases: what broke in the suite itself

_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_ENCODINGS = {
    "utf-8": "utf-8", "utf8": "utf-8", "us-ascii": "utf-8", "ascii": "utf-8", "utf-16": "utf-8",  # without a mark it is not
    "iso-8859-1": "latin-1", "latin-1": "latin-1", "latin1": "latin-1", "iso-8859-15": "iso-8859-15",
    "windows-1252": "cp1252", "cp1252": "cp1252",
}  # fmt: skip
_DECLARED = re.compile(rb"\s*<\?xml[^>]{0,200}?\sencoding\s{0,9}=\s{0,9}[\"']([\w.-]{1,40})")
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REFERENCE = re.compile(r"&#(?:x([0-9a-fA-F]{1,8})|([0-9]{1,10}));")
_LONGEST = len("&#1234567890;")


@dataclass(frozen=True)
class Part:
    """The element of a case, or of what broke in a suite itself."""

    element: Element
    suite: str  # the name of the suite it stands in


def parts(data: bytes) -> Iterator[Part]:
    """The cases of a document, one after the other; nothing else of it is kept."""
    if len(data) > SIZE:
        raise ReportError("too large", f"{len(data)} bytes, {SIZE} are read")
    document = _Document()
    try:
        parser = XMLParser(target=document, encoding="utf-8", forbid_dtd=True)
        parser.parser.ordered_attributes = False
        parser.parser.StartElementHandler = document.start  # past what ElementTree does for names, a third of the time
        parser.parser.EndElementHandler = document.end
        for chunk in _legible(data):
            parser.feed(chunk)
            yield from document.take()
        parser.close()
    except DefusedXmlException as forbidden:
        raise ReportError("forbidden", f"it has a {type(forbidden).__name__.removesuffix('Forbidden')}") from forbidden
    except (ParseError, ValueError, LookupError, AssertionError, RecursionError) as error:
        raise ReportError("not XML", str(error)[:200]) from error
    yield from document.take()


@dataclass
class _Document:
    """What the parser tells of the document: it checks the limits, and keeps the cases that were not taken yet."""

    builder: TreeBuilder | None = None  # of the case that is open
    suites: list[str] = field(default_factory=list)  # names of the elements around it
    inside: int = 0  # elements that are open since the case began
    parts: int = 0
    cases: int = 0
    elements: int = 0
    complete: list[Part] = field(default_factory=list)

    def take(self) -> list[Part]:
        complete, self.complete = self.complete, []
        return complete

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = _local(tag)
        self.elements += 1
        if self.builder is None:
            if name == CASE or (name in OF_A_SUITE and self.suites):
                self._begin_case()
            else:
                self.suites.append(attributes.get("name", ""))
        if self.builder is not None:
            self.builder.start(name, attributes)
            self.inside += 1
            self.parts += 1
        if self.parts > PARTS or self.elements > ELEMENTS or self.elements == 1 or len(self.suites) + self.inside > DEPTH:
            self._check(name)

    def data(self, text: str) -> None:
        if self.builder is not None:
            self.builder.data(text)

    def end(self, tag: str) -> None:
        if self.builder is None:
            self.suites.pop()
            return
        self.builder.end(_local(tag))
        self.inside -= 1
        if self.inside == 0:
            self.complete.append(Part(self.builder.close(), self.suites[-1] if self.suites else ""))
            self.builder = None

    def _begin_case(self) -> None:
        self.builder, self.parts, self.cases = TreeBuilder(), 0, self.cases + 1
        if self.cases > CASES:
            raise ReportError("too many cases", f"more than {CASES}")

    def _check(self, name: str) -> None:
        if len(self.suites) + self.inside > DEPTH:
            raise ReportError("too deep", f"more than {DEPTH} elements in each other")
        if self.elements == 1 and name not in {"testsuites", "testsuite"}:
            raise ReportError("not JUnit", f"it begins with <{name[:40]}>")
        if self.parts > PARTS:
            raise ReportError("too many elements", f"more than {PARTS} in one case")
        if self.elements > ELEMENTS:
            raise ReportError("too many elements", f"more than {ELEMENTS}")


def _local(tag: str) -> str:
    """The tag without its namespace."""
    return tag.rpartition("}")[2] if "}" in tag else tag


def _legible(data: bytes) -> Iterator[bytes]:
    """The document as UTF-8 with legal characters only, piece by piece."""
    decoder = codecs.getincrementaldecoder(_encoding(data))("replace")
    begun, rest = False, ""
    for start in range(0, max(len(data), 1), CHUNK):
        last = start + CHUNK >= len(data)
        text = rest + decoder.decode(data[start : start + CHUNK], last)
        if not begun:
            text = text.lstrip()
            begun = bool(text)
        cut = len(text) if last else _safe_cut(text)
        text, rest = text[:cut], text[cut:]
        yield _REFERENCE.sub(_legal, _ILLEGAL.sub("\ufffd", text)).encode()


def _safe_cut(text: str) -> int:
    """Where a text may be cut: not within a reference."""
    begin = text.rfind("&", -_LONGEST)
    return begin if begin >= 0 else len(text)


def _encoding(data: bytes) -> str:
    for mark, encoding in _BOMS.items():
        if data.startswith(mark):
            return encoding
    declared = _DECLARED.match(data)
    name = declared[1].decode("ascii", "replace").lower() if declared else "utf-8"
    if name not in _ENCODINGS:
        raise ReportError("not XML", f"it is encoded as {name}")
    return _ENCODINGS[name]


def _legal(reference: re.Match[str]) -> str:
    number = int(reference[1], 16) if reference[1] else int(reference[2])
    return reference[0] if number < 0x110000 and not _ILLEGAL.match(chr(number)) else "\ufffd"  # noqa: PLR2004
