"""A project that configures nothing, in CI: the forge says what failed, the workflow of the trusted revision what that is."""

from __future__ import annotations

import json
from pathlib import Path

from tests.builders import Files, a_repository, commit, git, put
from tests.e2e.test_heal import selfheal
from tests.jobs_api import serving

CI = ".github/workflows/ci.yml"
WORKFLOW = """\
on: push
jobs:
  docs: {{runs-on: ubuntu-latest, steps: [{{run: make check-docs}}]}}
  unit: {{runs-on: ubuntu-latest, steps: [{{name: Unit tests, run: {run}}}]}}
"""
GREEN: Files = {
    CI: WORKFLOW.format(run="make test"),
    "Makefile": "check-docs:\n\tfalse\ntest:\n\tpython3 -m unittest -q\n",
    "calc.py": "def add(a, b):\n    return a + b\n",
    "test_calc.py": "import unittest\nfrom calc import add\n\n\nclass Sums(unittest.TestCase):\n    def test_add(self):\n"
    "        self.assertEqual(add(2, 3), 5)\n",
}  # fmt: skip
FAILED = {
    "jobs": [
        {"name": "docs", "conclusion": "success", "steps": [{"name": "Run make check-docs", "conclusion": "success"}]},
        {"name": "unit", "conclusion": "failure", "steps": [{"name": "Unit tests", "conclusion": "failure"}]},
        {"name": "heal", "conclusion": None, "steps": []},
    ]
}


def test_the_step_that_failed_is_found_and_healed(tmp_path: Path) -> None:
    project = a_repository(tmp_path / "project", GREEN)
    trusted = git(project, "rev-parse", "HEAD")
    commit(project, {"calc.py": "def add(a, b):\n    return a - b\n", CI: WORKFLOW.format(run="touch /tmp/evil")})
    put(tmp_path, {"event.json": json.dumps({"before": trusted})})

    with serving(FAILED) as api:
        environ = {
            "GITHUB_ACTIONS": "true", "GITHUB_EVENT_PATH": str(tmp_path / "event.json"), "GITHUB_REF_NAME": "main",
            "GITHUB_REPOSITORY": "o/r", "GITHUB_RUN_ID": "17", "GITHUB_RUN_ATTEMPT": "1", "GITHUB_TOKEN": "read-token",
            "GITHUB_API_URL": api.url,
        }  # fmt: skip
        ended = selfheal(project, "heal", "--no-model", environ=environ)

    assert (ended.exit_code, ended.told["status"], ended.told["step"]) == (0, "healed", "unit"), ended.stderr
    assert f"nothing is configured: taking unit ({CI}:4); `selfheal init` writes it down" in ended.stderr
    assert "-    return a - b\n+    return a + b\n" in (ended.folder / "fix.patch").read_text()
