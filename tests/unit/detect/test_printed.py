"""What tools print becomes failures whose ids are the same in every run."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from selfheal_ci.detect import Outcome, ReportCase, Reports, result
from selfheal_ci.values import Green, Output, Red, Run, Step, Stop

GOLDEN = Path(__file__).parents[2] / "golden" / "tools"
ROOT = "/home/dev/shop"
CONCISE = "a.py:1:8: F401 [*] `os` imported but unused\nFound 1 error.\n[*] 1 fixable with the `--fix` option.\n"
F401 = "a.py::ruff[F401]::`os` imported but unused"
TRACE = "Traceback (most recent call last):\n  File \"/home/dev/shop/a.py\", line 7, in f\n    return 1\nKeyError: 'x'\n"
PASSED = Reports((ReportCase("test_a.py::test_a", Outcome.PASSED),), root=ROOT)


NOTHING = Reports(root=ROOT)


def read(output: str, command: str, exit_code: int = 1, reports: Reports = NOTHING) -> Red:
    run = Run(command, Stop.EXITED, exit_code, Output(tail=output.encode()), 1.0)
    red = result(run, Step("lint", command), reports)
    assert isinstance(red, Red)
    return red


def ids(output: str, command: str, exit_code: int = 1, reports: Reports = NOTHING) -> list[str]:
    return [failure.id for failure in read(output, command, exit_code, reports).failures]


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDEN.glob("*.txt")))
def test_every_complaint_of_a_real_run_is_a_failure_with_its_line(name: str) -> None:
    command, exit_code, *expected = (GOLDEN / f"{name}.ids").read_text().splitlines()

    red = read((GOLDEN / f"{name}.txt").read_text(), command.removeprefix("$ "), int(exit_code))

    assert [f"{failure.line or '-'} {failure.id}" for failure in red.failures] == expected


@pytest.mark.parametrize("name", ["ruff-full", "ruff-concise", "flake8", "mypy", "pylint", "isort", "compileall"])
def test_ids_do_not_depend_on_order_lines_folders_colours_and_times(name: str) -> None:
    command, exit_code, *_ = (GOLDEN / f"{name}.ids").read_text().splitlines()
    command = command.removeprefix("$ ")
    text = (GOLDEN / f"{name}.txt").read_text()
    changed = text.replace(ROOT, "/srv/other").replace(":8:", ":80:").replace("line 1", "line 99")
    stamped = "".join(f"2026-01-02T03:04:05.1234567Z \x1b[31m{line}\x1b[0m\n" for line in changed.splitlines())

    first = read(text, command, int(exit_code))
    second = read(stamped, command, int(exit_code), Reports(root="/srv/other"))

    assert first.ids == second.ids
    assert {failure.fingerprint for failure in first.failures} == {failure.fingerprint for failure in second.failures}


def test_a_failure_tells_the_rule_the_place_and_the_words() -> None:
    (failure,) = read(CONCISE, "ruff check .").failures

    assert (failure.id, failure.message) == (F401, "`os` imported but unused (ruff F401)")
    assert (failure.path, failure.line, failure.type) == ("a.py", 1, "F401")
    assert failure.text == "a.py:1:8: F401 [*] `os` imported but unused"


def test_the_second_of_an_id_is_counted() -> None:
    line = "a.py:{}:80: E501 line too long ({} > 79 characters)\n"

    assert ids(line.format(3, 90) + line.format(9, 120), "flake8") == [
        "a.py::flake8[E501]::line too long (# > # characters)",
        "a.py::flake8[E501]::line too long (# > # characters) #2",
    ]


def test_one_of_two_that_is_gone_passes_and_a_third_is_new() -> None:
    line = "a.py:{}:80: E501 line too long (90 > 79 characters)\n"
    one, two, three = (read("".join(line.format(n) for n in range(count)), "flake8") for count in (1, 2, 3))

    assert two.ids - one.passes(two.ids) == one.ids
    assert three.ids - two.ids == {"a.py::flake8[E501]::line too long (# > # characters) #3"}


def test_what_is_not_complained_of_any_more_passes() -> None:
    before = read("a.py:1:1: F401 'os' imported but unused\nb.py:2:1: F401 'os' imported but unused\n", "flake8")
    after = read("b.py:9:1: F401 'os' imported but unused\n", "flake8")

    assert after.passes(before.ids) == {"a.py::flake8[F401]::'os' imported but unused"}
    assert after.passes(["step:lint", "test_a.py::test_a"]) == frozenset()


def test_green_passes_all_that_a_tool_may_complain_of_and_no_test_that_did_not_run() -> None:
    run = Run("ruff check .", Stop.EXITED, 0, Output(), 1.0)
    green = result(run, Step("lint", "ruff check ."), Reports())

    assert isinstance(green, Green)
    assert green.passes({F401, "step:lint", "test_a.py::test_a"}) == {F401, "step:lint"}


@pytest.mark.parametrize(
    ("output", "command", "exit_code"),
    [
        ("a.py:1:8: invalid-syntax: Expected `)`\nFound 1 error.\n", "ruff check .", 1),  # the file was not looked at
        ("a.py:1:8: E999 SyntaxError: invalid syntax\n", "flake8", 1),
        (
            "b.py:1: error: invalid syntax  [syntax]\nFound 1 error in 1 file (errors prevented further checking)\n",
            "mypy .",
            2,
        ),
        ("ruff failed\n  Cause: no such option\n", "ruff check .", 2),  # it did not run
        ("would reformat a.py\n", "black --check . && ruff check .", 1),  # it did not run
        ("b.py:1:1: F401 [*] `os` imported\nFound 1 error.\n", "ruff check .; mypy .", 1),  # mypy may have crashed
    ],
)
def test_silence_is_not_taken_for_a_pass(output: str, command: str, exit_code: int) -> None:
    tool = next(name for name in ("flake8", "mypy", "ruff") if name in command)
    before = f"a.py::{tool}[X1]::wrong"

    assert read(output, command, exit_code).passes([before]) == frozenset()


@pytest.mark.parametrize(
    "command", ["ruff check . && mypy .", "set -e\nruff check .\nmypy .", "ruff check . || exit 1\nruff check x && mypy ."]
)
def test_a_tool_before_another_has_passed(command: str) -> None:
    red = read("a.py:1: error: No  [name-defined]\nFound 1 error in 1 file (checked 1 source file)\n", command)

    assert red.passes([F401]) == {F401}


def test_output_that_was_cut_proves_nothing() -> None:
    run = Run("flake8", Stop.EXITED, 1, Output(b"a.py:1:1: F401 'os' imported but unused\n", b"", left_out=9), 1.0)
    red = result(run, Step("lint", "flake8"), Reports())

    assert red.passes(["b.py::flake8[F401]::'os' imported but unused"]) == frozenset()


STEP = "step:lint"


@pytest.mark.parametrize(
    ("output", "command", "exit_code", "expected"),
    [
        (CONCISE, "ruff check .", 1, [F401]),
        (CONCISE, "pip install . && ruff check .", 1, [F401]),
        (CONCISE, "ruff check . && pytest", 1, [F401]),
        (CONCISE, "ruff check . || exit 1", 1, [F401]),
        (f"ruff check .\n{CONCISE}make: *** [Makefile:2: lint] Error 1\n", "make lint", 2, [F401]),
        (
            f"lint: commands[0]> ruff check .\n{CONCISE}lint: exit 1 (0.05 seconds) /x> ruff check .\n",
            "tox -e lint",
            1,
            [F401],
        ),
        (f"ruff.....................Failed\n- hook id: ruff\n- exit code: 1\n\n{CONCISE}", "pre-commit run -a", 1, [F401]),
        (f"{CONCISE}mixed line ending........Failed\n- hook id: mixed\n", "pre-commit run -a", 1, [F401, STEP]),
        (CONCISE, "ruff check .; test -f nowhere", 1, [F401, STEP]),
        (CONCISE, "ruff check .\nmake docs", 2, [F401, STEP]),
        (f"{CONCISE}sh: 1: frob: not found\n", "ruff check .; frob", 127, [F401, STEP]),
        (f"{CONCISE}docs.md:3: error: no such page\n", "make lint", 1, [F401, STEP]),
        (CONCISE, "ruff check --exit-zero . && frob", 1, [STEP]),
        (CONCISE, "ruff check .", 139, [F401, STEP]),
    ],
)
def test_what_else_fails_is_still_there(output: str, command: str, exit_code: int, expected: list[str]) -> None:
    assert ids(output, command, exit_code) == expected


def test_what_else_fails_is_told_without_the_complaints() -> None:
    *_, step = read(f"{CONCISE}sh: 1: frob: not found\n", "ruff check .; frob", 127).failures

    assert step.message == "exit code 127: `frob` was not found"
    assert "F401" not in step.text


@pytest.mark.parametrize(
    ("output", "command"),
    [
        (f"======\nERROR: test_a (t.T)\n------\n{TRACE}\nRan 1 test in 0.1s\n\nFAILED (errors=1)\n", "make test"),
        (f"{CONCISE}FAILED test_lint.py::test_ruff\n==== 1 failed in 0.1s ====\n", "make test"),
        (f"{TRACE}retrying\n" + "still working\n" * 50, "make serve"),  # not its last word
        ("Traceback (most recent call last):\n  File \"/usr/lib/x.py\", line 7, in f\nKeyError: 'x'\n", "x"),  # not ours
        ("/etc/a.py:1:8: F401 [*] `os` imported\n../b.py:1:8: F401 [*] `os` imported\n", "ruff check /etc"),
        ("a.c:1:2: error: 'x' undeclared\nmain.rs:2:1: error: no\n --> src/a.rs:1:2\n", "make"),
        ("a.py:1:1: 'os' imported but unused\n", "make lint"),  # many print this form
    ],
)
def test_what_is_none_of_ours_leaves_the_step_as_a_whole(output: str, command: str) -> None:
    assert ids(output, command) == [STEP]


def test_a_report_wins_over_what_looks_like_a_complaint() -> None:
    failing = Reports((ReportCase("test_a.py::test_a", Outcome.FAILED),), root=ROOT)

    assert ids(CONCISE + TRACE, "ruff check . ; pytest", reports=failing) == ["test_a.py::test_a"]
    assert ids(CONCISE, "make check", reports=PASSED) == [STEP]
    assert ids(CONCISE, "pytest && ruff check .", reports=PASSED) == [F401]
    assert ids(TRACE, "pytest && python a.py", reports=PASSED) == [STEP]


def test_an_exception_has_the_way_to_it_as_a_test_has() -> None:
    (failure,) = read(TRACE, "python a.py").failures
    report = Reports((ReportCase("t", Outcome.FAILED, type="KeyError", message="'x'", text=TRACE),), root=ROOT)

    assert (failure.id, failure.message, failure.line) == ("a.py::python[KeyError]::'x'", "KeyError: 'x'", 7)
    assert failure.fingerprint == read("", "pytest", reports=report).failures[0].fingerprint


def test_an_exception_that_is_gone_proves_nothing_while_another_is_there() -> None:
    assert read(TRACE, "python a.py").passes(["a.py::python[ValueError]::no"]) == frozenset()


@pytest.mark.parametrize(("command", "path"), [("cd sub && ruff check .", "sub/a.py"), ("cd /x && ruff check .", "a.py")])
def test_paths_begin_where_the_step_goes_to(command: str, path: str) -> None:
    assert ids(CONCISE, command) == [f"{path}::ruff[F401]::`os` imported but unused"]


def test_far_too_many_complaints_are_one_failure() -> None:
    assert ids("".join(f"a{n}.py:1:1: E501 line too long\n" for n in range(10_001)), "flake8") == [STEP]


PIECES = ["a.py:1:1: ", "error: ", "F401", "[*] ", " --> ", "would reformat ", "*** Error compiling 'a'...", "..." * 100, "=== ",
          "1 passed, " * 50, "ERROR: Cannot install a because these package versions have conflicting dependencies.",
          "  [x]", "Traceback (most recent call last):", "\n", "\n", " " * 300, "Failed", '  File "a.py", line 1', "-" * 50]  # fmt: skip


def test_whatever_is_printed_is_read_in_linear_time() -> None:
    chance = random.Random(7)
    for piece in PIECES:
        mixed = "".join(chance.choice(PIECES) for _ in range(2000))
        began = time.process_time()

        read(piece * (100_000 // len(piece)), "ruff check . && flake8 && pyflakes && mypy .")
        read(f"{piece}\n" * 4000, "ruff check . && flake8 && pyflakes && mypy .")
        read(mixed, "ruff check . && flake8 && pyflakes && mypy .")

        assert time.process_time() - began < 2, piece
