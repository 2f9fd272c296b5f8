"""Reads JUnit reports: hostile bytes in, cases out, or one ReportError."""

from __future__ import annotations

import codecs
import io
import json
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, XMLParser, iterparse
from junitparser import Error, Properties, Skipped, SystemErr, SystemOut, TestCase
from junitparser import Failure as Failed

from selfheal_ci.detect.frames import relative
from selfheal_ci.errors import ReportError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

SIZE = 64 << 20  # bytes of a report
DEPTH = 32
CASES = 200_000
PARTS = 10_000  # elements of one case
ELEMENTS = 1_500_000  # of the report
BATCH = 1000  # elements that are let go of at once
CHUNK = 512 << 10  # bytes given to the parser at once: an older expat reads a long token anew with each
TEXT = 64 << 10  # characters kept of a text, head and tail
ID = 4096  # characters of an id

_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_ENCODINGS = {
    "utf-8": "utf-8", "utf8": "utf-8", "us-ascii": "utf-8", "ascii": "utf-8", "utf-16": "utf-8",  # without a mark it is not
    "iso-8859-1": "latin-1", "latin-1": "latin-1", "latin1": "latin-1", "iso-8859-15": "iso-8859-15",
    "windows-1252": "cp1252", "cp1252": "cp1252",
}  # fmt: skip
_DECLARED = re.compile(rb"\s*<\?xml[^>]{0,200}?\sencoding\s{0,9}=\s{0,9}[\"']([\w.-]{1,40})")
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REFERENCE = re.compile(r"&#(?:x([0-9a-fA-F]{1,8})|([0-9]{1,10}));")


class Outcome(StrEnum):
    PASSED = "passed"
    SKIPPED = "skipped"
    FAILED = "failed"
    ERROR = "error"

    @property
    def failing(self) -> bool:
        return self in {Outcome.FAILED, Outcome.ERROR}


_WORSE = {Outcome.PASSED: 0, Outcome.SKIPPED: 1, Outcome.FAILED: 2, Outcome.ERROR: 2}


@dataclass(frozen=True)
class ReportCase:
    """What a report says of one test, or of one file that could not be read."""

    id: str
    outcome: Outcome
    path: str | None = None  # where the test is, relative to the tree
    line: int | None = None
    type: str = ""
    message: str = ""
    text: str = ""  # the trace
    output: str = ""  # what the test printed, where it failed
    folder: str = ""  # folder of the tree in which relative paths of the text begin


@dataclass(frozen=True)
class Reports:
    """All that the reports of one run say, one case for each id."""

    cases: tuple[ReportCase, ...] = ()
    broken: str = ""  # why one of them cannot be read
    root: str = field(default="", compare=False)  # the tree's absolute path, where it is known


def read_reports(reports: Mapping[str, bytes], root: str = "") -> Reports:
    """Read every report, in the order of their names. A broken one does not hide what the others say."""
    cases: list[ReportCase] = []
    broken = ""
    for name, data in sorted(reports.items()):
        try:
            cases += parse(data, root)
        except ReportError as error:
            broken = broken or f"{posixpath.basename(name)}: {error.message}"
    return Reports(worst(cases), broken, root)


def worst(cases: Iterable[ReportCase]) -> tuple[ReportCase, ...]:
    """One case for each id: the first of its worst outcome."""
    kept: dict[str, ReportCase] = {}
    for case in cases:
        known = kept.setdefault(case.id, case)
        if _WORSE[case.outcome] > _WORSE[known.outcome]:
            kept[case.id] = case
    return tuple(kept.values())


def parse(data: bytes, root: str = "") -> tuple[ReportCase, ...]:
    """The cases of one report, as often as it has them. `root` is the tree's absolute path, where it is known."""
    source = _legible(data)
    try:
        return tuple(_case(element, root) for element in _elements(source))
    except DefusedXmlException as forbidden:
        raise ReportError("forbidden", f"it has a {type(forbidden).__name__.removesuffix('Forbidden')}") from forbidden
    except (ParseError, ValueError, LookupError, AssertionError, RecursionError) as error:
        raise ReportError("not XML", str(error)[:200]) from error


def _legible(data: bytes) -> bytes:
    """The report as UTF-8 with legal characters only."""
    if len(data) > SIZE:
        raise ReportError("too large", f"{len(data)} bytes, {SIZE} are read")
    text = data.decode(_encoding(data), "replace").lstrip()
    return _REFERENCE.sub(_legal, _ILLEGAL.sub("\ufffd", text)).encode()


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


def _elements(source: bytes) -> Iterator[Element]:
    """The elements of the cases, one after the other; nothing of the document is kept."""
    parser = XMLParser(encoding="utf-8", forbid_dtd=True)
    path: list[Element] = []
    read: list[int] = []  # for each of the path: the children that are done with
    case: Element | None = None
    cases = parts = elements = 0
    for event, element in iterparse(_Source(source), events=("start", "end"), parser=parser):
        if event == "start":
            path.append(element)
            read.append(0)
            _check_place(path)
            if case is None and _local(element) == "testcase":
                case, parts, cases = element, 0, cases + 1
            parts, elements = parts + 1, elements + 1
            _check_counts(cases, parts if case is not None else 0, elements)
            continue
        path.pop()
        element.tag = _local(element)  # not before its end: the parser compares
        if case is not None and element is case:
            yield case
            case = None
        read.pop()
        if case is None and path:
            element.clear()
            read[-1] += 1
            if read[-1] == BATCH:
                del path[-1][:BATCH]
                read[-1] = 0


class _Source(io.BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(CHUNK)


def _check_place(path: list[Element]) -> None:
    if len(path) > DEPTH:
        raise ReportError("too deep", f"more than {DEPTH} elements in each other")
    if len(path) == 1 and _local(path[0]) not in {"testsuites", "testsuite"}:
        raise ReportError("not JUnit", f"it begins with <{_local(path[0])[:40]}>")


def _check_counts(cases: int, parts: int, elements: int) -> None:
    if cases > CASES:
        raise ReportError("too many cases", f"more than {CASES}")
    if parts > PARTS:
        raise ReportError("too many elements", f"more than {PARTS} in one case")
    if elements > ELEMENTS:
        raise ReportError("too many elements", f"more than {ELEMENTS}")


def _local(element: Element) -> str:
    """The tag without its namespace."""
    return element.tag.rpartition("}")[2]


def _case(element: Element, root: str) -> ReportCase:
    case = TestCase.fromelem(element)  # type: ignore[no-untyped-call]
    properties = dict(reversed([(item.name, item.value or "") for item in case.child(Properties) or ()]))
    entries = list(case)
    results = [(_outcome(entry), entry) for entry in entries if isinstance(entry, Failed | Error | Skipped)]
    outcome, entry = max(results, key=lambda result: _WORSE[result[0]], default=(Outcome.PASSED, None))
    file = _attribute(element, "file").replace("\\", "/")
    path = relative(file, root)
    message = (entry.message or "") if entry is not None else ""
    return ReportCase(
        id=_given_id(properties.get("selfheal_id")) or _id(case, path or file, message),
        outcome=outcome,
        path=path,
        line=_line(element, path),
        type=(entry.type or "")[:200] if entry is not None and outcome.failing else "",
        message=clip(message),
        text=clip((entry.text or "") if entry is not None else ""),
        output=clip("".join(_printed(entries))) if outcome.failing else "",
        folder=properties.get("selfheal_folder", ""),
    )


def _outcome(entry: Failed | Error | Skipped) -> Outcome:
    if isinstance(entry, Skipped):
        return Outcome.SKIPPED
    return Outcome.ERROR if isinstance(entry, Error) else Outcome.FAILED


def _printed(entries: Iterable[object]) -> Iterator[str]:
    return (entry.text or "" for entry in entries if isinstance(entry, SystemOut | SystemErr))


def _given_id(value: str | None) -> str | None:
    """The id our own plugin gave."""
    try:
        said = json.loads(value or "null")
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, str) and 0 < len(said) <= ID else None


def _id(case: TestCase, path: str, message: str) -> str:
    """path::Class::name as pytest names it; for other tools class::name."""
    name, class_name = case.name or "", case.classname or ""
    if not path:
        return "::".join(part for part in (class_name, name) if part)[:ID] or "(no name)"
    module = posixpath.splitext(path)[0].replace("/", ".")
    if message in {"collection failure", "collection skipped"} or (not class_name and name == module):
        return path  # the file itself could not be read
    below = class_name[len(module) + 1 :] if f"{class_name}.".startswith(f"{module}.") else class_name
    return "::".join([path, *(part for part in below.split(".") if part), name])[:ID]


def _line(element: Element, path: str | None) -> int | None:
    """The line the test begins in, from 1; pytest counts from 0."""
    said = _attribute(element, "line")
    if not said.isascii() or not said.isdigit() or len(said) > 9:  # noqa: PLR2004  digits
        return None
    return int(said) + 1 if path and path.endswith(".py") else int(said)


def _attribute(element: Element, name: str) -> str:
    return element.get(name) or ""


def clip(text: str, most: int = TEXT) -> str:
    """Head and tail of a long text."""
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"
