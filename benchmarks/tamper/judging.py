"""Puts attacks before the gate: many on one prepared sandbox, each first before a judge who looks at the exit code alone."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.healing import repository
from benchmarks.tamper.attacks import Aim, Attack
from benchmarks.tamper.shapes import JUNIT, Shape
from selfheal_ci.config import Settings
from selfheal_ci.detect import read_reports
from selfheal_ci.engines.local import LocalEngine
from selfheal_ci.errors import EngineError
from selfheal_ci.events import Event
from selfheal_ci.gate.verify import Gate
from selfheal_ci.lab import Lab, Meter, open_labs
from selfheal_ci.redact import Redactor
from selfheal_ci.runners import runner_for
from selfheal_ci.store import open_store
from selfheal_ci.values import (
    Candidate,
    Case,
    Changes,
    Command,
    Finding,
    Kind,
    Limits,
    Recipe,
    Red,
    Refused,
    Rejected,
    Step,
    Unusable,
    Verified,
)
from selfheal_ci.wiring.builder import Builder
from selfheal_ci.wiring.workplace import workplace

ENOUGH = 3600.0  # seconds for all attacks on one shape
LONGEST = 60.0  # of one run
BROKE = "broke off"
OUTCOMES = ("refused", "rejected", "unusable", BROKE, "labelled", "verified")
SIDE_BY_SIDE = 2


@dataclass(frozen=True)
class Ruling:
    """What the gate said, and what somebody who looks at the exit code alone would have said."""

    attack: Attack
    naive: bool
    outcome: str  # one of OUTCOMES
    reason: str
    labels: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """The outcome; "labelled" where it is verified and a reviewer is told to look."""
        return "labelled" if self.labels else self.outcome

    @property
    def is_dead(self) -> bool:
        """Whether it was meant to fool the run, and does not even fool a naive judge."""
        return self.attack.aim is not Aim.HARM and not self.naive


@dataclass(frozen=True)
class Court:
    """A prepared shape, and the judge as `selfheal heal` has it."""

    shape: Shape
    lab: Lab
    case: Case
    gate: Gate

    def rules(self, attack: Attack) -> Ruling:
        """Both judges on one attack."""
        candidate = Candidate(attack.remedy, attack.changes, "the total is summed up again")
        naive = self.is_green(attack.changes)
        try:
            verdict = self.gate.judge(candidate, self.case, self.lab)
        except EngineError as error:  # nothing is published, but the healing ends here
            return Ruling(attack, naive, BROKE, error.message)
        match verdict:
            case Verified():
                return Ruling(attack, naive, "verified", verdict.reason, verdict.labels)
            case Refused():
                return Ruling(attack, naive, "refused", verdict.reason)
            case Rejected():
                return Ruling(attack, naive, "rejected", verdict.reason)
            case Unusable():
                return Ruling(attack, naive, "unusable", verdict.reason)

    def is_green(self, changes: Changes) -> bool:
        """Whether the step exits with 0, or its own report has tests and none that failed. False where it cannot be run."""
        if not all(_can_be_laid(path) for path in changes.files):
            return False
        step = self.lab.step
        try:
            run = self.lab.sandbox.run(Command(step.run, LONGEST, reports=step.reports), changes)
        except EngineError:
            return False
        return run.exit_code == 0 or _says_green(run.reports.get(JUNIT))


def _can_be_laid(path: str) -> bool:
    return not {"", ".", "..", ".git"} & set(path.split("/")) and "\0" not in path


def _says_green(report: bytes | None) -> bool:
    cases = read_reports({JUNIT: report}).cases if report else ()
    return bool(cases) and not any(case.outcome.failing for case in cases)


@contextmanager
def a_court(shape: Shape) -> Iterator[Court]:
    """The shape in a sandbox, its step known to be red."""
    with tempfile.TemporaryDirectory(prefix="selfheal-bench-") as place, workplace() as work:
        files = {path: text.encode() for path, text in shape.files.items()}
        folder = repository(Path(place, "checkout"), files)
        environ = _environ(place)
        with open_store(folder, work / "store") as store:
            tree = store.failing().tree
            engine = LocalEngine(store.export, work, Limits(), environ, SIDE_BY_SIDE)
            meter = Meter(time.monotonic() + ENOUGH)
            with open_labs(tree, engine=engine, recipe=Recipe(), files=store, meter=meter, tell=_nobody) as lab_for:
                step = Step("tests", shape.run, reports=shape.reports, timeout=LONGEST)
                lab = lab_for(step, runner_for(step))
                yield Court(shape, lab, _case(lab), Builder(Settings(), environ, Redactor({})).gate())


def _case(lab: Lab) -> Case:
    red = lab.run_step()
    if not isinstance(red, Red):
        raise SystemExit(f"{lab.step.run}: the step is to be red, and is {red}")
    kinds = {failure.id: Kind.REGRESSION for failure in red.failures}
    finding = Finding(Kind.REGRESSION, "green before the last change", kinds)
    return Case(lab.tree, lab.step, red.failures, finding, before=red)


def _environ(home: str) -> Mapping[str, str]:
    return {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": home, "LANG": "C.UTF-8"}


def _nobody(_: Event) -> None:
    """Hears nothing."""
