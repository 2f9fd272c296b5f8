"""action.yml as a runner runs it: on a project that is broken, from the failure to the branch."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.action_runner import Job, installed, run_action
from tests.builders import Files, a_repository, branches, git
from tests.e2e.test_heal import BIN, BROKEN, GREEN

CRAFTED: Files = {
    **BROKEN,
    "tests/test_core.py": (
        "import sys\nfrom calc.core import add\n\n\ndef test_add():\n"
        "    print('::error::obeyed')\n    print('\\n  ::add-mask::obeyed')\n"
        "    assert add(2, 3) == 5, '\\n::set-output name=healed::true\\n::error file=a.py,line=1::obeyed'\n"
    ),
}


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    return tmp_path / "remote.git"


def acted(project: Path, tmp_path: Path, **inputs: str) -> Job:
    temporary = tmp_path / "runner"
    if not temporary.exists():
        installed(temporary, BIN / "selfheal")
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"before": git(project, "rev-parse", "HEAD~1").strip()}))
    environ = {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": os.environ["XDG_CACHE_HOME"],
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_REF_NAME": "main",
    }
    return run_action(project, temporary, {name.replace("_", "-"): value for name, value in inputs.items()}, environ)


def test_both_in_one_step_end_with_a_branch_and_tell_the_job(tmp_path: Path, remote: Path) -> None:
    project = a_repository(tmp_path / "project", GREEN, BROKEN, remote=remote)

    job = acted(project, tmp_path, mode="both", no_model="true", remote=str(remote))

    assert job.exit_code == 0, job.log
    assert {name: job.outputs[name] for name in ("conclusion", "healed", "classification", "attempts", "remedy")} == {
        "conclusion": "healed", "healed": "true", "classification": "regression", "attempts": "0", "remedy": "shrunk-revert",
    }  # fmt: skip
    assert float(job.outputs["confidence"]) > 0.9
    assert job.outputs["cost-usd"] in ("0", "0.0")
    assert (project / job.outputs["patch-file"]).read_bytes().count(b"diff --git") == 1
    assert job.outputs["branch"] in branches(remote)
    assert job.summary.startswith("## selfheal: healed")
    (error,) = [(where, said) for name, where, said in job.commands if name == "error"]
    assert error[0]["file"] == "tests/test_core.py"
    assert "test_add" in error[0]["title"]


def test_two_jobs_share_nothing_but_the_folder(tmp_path: Path, remote: Path) -> None:
    project = a_repository(tmp_path / "project", GREEN, BROKEN, remote=remote)

    healed = acted(project, tmp_path, no_model="true")
    assert (healed.exit_code, healed.outputs["healed"], healed.outputs["branch"]) == (0, "true", "")
    assert [name for name in branches(remote) if name.startswith("selfheal/")] == []

    published = acted(project, tmp_path, mode="publish", remote=str(remote))
    assert published.exit_code == 0, published.log
    assert published.outputs["branch"] in branches(remote)


def test_what_tests_print_is_no_command_and_no_output(tmp_path: Path) -> None:
    project = a_repository(tmp_path / "project", GREEN, CRAFTED)

    job = acted(project, tmp_path, no_model="true", ladder="fixer")

    assert job.outputs["healed"] == "false"
    assert {name for name, _, _ in job.commands} <= {"group", "endgroup", "error"}
    for name, where, said in job.commands:
        if name == "error":
            assert where["file"] == "tests/test_core.py"
            assert "\n" not in said


def test_an_error_is_told_to_the_job_too(tmp_path: Path) -> None:
    project = a_repository(tmp_path / "project", GREEN, BROKEN)

    job = acted(project, tmp_path, step="absent")

    assert job.exit_code == 2
    assert job.outputs["conclusion"] == "error"
    assert job.summary.startswith("## selfheal: broke off")
