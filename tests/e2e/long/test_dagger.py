"""What takes longer on the Dagger engine: the demo, and what is said where a real engine was asked for and is not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.dagger_stub import Stub
from tests.e2e.test_heal import BIN

ROOT = Path(__file__).parent.parent.parent.parent


def test_the_demo_heals_and_publishes_on_dagger(tmp_path: Path) -> None:
    (tmp_path / "stub").mkdir()
    with Stub.serving(tmp_path / "stub") as stub:
        done = subprocess.run(
            [BIN / "selfheal", "demo", "--engine", "dagger"],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **stub.environ},
            capture_output=True,
            check=False,
            timeout=200,
        )
        executed = len(stub.executed)

    assert done.returncode == 0, done.stderr
    assert done.stdout.count(b"\npushed selfheal/tests-") == 2
    assert executed > 10


def test_a_real_engine_that_is_asked_for_and_missing_is_a_failure(tmp_path: Path) -> None:
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "a_failing_command and dagger"]
    done = subprocess.run(
        [*pytest, "tests/contract/test_engine.py", "--dagger"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "_EXPERIMENTAL_DAGGER_CLI_BIN": str(tmp_path / "none")},
        capture_output=True,
        check=False,
        timeout=100,
    )

    assert done.returncode == 1
    assert b"1 failed" in done.stdout
    assert b"does not start" in done.stdout
