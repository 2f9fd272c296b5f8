"""The reduced log keeps what says why, within its budget."""

from __future__ import annotations

import time

import pytest

from selfheal_ci.detect.output import PER_TOKEN, clean, headline, reduce_log, step_failure
from selfheal_ci.detect.telling import weight
from selfheal_ci.values import Output, Run, Step, Stop

STEP = Step("lint", "make lint")


def a_run(output: str) -> Run:
    return Run("make lint", Stop.EXITED, 2, Output(tail=output.encode()), 1.0)


def noise(count: int) -> str:
    return "".join(f"Downloading package {n} from the index, 0 errors so far\n" for n in range(count))


def test_keeps_the_cause_in_the_middle_and_the_end() -> None:
    log = noise(3000) + "src/a.c:7:3: error: 'x' undeclared\n" + noise(3000) + "make: *** [all] Error 1\n"

    reduced = reduce_log(log)

    assert "src/a.c:7:3: error: 'x' undeclared" in reduced
    assert reduced.endswith("make: *** [all] Error 1")
    assert "lines left out" in reduced
    assert len(reduced) <= 5000 * PER_TOKEN + 200


def test_the_same_complaint_is_shown_three_times() -> None:
    log = "".join(f"error: item {n} is bad\n" + noise(30) for n in range(100)) + noise(50)

    assert reduce_log(log).count("error: item") == 3


def test_a_short_log_is_kept_whole() -> None:
    assert reduce_log("one\n\ntwo\n") == "one\n\ntwo"
    assert reduce_log("") == ""


def test_colours_times_and_progress_are_gone() -> None:
    printed = "2026-01-02T03:04:05.0000000Z \x1b[31merror\x1b[0m: no\n[12:00:01] next\n 10%\r 50%\rdone\r\n\x1b]0;title\x07x\x00y\n"
    assert clean(printed.split("\n")) == ["error: no", "next", "done", "x y"]


@pytest.mark.parametrize("left_out", [0, 7])
@pytest.mark.parametrize("tail", [b"", b"\n", b"e", b"e\xff\n\nf", b"\ng\n"])
@pytest.mark.parametrize("head", [b"", b"a", b"a\n", b"a\r\n\nb\xc3\xa4", b"c\n\n"])
def test_the_lines_of_an_output_are_those_of_its_text(head: bytes, tail: bytes, left_out: int) -> None:
    output = Output(head, tail, left_out)

    assert clean(output.lines()) == clean(output.text.split("\n"))


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (
            "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\nKeyError: 'x'\nmake: *** [t] Error 1",
            "KeyError: 'x'",
        ),
        ("a.c:1:2: error: first\na.c:2:2: error: second\nmake: *** [all] Error 1", "a.c:1:2: error: first"),
        ("app.py:1:8: F401 [*] `os` imported but unused\nFound 1 error.", "app.py:1:8: F401 [*] `os` imported but unused"),
        ("app.py:3: error: bad type  [assignment]\nFound 1 error in 1 file", "app.py:3: error: bad type  [assignment]"),
        ("would reformat a.py\nOh no!\n1 file would be reformatted.", "would reformat a.py"),
        ("sh: 1: frob: command not found", "sh: 1: frob: command not found"),
        ("--fail-fast\n0 errors\nall is well", "all is well"),
        ("", ""),
    ],
)
def test_the_headline_is_the_line_that_says_why(log: str, said: str) -> None:
    lines = log.split("\n")

    assert headline(lines, [weight(line) for line in lines]) == said


@pytest.mark.parametrize("line", ["0 errors", "no failures", "--fail-under=90", "failed=0", "+ set -e error", "Finished"])
def test_some_lines_only_sound_bad(line: str) -> None:
    assert weight(line) == 0


def test_a_step_fails_by_its_name_and_says_why_and_where() -> None:
    trace = "Traceback (most recent call last):\n  File \"/w/lib/a.py\", line 7, in f\nKeyError: 'x'\n"

    failure = step_failure(STEP, a_run(trace), "exit code 2", root="/w")

    assert (failure.id, failure.message) == ("step:lint", "exit code 2: KeyError: 'x'")
    assert (failure.path, failure.line) == ("lib/a.py", 7)
    assert failure.text == trace.strip()


def test_a_step_without_output_fails_all_the_same() -> None:
    failure = step_failure(STEP, a_run(""), "timeout after 60 s")

    assert (failure.message, failure.text, failure.path) == ("timeout after 60 s", "", None)


def test_the_fingerprint_of_a_step_does_not_change_with_numbers_and_times() -> None:
    first = step_failure(STEP, a_run("2026-01-02T03:04:05Z error: 3 of 10 failed\n"), "exit code 2")
    second = step_failure(STEP, a_run("2026-05-06T07:08:09Z error: 4 of 11 failed\n"), "exit code 2")

    assert first.fingerprint == second.fingerprint


def test_long_logs_are_reduced_quickly() -> None:
    log = "".join(
        f"2026-01-02T03:04:05Z src/file{n}.c:{n}:3: error: 'x{n}' undeclared, test {n} PASSED\n" for n in range(50_000)
    )
    began = time.process_time()

    reduce_log(log)

    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    "line", ["Compiling thiserror v1.0.2", "Downloading error-chain-0.12", "ok 3 - fails on error", "a error ... ok"]
)
def test_what_goes_well_with_a_bad_name_tells_nothing(line: str) -> None:
    assert weight(line) == 0


@pytest.mark.parametrize("piece", ["a", " ", "\x1b", "\x1b[", "\x1b]", ".", "A.", "Error", "error ", "x:1:", "\r", "E   "])
def test_endless_lines_and_many_lines_take_linear_time(piece: str) -> None:
    began = time.process_time()

    reduce_log(piece * (2_000_000 // len(piece)))
    reduce_log((piece * (2000 // len(piece)) + "\n") * 500)

    assert time.process_time() - began < 5
