"""A pytest plugin: writes the outcome of every test, and tells coverage which test runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

OUTCOMES = "BENCH_OUTCOMES"  # the file that gets them
CHOSEN = "BENCH_CHOSEN"  # a file with the ids to run; all where it is not set
outcomes: dict[str, str] = {}


def pytest_collection_modifyitems(items: list[Any]) -> None:
    if CHOSEN in os.environ:
        chosen = set(json.loads(Path(os.environ[CHOSEN]).read_text()))
        items[:] = [item for item in items if item.nodeid in chosen]


def pytest_runtest_logstart(nodeid: str) -> None:
    _context(nodeid)


def pytest_runtest_logfinish(nodeid: str) -> None:
    _context("")


def pytest_runtest_logreport(report: Any) -> None:
    if report.when == "call" or report.outcome != "passed":
        before = outcomes.get(report.nodeid)
        xfailed = hasattr(report, "wasxfail")
        outcomes[report.nodeid] = before if before == "failed" else "skipped" if xfailed else report.outcome


def pytest_collectreport(report: Any) -> None:
    if report.failed:
        outcomes[f"collecting {report.nodeid}"] = "broken"


def pytest_sessionfinish() -> None:
    Path(os.environ[OUTCOMES]).write_text(json.dumps(outcomes))


def _context(name: str) -> None:
    try:
        from coverage import Coverage  # type: ignore[import-not-found]  # noqa: PLC0415  the suites' tools, not ours
    except ImportError:
        return
    if running := Coverage.current():
        running.switch_context(name)
