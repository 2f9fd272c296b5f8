"""Any command: Python's tests in it report through modules of ours, whatever starts them; else the exit code counts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from importlib import resources

from selfheal_ci.detect import read_reports, result
from selfheal_ci.runners import pytest
from selfheal_ci.runners.canary import planted
from selfheal_ci.runners.line import ROOT_FILE, root_of, step_line
from selfheal_ci.runners.trace import TRACES, read_lines
from selfheal_ci.values import REPORTS, SUPPORT, Command, Line, Planted, Result, Run, Step

SELECTION = "selfheal-select.json"
OURS = ("selfheal-pytest-", "selfheal-unittest-")  # how the reports of our modules begin
START = "sitecustomize"  # what Python imports by itself

_PATH = f'PYTHONPATH="{SUPPORT}${{PYTHONPATH:+:$PYTHONPATH}}"; export PYTHONPATH'
_PATH_IS_SET = re.compile(r"(?<![\w$])PYTHONPATH=")


class PythonRunner:
    """Knows pytest and unittest. Of other tools only what they print, and the JUnit files that the step names."""

    name = "python"

    def recognise(self, command: str) -> bool:
        return True  # make, tox, a script: what they start is seen when they run

    def command(self, step: Step, ids: Collection[str] | None = None) -> Command:
        env = {"SELFHEAL_REPORTS": REPORTS}
        support = _shipped()
        if ids is not None and not any(id_.startswith("step:") for id_ in ids):
            env["SELFHEAL_SELECT"] = f"{SUPPORT}/{SELECTION}"
            support[SELECTION] = json.dumps(sorted(ids)).encode()
        line = f"{_PATH}\n{_PATH_IS_SET.sub(f'PYTHONPATH={SUPPORT}:', step_line(step))}"
        return Command(
            line, step.timeout, env, reports=step.reports, support=support, network=step.network, services=step.services
        )

    def traced(self, step: Step, ids: Collection[str] | None = None) -> Command:
        command = self.command(step, ids)
        return replace(command, env={**command.env, "SELFHEAL_TRACE": "1"})

    def lines(self, run: Run, paths: Collection[str]) -> Mapping[str, frozenset[Line]]:
        return read_lines(run.reports, paths)

    def canary(self, ids: Collection[str], read: Callable[[str], bytes | None]) -> Planted | None:
        return planted(ids, read)

    def read(self, run: Run, step: Step) -> Result:
        told = {name: data for name, data in run.reports.items() if name != ROOT_FILE and not name.startswith(TRACES)}
        ours = {name: data for name, data in told.items() if name.startswith(OURS)}
        reports = read_reports(ours or told, root_of(run.reports))
        known, wrote = pytest.starts_pytest(step.run), bool(ours)
        why = pytest.why(run, reports, known=known, wrote=wrote)
        return result(run, step, reports, expected=bool(step.reports) or (known and wrote), why=why)


def _shipped() -> dict[str, bytes]:
    """What SUPPORT holds. Only the module that Python imports by itself can be imported by others."""
    folder = resources.files("selfheal_ci.runners").joinpath("shipped")
    files = {file.name.removesuffix(".py"): file for file in folder.iterdir() if file.name.endswith(".py")}
    return {f"{name}.py" if name == START else name: file.read_bytes() for name, file in sorted(files.items())}
