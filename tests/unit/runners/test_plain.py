"""A command we know nothing of is run as it is, and judged by its exit code, its report and its output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from selfheal_ci.runners.line import commands
from selfheal_ci.runners.plain import PlainRunner
from selfheal_ci.values import Green, Red, Step

if TYPE_CHECKING:
    from tests.unit.runners.conftest import Project

REPORT = '<testsuite><testcase classname="pkg.A" name="a"/><testcase classname="pkg.A" name="b">{}</testcase></testsuite>'


def test_exit_code_0_is_green(project: Project) -> None:
    assert project.run("echo fine").passed == {"step:tests"}  # type: ignore[union-attr]


def test_another_exit_code_is_red_with_what_was_printed(project: Project) -> None:
    result = project.run("echo 'a.c:1: error: no'; exit 2")

    assert isinstance(result, Red)
    assert [(failure.id, failure.message) for failure in result.failures] == [
        ("step:tests", "exit code 2: a.c:1: error: no")
    ]


def test_reads_the_reports_that_the_step_names(project: Project) -> None:
    project.write("out/report.xml", REPORT.format('<failure message="no"/>'))

    result = project.run("true", reports=("out/*.xml",))

    assert isinstance(result, Red)
    assert result.ids == {"pkg.A::b"}
    assert result.passed == {"pkg.A::a", "pkg.A"}


def test_a_step_that_names_reports_and_writes_none_is_not_green(project: Project) -> None:
    assert isinstance(project.run("true", reports=("out/*.xml",)), Red)
    project.write("out/report.xml", REPORT.format(""))
    assert isinstance(project.run("true", reports=("out/*.xml",)), Green)


def test_says_that_a_report_cannot_be_read(project: Project) -> None:
    result = project.run("echo oops >r.xml; exit 1", reports=("*.xml",))

    assert isinstance(result, Red)
    assert result.failures[0].message.startswith("exit code 1; the report r.xml cannot be read: not XML: ")


def test_runs_the_whole_step_whatever_is_asked_for(project: Project) -> None:
    step = Step("tests", "make test")

    assert PlainRunner().command(step, {"a"}) == PlainRunner().command(step)


def test_absolute_paths_of_the_tree_are_made_relative(project: Project) -> None:
    project.write("a.py", "import sys\n\n\ndef f():\n    raise KeyError('x')\n\n\nf()\n")

    result = project.run("cd / && @python $OLDPWD/a.py")

    assert isinstance(result, Red)
    assert [(failure.path, failure.line, failure.message) for failure in result.failures] == [
        ("a.py", 5, "exit code 1: KeyError: 'x'")
    ]


def test_commands_begin_at_their_programs() -> None:
    line = "A=1 b c && (d; e|f)\nif ! g; then sh -c 'h i'; fi # j\nk 'l\n"

    assert [words[0] for words in commands(line)] == ["b", "d", "e", "f", "g", "sh", "h", "fi", "k"]
