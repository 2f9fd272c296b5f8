"""A report of tests as JUnit XML, under ids relative to the tree. Runs under the project's own Python (3.6 and newer)."""

import json
import os
import re
import xml.etree.ElementTree as ET
from typing import Any, Dict, Optional

NESTED = "SELFHEAL_SESSION"  # set while tests run: what they start inside themselves is no part of the step
ROOT = os.path.realpath(os.environ.get("SELFHEAL_ROOT") or os.getcwd())
REPORTS = os.environ.get("SELFHEAL_REPORTS", "")
SELECT = os.environ.get("SELFHEAL_SELECT", "")
TEXT = 64 << 10  # characters kept of a trace
ALL = 48 << 20  # characters of all traces together
ILLEGAL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Suite:
    """What the tests of one process say."""

    def __init__(self, tool: str, folder: str) -> None:
        self.tool = tool
        self.folder = tree_path(folder)
        self.process = os.getpid()
        self.element = ET.Element("testsuite", name=tool)
        self.room = ALL

    def add(
        self,
        id_: str,
        outcome: str,
        *,
        message: str = "",
        type_: str = "",
        text: str = "",
        printed: str = "",
        line: Optional[int] = None,
        seconds: float = 0.0,
    ) -> None:
        """One test: "" where it passed, else the name of the element that says how not. `line` counts from 0."""
        path, *names = id_.split("::")
        module = re.sub(r"\.py$", "", path).replace("/", ".")
        place = {"classname": ".".join([module, *names[:-1]]) if names else "", "name": names[-1] if names else module}
        case = ET.SubElement(self.element, "testcase", legal(place), file=legal_text(path))
        if line is not None:
            case.set("line", str(line))
        case.set("time", "{:.3f}".format(seconds))
        failing = outcome in ("failure", "error")
        properties = ET.SubElement(case, "properties")
        note(properties, "selfheal_id", json.dumps(id_))
        if failing and self.folder != ".":
            note(properties, "selfheal_folder", legal_text(self.folder))
        if outcome:
            ET.SubElement(case, outcome, legal({"message": message[:TEXT], "type": type_})).text = self.clipped(text)
        if failing:
            ET.SubElement(case, "system-out").text = self.clipped(printed)

    def clipped(self, text: str) -> str:
        most = min(TEXT, self.room)
        if len(text) > most:
            text = text[: most // 2] + "\n... left out ...\n" + text[len(text) - most // 2 :]
        self.room -= min(len(text), self.room)
        return legal_text(text)

    def write(self) -> None:
        if not os.path.isdir(REPORTS) or os.getpid() != self.process:  # a test forked, and its child came to the end
            return
        suites = ET.Element("testsuites")
        suites.append(self.element)
        name = free_name("selfheal-{}-{:08d}".format(self.tool, self.process), ".xml")
        ET.ElementTree(suites).write(name, encoding="us-ascii", xml_declaration=True)


def note(properties: Any, name: str, value: str) -> None:
    ET.SubElement(properties, "property", name=name, value=value)


def free_name(begin: str, end: str) -> str:
    """A file among the reports that is not there yet."""
    number = 0
    while os.path.exists(os.path.join(REPORTS, "{}-{}{}".format(begin, number, end))):
        number += 1
    return os.path.join(REPORTS, "{}-{}{}".format(begin, number, end))


def path_of(id_: str) -> str:
    return id_.split("::", 1)[0]


def tree_path(path: str) -> str:
    """The path relative to the tree."""
    whole = os.path.abspath(path)
    if not (whole + os.sep).startswith(ROOT + os.sep):
        whole = os.path.realpath(whole)
    return os.path.relpath(whole, ROOT).replace(os.sep, "/")


def legal(attributes: Dict[str, str]) -> Dict[str, str]:
    return {name: legal_text(value) for name, value in attributes.items()}


def legal_text(text: str) -> str:
    """The text with what XML cannot hold written as an escape."""
    return ILLEGAL.sub(lambda found: ascii(found.group())[1:-1], text)
