"""What a pytest run is given by selfheal: a report of its own for each process, and only the tests that are asked for.

Runs under the project's own Python (3.6 and newer) and pytest (6 and newer), so it imports nothing of selfheal, and reads
only what pytest documents. Sessions that tests start inside themselves are left alone.
"""

import json
import os
import re
import xml.etree.ElementTree as ET
from typing import Any, Dict, Iterator, List, Optional, Set

import pytest

NESTED = "SELFHEAL_SESSION"  # set while a session runs: what is started inside it is no part of the step
ROOT = os.path.realpath(os.environ.get("SELFHEAL_ROOT") or os.getcwd())
REPORTS = os.environ.get("SELFHEAL_REPORTS", "")
SELECT = os.environ.get("SELFHEAL_SELECT", "")
MODERN = int(pytest.__version__.split(".")[0]) > 6  # noqa: PLR2004  paths are pathlib's
TEXT = 64 << 10  # characters kept of a trace
ALL = 48 << 20  # characters of all traces together
NONE_COLLECTED = 5
ILLEGAL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: Any) -> None:
    worker = getattr(config, "workerinput", None)  # of a process that pytest-xdist started
    if NESTED in os.environ if worker is None else NESTED not in worker:
        return
    config.option.maxfail = 0  # a report of all tests, though the step would stop at the first failure
    config.option.stepwise = False
    if getattr(config.option, "tbstyle", "") in ("no", "line"):  # they cut the trace in the report, too
        config.option.tbstyle = "auto"
    config.pluginmanager.register(Names(), "selfheal-names")
    if SELECT:
        config.pluginmanager.register(Selection(config), "selfheal-selection")
    if worker is None:
        os.environ[NESTED] = str(os.getpid())
        config.pluginmanager.register(Report(config), "selfheal-report")


def pytest_unconfigure(config: Any) -> None:
    if os.environ.get(NESTED) == str(os.getpid()) and config.pluginmanager.has_plugin("selfheal-report"):
        del os.environ[NESTED]


class Names:
    """Gives each test the id it has in the tree, wherever pytest thinks its own root is."""

    def pytest_itemcollected(self, item: Any) -> None:
        item.selfheal_id = item_id(item)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: Any, call: Any) -> Iterator[None]:
        outcome = yield
        report = outcome.get_result()  # type: ignore[attr-defined]
        report.selfheal_id = getattr(item, "selfheal_id", None) or item_id(item)
        report.selfheal_type = call.excinfo.typename if call.excinfo else ""


class Selection:
    """Runs the wanted tests alone. A wanted file is wanted whole."""

    def __init__(self, config: Any) -> None:
        with open(SELECT, encoding="utf-8") as file:
            self.ids: Set[str] = set(json.load(file))
        self.files = {path_of(id_) for id_ in self.ids}
        config.args[:] = [arg for arg in config.args if self.may_hold(arg, str(config.invocation_params.dir))]

    def may_hold(self, arg: str, folder: str) -> bool:
        path = os.path.join(folder, arg.split("::")[0])
        return not os.path.isfile(path) or tree_path(path) in self.files

    def ignored(self, path: str) -> Optional[bool]:
        needed = os.path.isdir(path) or os.path.basename(path) in {"__init__.py", "conftest.py"}
        return None if needed or tree_path(path) in self.files else True

    if MODERN:

        def pytest_ignore_collect(self, collection_path: Any) -> Optional[bool]:
            return self.ignored(str(collection_path))

    else:

        def pytest_ignore_collect(self, path: Any) -> Optional[bool]:  # type: ignore[misc]
            return self.ignored(str(path))

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: Any, items: List[Any]) -> None:
        others = [item for item in items if not self.wants(item)]
        if others:
            items[:] = [item for item in items if self.wants(item)]
            config.hook.pytest_deselected(items=others)

    def wants(self, item: Any) -> bool:
        id_ = getattr(item, "selfheal_id", None) or item_id(item)
        return id_ in self.ids or path_of(id_) in self.ids

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: Any, exitstatus: Any) -> None:
        if int(exitstatus) == NONE_COLLECTED:  # the wanted tests may be those of the step's next pytest
            session.exitstatus = 0


class Report:
    """Collects what the tests say, and writes it as JUnit XML when the session ends."""

    def __init__(self, config: Any) -> None:
        self.rootdir = str(getattr(config, "rootpath", None) or config.rootdir)
        self.folder = tree_path(str(config.invocation_params.dir))
        self.process = os.getpid()
        self.suite = ET.Element("testsuite", name="pytest")
        self.room = ALL

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput[NESTED] = True

    def pytest_runtest_logreport(self, report: Any) -> None:
        expected = hasattr(report, "wasxfail") and report.outcome != "failed"
        if report.outcome == "skipped" or expected:
            self.add(report, self.id_of(report), "skipped")
        elif report.outcome == "failed":
            self.add(report, self.id_of(report), "error" if report.when in ("setup", "teardown") else "failure")
        elif report.outcome == "passed" and report.when == "call":
            self.add(report, self.id_of(report), "")

    def pytest_collectreport(self, report: Any) -> None:
        path = path_of(self.id_of(report))
        if report.outcome == "failed":
            self.add(report, path, "error", "collection failure")
        elif report.outcome == "skipped":
            self.add(report, path, "skipped", "collection skipped")

    def id_of(self, report: Any) -> str:
        """The id from the test itself; from the report where the test was lost with its process."""
        known = getattr(report, "selfheal_id", None)
        if known:
            return str(known)
        path, *names = str(report.nodeid).split("::", 1)
        return "::".join([tree_path(os.path.join(self.rootdir, path)), *names])

    def add(self, report: Any, id_: str, outcome: str, message: str = "") -> None:
        path, *names = id_.split("::")
        module = re.sub(r"\.py$", "", path).replace("/", ".")
        place = {"classname": ".".join([module, *names[:-1]]) if names else "", "name": names[-1] if names else module}
        case = ET.SubElement(self.suite, "testcase", legal(place), file=legal_text(path))
        line = getattr(report, "location", (None, None))[1]
        if line is not None:
            case.set("line", str(line))
        case.set("time", f"{float(getattr(report, 'duration', 0)):.3f}")
        properties = ET.SubElement(case, "properties")
        self.note(properties, "selfheal_id", json.dumps(id_))
        if outcome in ("failure", "error") and self.folder != ".":
            self.note(properties, "selfheal_folder", legal_text(self.folder))
        if outcome:
            said = {"message": message or crash_message(report), "type": getattr(report, "selfheal_type", "")}
            ET.SubElement(case, outcome, legal(said)).text = self.clipped(report.longreprtext)
        if outcome in ("failure", "error"):
            printed = "".join("--- {}\n{}\n".format(*section) for section in getattr(report, "sections", ()))
            ET.SubElement(case, "system-out").text = self.clipped(printed)

    def note(self, properties: Any, name: str, value: str) -> None:
        ET.SubElement(properties, "property", name=name, value=value)

    def clipped(self, text: str) -> str:
        most = min(TEXT, self.room)
        if len(text) > most:
            text = text[: most // 2] + "\n... left out ...\n" + text[len(text) - most // 2 :]
        self.room -= min(len(text), self.room)
        return legal_text(text)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        if not os.path.isdir(REPORTS) or os.getpid() != self.process:  # a test forked, and its child came to the end
            return
        suites = ET.Element("testsuites")
        suites.append(self.suite)
        number = 0
        while os.path.exists(self.file(number)):
            number += 1
        ET.ElementTree(suites).write(self.file(number), encoding="us-ascii", xml_declaration=True)

    def file(self, number: int) -> str:
        return os.path.join(REPORTS, f"selfheal-pytest-{self.process:08d}-{number}.xml")


def item_id(item: Any) -> str:
    """path::Class::name, the path relative to the tree."""
    names = str(item.nodeid).split("::", 1)[1:]
    return "::".join([tree_path(str(item.path if MODERN else item.fspath)), *names])


def path_of(id_: str) -> str:
    return id_.split("::", 1)[0]


def tree_path(path: str) -> str:
    """The path relative to the tree."""
    whole = os.path.abspath(path)
    if not (whole + os.sep).startswith(ROOT + os.sep):
        whole = os.path.realpath(whole)
    return os.path.relpath(whole, ROOT).replace(os.sep, "/")


def crash_message(report: Any) -> str:
    longrepr = report.longrepr
    if isinstance(longrepr, tuple):  # skipped: path, line, reason
        return str(longrepr[2])
    crash = getattr(longrepr, "reprcrash", None)
    return str(crash.message if crash else longrepr or "")[:TEXT]


def legal(attributes: Dict[str, str]) -> Dict[str, str]:
    return {name: legal_text(value) for name, value in attributes.items()}


def legal_text(text: str) -> str:
    """The text with what XML cannot hold written as an escape."""
    return ILLEGAL.sub(lambda found: ascii(found.group())[1:-1], text)
