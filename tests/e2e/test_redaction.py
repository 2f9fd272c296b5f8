"""A known and an unknown secret in a real healing: code, test, failure, log and the model's words are full of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.builders import Files, a_repository, branches, git
from tests.e2e.test_heal import Ended, selfheal
from tests.messages_api import MessagesServer, a_fix, proposes

KNOWN = "quartz/Violin-27+otter"  # kept in ~/.netrc
UNKNOWN = "gh" + "p_" + "Zk7qWd3Rb9xVt2Ym5pLs8cNf4hJg6uTe1AoB"
KEY = "sk-" + "ant-loopback-0123456789"
BOTH = f"{KNOWN} {UNKNOWN}"
FORMS: tuple[Callable[[str], str], ...] = (
    str,
    lambda value: quote(value, safe=""),
    lambda value: base64.b64encode(value.encode()).decode().rstrip("="),
    lambda value: value.encode().hex(),
    lambda value: value[::-1],
)
SPELLED = " ".join(form(KNOWN) for form in FORMS)
SOURCE = f'KEYS = "{BOTH}"  # to be kept as it is\n\n\ndef double(a):\n    return 3 * a\n'
GREEN: Files = {
    "calc.py": SOURCE.replace("3 * a", "2 * a"),
    "tests/test_calc.py": (
        f'import sys\n\nimport pytest\n\nfrom calc import double\n\nSAID = "{SPELLED} {UNKNOWN}"\n\n\n'
        f'@pytest.mark.parametrize("key", ["{UNKNOWN}"])\n'
        "def test_double(key):\n    print(SAID, file=sys.stderr)\n    assert double(2) == 4, SAID\n"
    ),
    ".selfheal.toml": '[steps.tests]\nrun = "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest -q"\n',
}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".netrc").write_text(f"machine example.com login ada password {KNOWN}\n")
    summary = {"GITHUB_ACTIONS": "true", "GITHUB_REF_NAME": "main", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    return {"HOME": str(home), "ANTHROPIC_API_KEY": KEY, **summary}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return a_repository(tmp_path / "project", GREEN, {"calc.py": SOURCE}, remote=tmp_path / "origin.git")


def healed(project: Path, environ: Mapping[str, str], answer: Mapping[str, object]) -> tuple[Ended, str]:
    """What became of it, and all that the model was sent. The configuration is named: nothing in CI is trusted else."""
    with MessagesServer([proposes(answer)]) as server:
        asked = ("heal", "-v", "--json", "--ladder", "model", "--max-attempts", "1", "--config", ".selfheal.toml")
        ended = selfheal(project, *asked, environ={**environ, "ANTHROPIC_BASE_URL": server.url})
    return ended, json.dumps([request.body for request in server.requests], ensure_ascii=False)


def leaks(text: str) -> list[str]:
    return [form for form in (UNKNOWN, KEY, *(form(KNOWN) for form in FORMS)) if form in text]


def test_no_exit_lets_a_secret_out_and_the_fix_keeps_them_in_the_code(
    project: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    shown = SOURCE.replace(KNOWN, "<secret:netrc:1>").replace(UNKNOWN, "<secret:github_token:1>")  # as the model sees it
    fix = a_fix("calc.py", shown, shown.replace("3 * a", "2 * a")) | {"root_cause": f"It is {BOTH}."}

    ended, sent = healed(project, environ, fix)
    published = selfheal(project, "publish", "--config", ".selfheal.toml", environ=environ)

    assert (ended.exit_code, published.exit_code) == (0, 0), ended.stderr + published.stderr
    made = next(name for name in branches(tmp_path / "origin.git") if name.startswith("selfheal/"))
    exits = {
        "the model": sent,
        "standard output": ended.stdout,
        "standard error": ended.stderr,
        "summary": (tmp_path / "summary.md").read_text(),
        "publish": published.stdout + published.stderr,
        "commit message": git(tmp_path / "origin.git", "log", "-1", "--format=%B", made),
        **{str(path.relative_to(ended.folder)): path.read_text() for path in ended.folder.rglob("*") if path.is_file()},
    }
    assert {name: leaked for name, text in exits.items() if name != "fix.patch" and (leaked := leaks(text))} == {}
    for name in ("the model", "report.md", "heal.json", "events.jsonl", "attempts/1/prompt.txt", "attempts/1/reply.txt"):
        assert "<secret:netrc:1>" in exits[name], name
        assert "<secret:github_token:1>" in exits[name], name
    assert any(name.startswith("logs/") and "<secret:netrc:" in text for name, text in exits.items())
    assert git(tmp_path / "origin.git", "show", f"{made}:calc.py") == SOURCE.replace("3 * a", "2 * a").rstrip("\n")
