"""The whole line with a ledger: a cap for the day, a green revision from an earlier healing, flaky tests, what breaks."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import a_repository, commit, git
from tests.e2e.test_heal import BROKEN, GREEN, selfheal

STEP = "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest -q"
CAPPED = f'[steps.tests]\nrun = "{STEP}"\n[model]\nmax-cost-usd-per-day = 0.05\n'
NO_FIX = {"verdict": "cannot_fix", "usage": {"input_tokens": 1_000, "output_tokens": 1_000}}
PASSWORD = "hunter-22-of-the-ledger"


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/ledger.db"


def capped(path: Path) -> Path:
    return a_repository(path, {**GREEN, ".selfheal.toml": CAPPED}, BROKEN)


def a_script(path: Path) -> str:
    path.write_text(json.dumps({"replies": [NO_FIX], "prices": [10, 20]}))
    return f"scripted:{path}"


def test_the_second_healing_of_a_day_stops_at_the_days_cap(tmp_path: Path, ledger: str) -> None:
    words = ("heal", "--ladder", "model", "--ledger", ledger, "--model", a_script(tmp_path / "script.json"))

    first = selfheal(capped(tmp_path / "one"), *words)
    second = selfheal(capped(tmp_path / "two"), *words)

    assert (first.exit_code, first.told["cost"]["usd"]) == (1, 0.03), first.stderr
    assert (second.exit_code, second.told["status"], second.told["cost"]["usd"]) == (6, "over_budget", 0), second.stderr
    assert (
        "asking scripted may cost $0.0325, and $0.0200 of $0.0500 are left today (UTC): "
        "wait, or raise model.max-cost-usd-per-day"
    ) in second.stderr
    assert "model.max-cost-usd-per-day" in (second.folder / "report.md").read_text()


def test_a_cap_for_the_day_needs_a_ledger(tmp_path: Path) -> None:
    ended = selfheal(capped(tmp_path / "project"), "heal")

    assert ended.exit_code == 2
    assert "`model.max-cost-usd-per-day` is set and `ledger` is not" in ended.stderr
    assert "SELFHEAL_LEDGER" in ended.stderr
    assert ended.told["status"] == "error"


def test_a_healthy_run_makes_the_next_ones_green_revision(tmp_path: Path, ledger: str) -> None:
    project = a_repository(tmp_path / "project", GREEN)
    green = git(project, "rev-parse", "HEAD")

    selfheal(project, "heal", "--no-model", environ={"SELFHEAL_LEDGER": ledger})
    commit(project, BROKEN)
    commit(project, {"notes.txt": "unrelated\n"})
    healed = selfheal(project, "heal", "--no-model", environ={"SELFHEAL_LEDGER": ledger})
    assert (healed.exit_code, healed.told["status"]) == (0, "healed"), healed.stderr
    assert healed.told["source"]["base"] == {"commit": green, "attested_by": "ledger"}

    named = selfheal(project, "heal", "--no-model", "--base", "HEAD~1", "--ledger", ledger)
    assert named.told["source"]["base"]["attested_by"] == "option"


def test_what_fails_on_a_remembered_green_commit_too_is_the_environments_fault(tmp_path: Path, ledger: str) -> None:
    test = "import pathlib\n\n\ndef test_up():\n    assert pathlib.Path('.venv/up').exists()\n"
    project = a_repository(tmp_path / "project", {**GREEN, "tests/test_up.py": test, ".gitignore": ".venv\n"})
    (project / ".venv").mkdir()
    (project / ".venv/up").touch()

    selfheal(project, "heal", "--no-model", "--ledger", ledger)
    (project / ".venv/up").unlink()
    commit(project, {"notes.txt": "unrelated\n"})
    ended = selfheal(project, "heal", "--no-model", "--ledger", ledger)

    assert (ended.exit_code, ended.told["status"]) == (4, "environment"), ended.stderr
    assert "says the ledger" in (ended.folder / "report.md").read_text()


def test_a_confirmed_green_revision_is_where_the_next_search_begins(tmp_path: Path, ledger: str) -> None:
    project = a_repository(tmp_path / "project", GREEN)
    green = git(project, "rev-parse", "HEAD")
    commit(project, BROKEN)

    selfheal(project, "diagnose", "--ledger", ledger)
    for number in range(3):
        commit(project, {"notes.txt": f"{number}\n"})
    ended = selfheal(project, "diagnose", "--ledger", ledger)

    assert ended.told["source"]["base"] == {"commit": green, "attested_by": "guess"}


def test_a_rewritten_history_is_passed_over(tmp_path: Path, ledger: str) -> None:
    project = a_repository(tmp_path / "project", GREEN)
    selfheal(project, "heal", "--no-model", "--ledger", ledger)
    git(project, "commit", "--quiet", "--amend", "--message", "another name")
    commit(project, BROKEN)

    ended = selfheal(project, "heal", "--no-model", "--ledger", ledger)

    assert ended.exit_code == 0, ended.stderr
    assert ended.told["source"]["base"]["attested_by"] == "guess"


def test_a_ledger_that_is_a_file_of_the_repository_is_refused(tmp_path: Path) -> None:
    project = a_repository(tmp_path / "project", {**GREEN, "empty": ""})

    ended = selfheal(project, "heal", "--ledger", "sqlite:///empty")

    assert ended.exit_code == 2
    assert "is a file of the repository" in ended.stderr
    assert (project / "empty").read_bytes() == b""


@pytest.mark.parametrize("how", ["flag", "variable"])
def test_the_password_of_a_ledger_is_nowhere(tmp_path: Path, how: str) -> None:
    files = {**GREEN, "tests/test_core.py": f"def test_leak():\n    assert '{PASSWORD}' == ''\n"}
    project = a_repository(tmp_path / "project", files)
    address = f"postgresql://ada:{PASSWORD}@127.0.0.1:1/ledger"
    words, environ = (("--ledger", address), {}) if how == "flag" else ((), {"SELFHEAL_LEDGER": address})

    ended = selfheal(project, "-v", "heal", *words, environ=environ)

    assert ended.exit_code == 2
    assert "the ledger on 127.0.0.1:1 does not answer" in ended.stderr
    assert "see that the server runs" in ended.stderr
    written = b"".join(path.read_bytes() for path in ended.folder.rglob("*") if path.is_file())
    assert PASSWORD not in ended.stderr + ended.stdout
    assert PASSWORD.encode() not in written


def test_a_ledger_that_breaks_in_the_middle_ends_no_healing_and_lets_nothing_be_spent(tmp_path: Path, ledger: str) -> None:
    project = capped(tmp_path / "project")
    words = ("heal", "--ladder", "model", "--ledger", ledger, "--model", a_script(tmp_path / "script.json"))
    selfheal(project, *words)
    with sqlite3.connect(tmp_path / "ledger.db") as broken:
        broken.execute("DROP TABLE selfheal_days")
        broken.execute("CREATE VIEW selfheal_days AS SELECT 1 AS day")

    ended = selfheal(project, *words)

    assert (ended.exit_code, ended.told["status"]) == (7, "error"), ended.stderr
    assert "nobody can tell what is left of model.max-cost-usd-per-day: the ledger" in ended.stderr
    assert ended.told["cost"]["usd"] == 0


def test_help_and_a_healing_without_a_ledger_import_no_sqlalchemy() -> None:
    code = (
        "import sys, selfheal_ci.cli, selfheal_ci.wiring, selfheal_ci.wiring.builder; sys.exit('sqlalchemy' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_the_extra_the_message_names_it(tmp_path: Path, ledger: str) -> None:
    (tmp_path / "shadow").mkdir()
    (tmp_path / "shadow/sqlalchemy.py").write_text("raise ModuleNotFoundError('gone', name='sqlalchemy')\n")
    project = a_repository(tmp_path / "project", GREEN)

    ended = selfheal(project, "heal", "--ledger", ledger, environ={"PYTHONPATH": str(tmp_path / "shadow")})

    assert ended.exit_code == 2
    assert "a ledger needs sqlalchemy\n  pip install 'selfheal-ci[ledger]'" in ended.stderr
