"""Loaded by pytest before anything of the project: forks a process for each version of some files and says how each ended.

Runs under the project's own Python (3.7 and newer), so it imports nothing of selfheal. What it says is a hint: tests can
write it as well. The parent never runs a test.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

PLAN = "SELFHEAL_SIEVE"
RED = 1
LATER = 2  # seconds of modification time between two versions: Python takes bytecode for what has the same second and size
LEAST_WORK, WORK = 0.3, 6  # seconds of computing that a version may take; times what the files take as they are
LEAST_WAIT, WAIT = 2.0, 10  # the same of waiting


def main(plan: str) -> bool:
    """Try all versions, then end this process; True in its children, which go on to pytest."""
    told = json.loads(Path(plan).read_bytes())
    root = Path(os.environ["SELFHEAL_ROOT"])
    loaded = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    work, wait_ = told["seconds"], told["seconds"]
    prepare()
    with Path(told["answers"]).open("a", encoding="ascii") as answers:
        for number, files in enumerate(told["versions"]):
            if loaded.intersection(str(root / path) for path in files):
                continue  # it would run as it was
            kept = write(root, files, number)
            began = time.monotonic()
            child = os.fork()
            if child == 0:
                become_quiet(work, keep_bytecode=number == 0)
                return True
            code, used = wait(child, wait_)
            if number == 0:  # the files as they are
                work = min(work, max(LEAST_WORK, WORK * used))
                wait_ = min(wait_, max(LEAST_WAIT, WAIT * (time.monotonic() - began)))
            for path, (data, times) in kept.items():
                path.write_bytes(data)
                os.utime(path, ns=times)
            answers.write(f"{number} {code}\n")
            answers.flush()
    os._exit(RED)


def prepare() -> None:
    """What every child would do again: import what pytest will, and look at all that is there for garbage."""
    os.environ["SELFHEAL_REPORTS"] = ""  # of single versions there is no report
    for name in ("faulthandler", "pdb"):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


def write(root: Path, files: dict[str, str], number: int) -> dict[Path, tuple[bytes, tuple[int, int]]]:
    """Write a version; what was there before, with its times."""
    kept = {}
    for name, text in files.items():
        path = root / name
        state = path.stat()
        kept[path] = (path.read_bytes(), (state.st_atime_ns, state.st_mtime_ns))
        path.write_bytes(bytes.fromhex(text))
        moment = time.time() + LATER * (number + 1)
        os.utime(path, (moment, moment))
    return kept


def become_quiet(work: float, *, keep_bytecode: bool) -> None:
    """The child: a process group of its own, limited work, no output, and no bytecode of a version."""
    os.setpgid(0, 0)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    if not keep_bytecode:
        sys.dont_write_bytecode = True
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    signal.setitimer(signal.ITIMER_PROF, work)


def wait(child: int, seconds: float) -> tuple[int, float]:
    """The exit code of a child and how long it computed; RED when it was killed, as it is when its time is over."""
    end = time.monotonic() + seconds
    while True:
        done, status, used = os.wait4(child, os.WNOHANG)
        if done or time.monotonic() > end:
            break
        time.sleep(0.002)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    if not done:
        os.waitpid(child, 0)
        return RED, seconds
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else RED
    return code, used.ru_utime + used.ru_stime


class Hasty:
    """Ends the child with the first test that does not pass: only tests that are to pass are run."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, call: Any) -> None:
        if call.excinfo is not None:
            os._exit(RED)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            os._exit(RED)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: Any) -> Any:
        yield
        os._exit(int(session.exitstatus))


if os.environ.get(PLAN) and main(os.environ.pop(PLAN)):

    def pytest_configure(config: Any) -> None:
        config.pluginmanager.register(Hasty(), "selfheal-hasty")
