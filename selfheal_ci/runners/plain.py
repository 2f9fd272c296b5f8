"""Any command: its exit code, the JUnit files the step names, and what it prints."""

from __future__ import annotations

from collections.abc import Collection

from selfheal_ci.detect import read_reports, result
from selfheal_ci.runners.line import ROOT_FILE, root_of, step_line
from selfheal_ci.values import Command, Result, Run, Step


class PlainRunner:
    """Knows nothing of the tool, so single tests cannot be run: the whole step is."""

    name = "plain"

    def recognise(self, command: str) -> bool:
        return True

    def command(self, step: Step, ids: Collection[str] | None = None) -> Command:
        return Command(step_line(step), step.timeout, reports=step.reports, network=step.network)

    def read(self, run: Run, step: Step) -> Result:
        reports = {name: data for name, data in run.reports.items() if name != ROOT_FILE}
        return result(run, step, read_reports(reports, root_of(run.reports)), expected=bool(step.reports))
