"""A person at a terminal looks around in the sandbox."""

from __future__ import annotations

import os
import pty
import select
import signal
import tempfile
import time
from pathlib import Path

from tests.builders import a_repository
from tests.e2e.test_heal import BIN, BROKEN, GREEN, processes_with, selfheal


def typed(project: Path, lines: str, *words: str) -> tuple[int, str]:
    """The exit code of `selfheal shell`, and all that its terminal showed."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(project)
        os.execve(
            BIN / "selfheal", ["selfheal", "shell", *words], {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": "/nonexistent"}
        )
    shown, sent, deadline = b"", False, time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                shown += os.read(terminal, 4096)
            except OSError:
                break
        if not sent and b"sandbox $" in shown:
            os.write(terminal, lines.encode())
            sent = True
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()


def test_sees_what_a_step_sees_and_changes_nothing(tmp_path: Path) -> None:
    project = a_repository(tmp_path / "project", GREEN, BROKEN)

    code, shown = typed(project, "pwd; git log --format=%s; cat calc/core.py; echo gone > calc/core.py; exit 7\n")

    assert code == 7, shown
    assert str(project) in shown
    assert "The tree under repair" in shown
    assert "return a - b" in shown
    assert "return a - b" in (project / "calc/core.py").read_text()


def test_shows_the_tree_with_a_patch(tmp_path: Path) -> None:
    project = a_repository(tmp_path / "project", GREEN, BROKEN)
    assert selfheal(project, "heal", "--no-model").exit_code == 0

    code, shown = typed(project, "cat calc/core.py; exit 0\n", "--with", "selfheal-out/fix.patch")

    assert code == 0
    assert "return a + b" in shown


def test_a_patch_that_does_not_apply_is_said(tmp_path: Path) -> None:
    project = a_repository(tmp_path / "project", GREEN)
    (project / "odd.patch").write_text("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n")

    ended = selfheal(project, "shell", "--with", "odd.patch")

    assert ended.exit_code == 2
    assert "the patch does not apply" in ended.stderr


def test_a_healing_whose_terminal_is_closed_ends_and_leaves_nothing(tmp_path: Path) -> None:
    sleep = f"sleep 6{os.getpid()}"
    project = a_repository(tmp_path / "project", {**GREEN, ".selfheal.toml": f"[steps.a]\nrun = '{sleep}'\n"})
    with tempfile.TemporaryDirectory(prefix="selfheal-test-") as name:
        Path(name).chmod(0o755)
        env = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": "/nonexistent", "TMPDIR": name}
        pid, terminal = pty.fork()
        if pid == 0:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it would stay ignored
            os.chdir(project)
            os.execve(BIN / "selfheal", ["selfheal", "heal", "--no-model"], env)
        deadline = time.monotonic() + 30
        while not processes_with(sleep) and time.monotonic() < deadline:
            time.sleep(0.05)

        os.close(terminal)
        os.waitpid(pid, 0)

        assert (list(Path(name).iterdir()), processes_with(sleep)) == ([], [])
