"""What a pytest run is given by selfheal: a report of its own for each process, and only the tests that are asked for.

Runs under the project's own Python (3.6 and newer) and pytest (6 and newer), so it imports nothing of selfheal, and reads
only what pytest documents. Sessions that tests start inside themselves are left alone.
PYTEST_DONT_REWRITE
"""

import json
import os
from typing import Any, Iterator, List, Optional, Set

import pytest
from selfheal_report import NESTED, SELECT, TEXT, Suite, path_of, tree_path  # type: ignore[import-not-found]
from selfheal_trace import TRACER  # type: ignore[import-not-found]

MODERN = int(pytest.__version__.split(".")[0]) > 6  # noqa: PLR2004  paths are pathlib's
NONE_COLLECTED = 5

if TRACER and (NESTED not in os.environ or "PYTEST_XDIST_WORKER" in os.environ):
    TRACER.start()  # now, so that what conftest.py imports is seen as well


@pytest.hookimpl(hookwrapper=True)
def pytest_load_initial_conftests(early_config: Any) -> Iterator[None]:
    if TRACER and hasattr(early_config.known_args_namespace, "no_cov"):  # pytest-cov's: there is one trace function
        early_config.known_args_namespace.no_cov = True
    yield


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: Any) -> None:
    worker = getattr(config, "workerinput", None)  # of a process that pytest-xdist started
    if NESTED in os.environ if worker is None else NESTED not in worker:
        if TRACER and not TRACER.busy():
            TRACER.stop()
        return
    if getattr(config.option, "collectonly", False):
        return
    config.option.maxfail = 0  # a report of all tests, though the step would stop at the first failure
    config.option.stepwise = False
    if getattr(config.option, "tbstyle", "") in ("no", "line"):  # they cut the trace in the report, too
        config.option.tbstyle = "auto"
    config.pluginmanager.register(Names(), "selfheal-names")
    if TRACER:
        config.pluginmanager.register(Trace(), "selfheal-trace")
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


class Trace:
    """Writes down which lines each test executes."""

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: Any) -> Iterator[None]:
        TRACER.begin()
        yield
        TRACER.end(getattr(item, "selfheal_id", None) or item_id(item))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        TRACER.write()


class Report:
    """Collects what the tests say, and writes it when the session ends."""

    def __init__(self, config: Any) -> None:
        self.rootdir = str(getattr(config, "rootpath", None) or config.rootdir)
        self.suite = Suite("pytest", str(config.invocation_params.dir))

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
        self.suite.add(
            id_,
            outcome,
            message=message or crash_message(report) if outcome else "",
            type_=getattr(report, "selfheal_type", ""),
            text=report.longreprtext if outcome else "",
            printed="".join("--- {}\n{}\n".format(*section) for section in getattr(report, "sections", ())),
            line=getattr(report, "location", (None, None))[1],
            seconds=float(getattr(report, "duration", 0)),
        )

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        self.suite.write()


def item_id(item: Any) -> str:
    """path::Class::name, the path relative to the tree."""
    names = str(item.nodeid).split("::", 1)[1:]
    return "::".join([tree_path(str(item.path if MODERN else item.fspath)), *names])


def crash_message(report: Any) -> str:
    longrepr = report.longrepr
    if isinstance(longrepr, tuple):  # skipped: path, line, reason
        return str(longrepr[2])
    crash = getattr(longrepr, "reprcrash", None)
    return str(crash.message if crash else longrepr or "")[:TEXT]
