"""Reads JUnit reports: one case for each test, under an id that is the same in every run."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from junitparser import Error, Skipped, SystemErr, SystemOut, TestCase
from junitparser import Failure as Failed

from selfheal_ci.detect.document import CASE, Part, parts
from selfheal_ci.detect.frames import relative
from selfheal_ci.errors import ReportError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

TEXT = 64 << 10  # characters kept of a text, head and tail
ID = 4096  # characters of an id
NOT_RUN = frozenset({"notrun", "disabled", "skipped"})  # what some tools say of a case instead of <skipped/>


class Outcome(StrEnum):
    PASSED = "passed"
    SKIPPED = "skipped"
    FAILED = "failed"
    ERROR = "error"

    @property
    def failing(self) -> bool:
        return self in {Outcome.FAILED, Outcome.ERROR}


_WORSE = {Outcome.PASSED: 0, Outcome.SKIPPED: 1, Outcome.FAILED: 2, Outcome.ERROR: 2}


@dataclass(frozen=True, slots=True)
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
    return tuple(_case(part.element, root) if part.element.tag == CASE else _suite_case(part) for part in parts(data))


def _case(element: Element, root: str) -> ReportCase:
    properties = _properties(element)
    outcome, result = _worst(element)
    file = element.get("file", "").replace("\\", "/")
    path = relative(file, root)
    message = result.get("message", "") if result is not None else ""
    id_ = _given_id(properties.get("selfheal_id")) or _id(element, path or "", message)
    if root:
        id_ = id_.replace(f"{root}/", "")
    line = _line(element, path)
    if result is None or not outcome.failing:
        return ReportCase(id_, outcome, path, line, message=clip(message))
    return ReportCase(
        id_,
        outcome,
        path,
        line,
        type=result.get("type", "")[:200],
        message=clip(message),
        text=clip(result.text or ""),
        output=clip(_printed(element)),
        folder=properties.get("selfheal_folder", ""),
    )


def _suite_case(part: Part) -> ReportCase:
    """What broke in a suite itself: before its first test, or after its last."""
    return ReportCase(
        part.suite[:ID] or "(no name)",
        Outcome.ERROR,
        type=part.element.get("type", "")[:200],
        message=clip(part.element.get("message", "")),
        text=clip(part.element.text or ""),
    )


_OUTCOMES = {Skipped._tag: Outcome.SKIPPED, Failed._tag: Outcome.FAILED, Error._tag: Outcome.ERROR}


def _worst(element: Element) -> tuple[Outcome, Element | None]:
    """The worst of a case's results, and the first element that says so."""
    worst, told = Outcome.SKIPPED if element.get("status") in NOT_RUN else Outcome.PASSED, None
    for part in element.iter():
        outcome = _OUTCOMES.get(part.tag, Outcome.PASSED)
        if _WORSE[outcome] > _WORSE[worst]:
            worst, told = outcome, part
    return worst, told


def _properties(element: Element) -> dict[str, str]:
    """The first of each name."""
    found: dict[str, str] = {}
    for part in element.iterfind("properties/property") if element.find("properties") is not None else ():
        found.setdefault(part.get("name", ""), part.get("value", ""))
    return found


def _printed(element: Element) -> str:
    if element.find("system-out") is None and element.find("system-err") is None:
        return ""
    case = TestCase.fromelem(element)  # type: ignore[no-untyped-call]
    return "".join(entry.text or "" for entry in case if isinstance(entry, SystemOut | SystemErr))


def _given_id(value: str | None) -> str | None:
    """The id our own plugin gave."""
    if not value:
        return None
    try:
        said = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, str) and 0 < len(said) <= ID else None


def _id(element: Element, path: str, message: str) -> str:
    """path::Class::name as pytest names it; for other tools class::name."""
    name, class_name = element.get("name", ""), element.get("classname", "")
    if not path:
        return "::".join(part for part in (class_name, name) if part)[:ID] or "(no name)"
    if message in {"collection failure", "collection skipped"} or (not class_name and name == _module(path)):
        return path  # the file itself could not be read
    return f"{_place(path, class_name)}::{name}"[:ID]


@lru_cache(maxsize=1000)  # many cases are of the same class
def _place(path: str, class_name: str) -> str:
    """path::Class"""
    module = _module(path)
    below = class_name[len(module) + 1 :] if f"{class_name}.".startswith(f"{module}.") else class_name
    return "::".join([path, *(part for part in below.split(".") if part)])


def _module(path: str) -> str:
    return posixpath.splitext(path)[0].replace("/", ".")


def _line(element: Element, path: str | None) -> int | None:
    """The line the test begins in, from 1; pytest counts from 0."""
    said = element.get("line", "")
    if not said.isdecimal() or len(said) > 9:  # noqa: PLR2004  digits
        return None
    return int(said) + 1 if path and path.endswith(".py") else int(said)


def clip(text: str, most: int = TEXT) -> str:
    """Head and tail of a long text."""
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"
