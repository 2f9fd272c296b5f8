"""Green is more than exit code 0, and red always says what fails."""

from __future__ import annotations

from dataclasses import replace

import pytest

from selfheal_ci.detect import Outcome, ReportCase, Reports, result
from selfheal_ci.detect.status import status
from selfheal_ci.values import Failure, Green, Output, Red, Run, Step, Stop, Unclear

STEP = Step("tests", "run")
PASSED = ReportCase("a.py::ok", Outcome.PASSED)
FAILED = ReportCase(
    "a.py::bad", Outcome.FAILED, "a.py", 3, "KeyError", "KeyError: 'x'\nmore", "a.py:4: in f\nlib.py:9: KeyError", "printed"
)
SKIPPED = ReportCase("a.py::later", Outcome.SKIPPED)


def a_run(exit_code: int | None = 0, *, stop: Stop = Stop.EXITED, output: str = "") -> Run:
    return Run("run", stop, exit_code, Output(tail=output.encode()), 60.2)


def message(result_: object) -> str:
    assert isinstance(result_, Red)
    (failure,) = result_.failures
    assert failure.id == "step:tests"
    return failure.message


BROKEN = Reports((PASSED,), "a.xml: not XML: x")
REPORTS = (Reports(), Reports((SKIPPED,)), Reports((PASSED, SKIPPED)), Reports((PASSED, FAILED)), BROKEN)


@pytest.mark.parametrize(
    ("exit_code", "output", "statuses"),
    [
        (0, "", "no test was reported, every test was skipped, green, tests fail, the report cannot be read"),
        (1, "", "fails, fails, fails, tests fail, fails"),
        (2, "", "fails, fails, fails, tests fail, fails"),
        (2, "usage: x [-h]\nx: error: no\n", "wrong usage, wrong usage, fails, tests fail, wrong usage"),
        (126, "", "may not be run, may not be run, may not be run, tests fail, may not be run"),
        (127, "", "was not found, was not found, was not found, tests fail, was not found"),
        (139, "", "ended by a signal, ended by a signal, ended by a signal, tests fail, ended by a signal"),
        (255, "", "fails, fails, fails, tests fail, fails"),
    ],
)
def test_exit_code_and_reports_have_one_status(exit_code: int, output: str, statuses: str) -> None:
    run = a_run(exit_code, output=output)

    assert ", ".join(status(run, reports, expected=True) for reports in REPORTS) == statuses


def test_only_exit_code_0_and_a_sane_report_are_green() -> None:
    for exit_code in range(256):
        for reports in REPORTS:
            for expected in (True, False):
                green = isinstance(result(a_run(exit_code), STEP, reports, expected=expected), Green)
                sane = reports == REPORTS[2] or (reports in REPORTS[:2] and not expected)

                assert green == (exit_code == 0 and sane)


def test_of_very_many_failures_the_first_are_told_at_length() -> None:
    cases = tuple(replace(FAILED, id=f"a.py::bad{n}") for n in range(300))

    red = result(a_run(1), STEP, Reports(cases))

    assert isinstance(red, Red)
    assert len({failure.fingerprint for failure in red.failures}) == 1
    assert [bool(failure.text) for failure in red.failures] == [True] * 200 + [False] * 100


def test_green_is_exit_code_0_and_a_passing_test() -> None:
    run = a_run()

    assert result(run, STEP, Reports((PASSED, SKIPPED)), expected=True) == Green(
        run, frozenset({"a.py::ok", "a.py", "step:tests"})
    )
    assert result(run, STEP, Reports()) == Green(run, frozenset({"step:tests"}))


@pytest.mark.parametrize("exit_code", [0, 1, 2])
def test_red_has_the_failures_of_the_report(exit_code: int) -> None:
    red = result(a_run(exit_code), STEP, Reports((PASSED, FAILED, SKIPPED)))

    assert isinstance(red, Red)
    (failure,) = red.failures
    assert failure == Failure(
        "a.py::bad",
        failure.fingerprint,
        "KeyError: 'x'",
        "lib.py",
        9,
        "KeyError",
        "a.py:4: in f\nlib.py:9: KeyError\n\nprinted",
    )
    assert red.passed == {"a.py::ok", "a.py"}


def test_a_file_that_fails_as_a_whole_is_not_passed() -> None:
    red = result(a_run(1), STEP, Reports((PASSED, ReportCase("a.py", Outcome.ERROR))))

    assert red.passed == {"a.py::ok"}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("exit_code", "reports", "expected", "said"),
    [
        (0, Reports(), True, "no test was reported"),
        (0, Reports((SKIPPED,)), True, "every test was skipped"),
        (0, Reports((PASSED,), "a.xml: not XML: x"), True, "the report a.xml cannot be read: not XML: x"),
        (1, Reports(), True, "exit code 1"),
        (1, Reports((), "a.xml: not XML: x"), True, "exit code 1; the report a.xml cannot be read: not XML: x"),
        (3, Reports((PASSED,)), True, "exit code 3 though no test failed"),
        (139, Reports(), False, "exit code 139 (SIGSEGV)"),
        (255, Reports(), False, "exit code 255"),
    ],
)
def test_without_a_failing_case_the_step_fails_as_a_whole(
    exit_code: int, reports: Reports, expected: bool, said: str
) -> None:
    assert message(result(a_run(exit_code), STEP, reports, expected=expected)) == said


def test_the_tool_may_know_better_words() -> None:
    assert message(result(a_run(5), STEP, Reports(), why="no test was collected")) == "no test was collected"


@pytest.mark.parametrize(
    ("exit_code", "output", "said"),
    [
        (127, "sh: 1: pytest: not found\n", "exit code 127: `pytest` was not found"),
        (127, "/bin/sh: 1: .venv/bin/pytest: not found\n", "exit code 127: `.venv/bin/pytest` was not found"),
        (127, "bash: line 3: frob: command not found\n", "exit code 127: `frob` was not found"),
        (127, "./run.sh: line 3: frob: command not found\n", "exit code 127: `frob` was not found"),
        (127, "env: \u2018frob\u2019: No such file or directory\n", "exit code 127: `frob` was not found"),
        (
            127,
            "timeout: failed to run command \u2018frob\u2019: No such file or directory\n",
            "exit code 127: `frob` was not found",
        ),
        (127, "", "exit code 127: a command was not found"),
        (126, "sh: 1: ./run.sh: Permission denied\n", "exit code 126: `./run.sh` may not be run"),
        (1, "sh: 1: frob: not found\n", "exit code 1: sh: 1: frob: not found"),
    ],
)
def test_names_a_command_that_is_not_there(exit_code: int, output: str, said: str) -> None:
    assert message(result(a_run(exit_code, output=output), STEP, Reports())) == said


EXPECTED = "474 \n475 ```pycon\n476 >>> f()\nExpected:\n    3\nGot:\n    4\n\n/w/README.md:476: DocTestFailure"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (EXPECTED, "Expected 3, got 4"),
        (EXPECTED.replace("    4\n", "    4\n    <BLANKLINE>\n    5\n"), "Expected 3, got 4 <BLANKLINE> 5"),
        ("1 >>> f()\nExpected nothing\nGot:\n    4\n\n/w/a.py:1: DocTestFailure", "Expected nothing, got 4"),
        ("1 >>> f()\nExpected:\n    3\nGot nothing\n\n/w/a.py:1: DocTestFailure", "Expected 3, got nothing"),
        (
            "1 >>> f()\nDifferences (ndiff with -expected +actual):\n    - 3\n    + 4\n\n/w/a.py:1: DocTestFailure",
            "Expected 3, got 4",
        ),
        (
            "1 >>> f()\nUNEXPECTED EXCEPTION: KeyError('x')\nTraceback (most recent call last):\n  File \"a\", line 1\n"
            "KeyError: 'x'\n/w/a.py:1: UnexpectedException",
            "KeyError: 'x'",
        ),
    ],
)
def test_a_doctest_is_told_by_what_it_expected(text: str, told: str) -> None:
    red = result(a_run(1), STEP, Reports((ReportCase("a", Outcome.FAILED, message=text, text=text),)))

    assert isinstance(red, Red)
    assert red.failures[0].message == told


@pytest.mark.parametrize(
    ("stop", "why"),
    [
        (Stop.TIMEOUT, "timeout after 60 s"),
        (Stop.MEMORY, "it used more memory than it may"),
        (Stop.DISK, "it wrote more than it may"),
        (Stop.KILLED, "it was killed by a signal that no limit explains"),
    ],
)
def test_a_run_that_was_stopped_says_nothing_about_the_step(stop: Stop, why: str) -> None:
    run = a_run(None, stop=stop)

    assert result(run, STEP, Reports((PASSED, FAILED))) == Unclear(run, why)


@pytest.mark.parametrize(
    ("said", "text", "type_", "told"),
    [
        ("failed on setup with \"KeyError: 'x'\"", "", "KeyError", "KeyError: 'x'"),
        ("assert 1 == 2", "a.py:1: AssertionError", "AssertionError", "assert 1 == 2"),
        ("assert 1 == 2", "", "AssertionError", "assert 1 == 2"),
        ("pkg.errors.Odd: no", "", "pkg.errors.Odd", "pkg.errors.Odd: no"),
        ("collection failure", "x\nE   ImportError: no 'a'\nE   hint", "ImportError", "ImportError: no 'a'"),
        ("", 'E     File "a.py", line 3\nE       def f(\nE   SyntaxError: closed', "SyntaxError", "SyntaxError: closed"),
        ("", "something\n  else\n\n", "", "else"),
        ("", "", "", "failed"),
    ],
)
def test_finds_the_type_and_the_words_where_a_report_does_not_give_them(said: str, text: str, type_: str, told: str) -> None:
    red = result(a_run(1), STEP, Reports((ReportCase("a", Outcome.FAILED, message=said, text=text),)))

    assert isinstance(red, Red)
    assert [(failure.type, failure.message) for failure in red.failures] == [(type_, told)]
