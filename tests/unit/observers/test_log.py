from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from selfheal_ci.events import Asked, Diagnosed, Event, Executed, Finished, Judged, Prepared, Ran, Warned
from selfheal_ci.observers.log import EventLog
from selfheal_ci.redact import Redactor
from selfheal_ci.values import Cost, Green, Output, Red, Run, Status, Stop, Unclear
from tests.healings import FAILURE, FINDING, VERIFIED, a_healing

SECRET = "hunter2-'hunter2'"
RUN = Run(f"curl {SECRET}", Stop.EXITED, 1, Output(f"ok\n\x1b[31m{SECRET}\n".encode()), 0.84)
EVENTS: list[Event] = [
    Prepared(3, 0.1),
    Ran("the step", Red(RUN, frozenset({"a", "b"}), (FAILURE,))),
    Ran(f"1 test {SECRET}", Green(RUN, frozenset({"a"}))),
    Ran("2 tests", Unclear(RUN, "timeout")),
    Executed(RUN),
    Diagnosed(FINDING),
    Judged(VERIFIED),
    Asked(1, "claude", Cost(1, 10, 2), f"prompt {SECRET}", f"reply {SECRET}"),
    Warned(SECRET),
    Finished(a_healing(Status.HEALED)),
]


def log(folder: Path, events: list[Event], **more: int) -> list[dict[str, object]]:
    observer = EventLog(folder, Redactor({"KEY": SECRET}), **more)
    for event in events:
        observer(event)
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def test_keeps_every_event(tmp_path: Path) -> None:
    lines = log(tmp_path, EVENTS)

    assert [line["event"] for line in lines] == [type(event).__name__ for event in EVENTS]
    assert lines[1] | {"at": 0} == {
        "event": "Ran",
        "at": 0,
        "what": "the step",
        "result": "red",
        "passed": 2,
        "failed": 1,
        "failures": [{"id": FAILURE.id, "fingerprint": FAILURE.fingerprint, "message": FAILURE.message}],
        "shell": "curl <secret:KEY:1>",
        "stop": "exited",
        "exit_code": 1,
        "seconds": 0.84,
        "log": "logs/001-the-step.txt",
    }


def test_redacts_everything_and_shows_it_to_the_owner_alone(tmp_path: Path) -> None:
    log(tmp_path, EVENTS)

    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert {str(file.relative_to(tmp_path)) for file in files} == {
        "events.jsonl",
        "logs/001-the-step.txt",
        "logs/002-1-test-secret-key-1.txt",
        "logs/003-2-tests.txt",
        "logs/004-command.txt",
        "attempts/1/prompt.txt",
        "attempts/1/reply.txt",
    }
    assert [file for file in files if b"hunter2" in file.read_bytes()] == []
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_keeps_a_correction_beside_the_first_try(tmp_path: Path) -> None:
    lines = log(tmp_path, [Asked(1, "claude", Cost(), "one", "1"), Asked(1, "claude", Cost(), "two", "2")])

    assert lines[1]["files"] == ["attempts/1/prompt-2.txt", "attempts/1/reply-2.txt"]
    assert (tmp_path / "attempts/1/prompt.txt").read_text() == "one"
    assert (tmp_path / "attempts/1/reply-2.txt").read_text() == "2"


@pytest.mark.parametrize(
    ("output", "most", "kept"),
    [
        (Output(b"a\nb"), 100, "a\nb"),
        (Output(b"a\nb\nhunt", b"er2\ny\nz", 9), 100, "a\nb\n… about 9 bytes left out …\ny\nz"),
        (Output(b"1\n2\n3\n4\n5\n6\n7\n"), 8, "1\n2\n… about 6 bytes left out …\n7\n"),
        (Output(b"x" * 50), 8, "… about 42 bytes left out …\nxxxx"),
    ],
)
def test_leaves_the_middle_out_line_by_line(tmp_path: Path, output: Output, most: int, kept: str) -> None:
    log(tmp_path, [Executed(Run("x", Stop.EXITED, 0, output, 0.1))], most=most)

    assert (tmp_path / "logs/001-command.txt").read_text() == kept


def test_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine\n")
    (tmp_path / "events.jsonl").symlink_to("precious")

    with pytest.raises(OSError, match="symbolic link"):
        EventLog(tmp_path, Redactor())(Warned("x"))

    assert (tmp_path / "precious").read_text() == "mine\n"
