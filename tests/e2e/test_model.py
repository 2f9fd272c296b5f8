"""The whole line with a model behind a real HTTP server on loopback: what only a model can heal, and what faults end in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import Files, a_repository, put
from tests.e2e.test_heal import GREEN, Ended, selfheal
from tests.messages_api import Answer, MessagesServer, a_proposal, declines, fails, proposes, raw, says

KEY = "sk-ant-loopback-0123456789"
# A test asks for a feature that is not there yet: nothing can be reverted, and the fix is spread over two files.
WANTED: Files = {
    "tests/test_mean.py": "from calc import mean\n\n\ndef test_mean():\n    assert mean([1, 2, 6]) == 3\n",
    "README.md": "calc\n",
}
CORE = "def double(a):\n    return 2 * a\n"
WRONG = {"path": "calc/core.py", "old_str": CORE, "new_str": f"{CORE}\n\ndef mean(a):\n    return sum(a) / 2\n"}
RIGHT = {"path": "calc/core.py", "old_str": CORE, "new_str": f"{CORE}\n\ndef mean(a):\n    return sum(a) / len(a)\n"}
EXPORT = {"path": "calc/__init__.py", "old_str": "# sums\n", "new_str": "# sums\nfrom calc.core import mean as mean\n"}


@pytest.fixture
def wanting(tmp_path: Path) -> Path:
    return a_repository(tmp_path / "project", {**GREEN, "calc/__init__.py": "# sums\n"}, WANTED)


def asked(project: Path, *answers: Answer, words: tuple[str, ...] = ()) -> tuple[Ended, list[str]]:
    """What became of it, and the text of each request's messages."""
    with MessagesServer(answers) as server:
        environ = {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": KEY}
        ended = selfheal(project, "heal", "--ladder", "model", *words, environ=environ)
    return ended, [str(request.body["messages"]) for request in server.requests]


def test_the_second_attempt_is_told_what_the_first_got_wrong_and_heals(wanting: Path) -> None:
    ended, prompts = asked(wanting, proposes(a_proposal(edits=[WRONG, EXPORT])), proposes(a_proposal(edits=[RIGHT, EXPORT])))

    assert (ended.exit_code, ended.told["status"]) == (0, "healed"), ended.stderr
    assert [attempt["verdict"] for attempt in ended.told["attempts"]] == ["rejected", "verified"]
    assert {file["path"] for file in ended.told["patch"]["files"]} == {"calc/core.py", "calc/__init__.py"}
    assert "assert 4.5 == 3" in prompts[1]
    assert ended.told["cost"]["calls"] == 2
    assert ended.told["cost"]["usd"] == pytest.approx(2 * (1000 * 2 + 200 * 10) / 1e6)
    assert (ended.folder / "attempts/1/prompt.txt").is_file()
    written = b"".join(path.read_bytes() for path in ended.folder.rglob("*") if path.is_file())
    assert KEY.encode() not in written


def test_an_edit_that_does_not_apply_gets_one_correction(wanting: Path) -> None:
    astray = {"path": "calc/core.py", "old_str": "def triple(a):\n", "new_str": "x"}

    ended, prompts = asked(
        wanting,
        proposes(a_proposal(edits=[astray])),
        proposes(a_proposal(edits=[RIGHT, EXPORT])),
        words=("--max-attempts", "1"),
    )

    assert ended.exit_code == 0, ended.stderr
    assert len(prompts) == 2


def test_the_cap_on_money_holds(wanting: Path) -> None:
    ended, prompts = asked(wanting, words=("--max-cost-usd", "0.001"))

    assert (ended.exit_code, ended.told["status"]) == (6, "over_budget")
    assert prompts == []


def test_an_edit_of_a_test_is_refused_and_kept_as_a_suggestion(wanting: Path) -> None:
    weak = {"path": "tests/test_mean.py", "old_str": "from calc import mean", "new_str": "mean = lambda a: 3"}

    ended, _ = asked(wanting, *[proposes(a_proposal(edits=[weak]))] * 3)

    assert (ended.exit_code, ended.told["status"]) == (5, "refused")
    assert (ended.folder / "suggestion.patch").is_file()
    assert not (ended.folder / "fix.patch").exists()


ENDINGS = {
    "an honest no": ([declines("test_is_wrong")], 1, "not_healed"),
    "cannot fix": ([declines("cannot_fix")], 1, "not_healed"),
    "nonsense": ([says("Good morning!")] * 6, 1, "not_healed"),
    "a page of HTML": ([raw(b"<html>")] * 3, 1, "not_healed"),
    "a refused key": ([fails(401, "authentication_error")], 2, "error"),
    "an unknown model": ([fails(404, "not_found_error")], 2, "error"),
    "a spent account": ([fails(402, "billing_error")], 6, "over_budget"),
    "an outage": ([fails(529, "overloaded_error", retry_after="0")] * 6, 7, "error"),
}


@pytest.mark.parametrize(("answers", "code", "status"), ENDINGS.values(), ids=ENDINGS.keys())
def test_what_the_service_does_ends_in_a_documented_exit_code(
    wanting: Path, answers: list[Answer], code: int, status: str
) -> None:
    ended, _ = asked(wanting, *answers)

    assert (ended.exit_code, ended.told["status"]) == (code, status), ended.stderr


def test_without_the_model_the_rest_of_the_ladder_still_heals(tmp_path: Path) -> None:
    project = a_repository(
        tmp_path / "project", GREEN, {"calc/core.py": str(GREEN["calc/core.py"]).replace("a + b", "a - b")}
    )
    put(project, {"notes.txt": "unrelated\n"})
    with MessagesServer([fails(401, "authentication_error")]) as server:
        environ = {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": KEY}
        ended = selfheal(project, "heal", environ=environ)

    assert ended.exit_code == 0, ended.stderr
    assert KEY not in ended.stderr
