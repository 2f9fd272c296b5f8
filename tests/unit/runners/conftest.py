"""A small project in a folder, whose steps are run for real: with what the runner asks for, in a bare environment."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from selfheal_ci.ports import Tracer
from selfheal_ci.runners import runner_for
from selfheal_ci.values import REPORTS, SUPPORT, Command, Line, Output, Result, Run, Step, Stop

# The Python whose pytest is run; another one to see whether the plugin bears with an old one.
PYTHON = os.environ.get("SELFHEAL_TEST_PYTHON", sys.executable)


@dataclass
class Project:
    root: Path
    aside: Path

    def write(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(textwrap.dedent(text), encoding="utf-8", errors="surrogateescape")

    def run(self, command: str, ids: Collection[str] | None = None, *, reports: tuple[str, ...] = ()) -> Result:
        step = Step("tests", self.line(command), reports=reports, timeout=180)
        runner = runner_for(step)
        return runner.read(self.sandbox(runner.command(step, ids)), step)

    def trace(self, command: str, ids: Collection[str] | None, paths: Collection[str]) -> Mapping[str, frozenset[Line]]:
        step = Step("tests", self.line(command), timeout=180)
        runner = runner_for(step)
        assert isinstance(runner, Tracer)
        return runner.lines(self.sandbox(runner.traced(step, ids)), paths)

    def line(self, command: str) -> str:
        return command.replace("@python", PYTHON)

    def sandbox(self, command: Command) -> Run:
        """Runs without isolation what engines run in a sandbox: these tests are about the tool."""
        here = self.aside / str(time.monotonic_ns())
        support, reports = here / "support", here / "reports"
        support.mkdir(parents=True)
        reports.mkdir()
        for name, data in command.support.items():
            (support / name).write_bytes(data)

        def mapped(text: str) -> str:
            return text.replace(SUPPORT, str(support)).replace(REPORTS, str(reports))

        env = {"PATH": os.environ["PATH"], "HOME": str(here), "LANG": "C.UTF-8"}
        env |= {name: mapped(value) for name, value in command.env.items()}
        ended = subprocess.run(
            ["sh", "-c", mapped(command.shell)],
            cwd=self.root,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=command.timeout,
            check=False,
        )
        found = {path.name: path.read_bytes() for path in reports.iterdir()}
        for glob in command.reports:
            found |= {str(path.relative_to(self.root)): path.read_bytes() for path in self.root.glob(glob)}
        output = mapped_back(ended.stdout, support)
        return Run(command.shell, Stop.EXITED, ended.returncode, Output(tail=output), 0.1, found)


def mapped_back(output: bytes, support: Path) -> bytes:
    return output.replace(bytes(support), SUPPORT.encode())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "tree"
    root.mkdir()
    return Project(root, tmp_path / "aside")
