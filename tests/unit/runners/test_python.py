"""Any command is run as it is: what Python's tests in it say counts, else its exit code, its report and its output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from selfheal_ci.runners.python import PythonRunner
from selfheal_ci.values import Green, Red, Result, Step

if TYPE_CHECKING:
    from tests.unit.runners.conftest import Project

STEP = "step:tests"
REPORT = '<testsuite><testcase classname="pkg.A" name="a"/><testcase classname="pkg.A" name="b">{}</testcase></testsuite>'
GOOD, BAD, OTHER = "tests/test_a.py::test_good", "tests/test_a.py::test_bad", "tests/test_b.py::test_other"


def red(result: Result) -> Red:
    assert isinstance(result, Red), result
    return result


@pytest.fixture
def shop(project: Project) -> Project:
    project.write("tests/test_a.py", "def test_good():\n    pass\n\ndef test_bad():\n    assert 0\n")
    project.write("tests/test_b.py", "def test_other():\n    pass\n")
    project.write("Makefile", "test: lint\n\t$(PYTHON) -m pytest -q tests/test_a.py\n\t@true\n\nlint:\n\t@echo fine\n")
    project.write("both.sh", 'set -e\n"$1" -m pytest -q tests/test_b.py\n"$1" -m pytest -q tests/test_a.py\n')
    # What tox does: it starts the commands in an environment that has nothing but what the project names.
    project.write("site/tox/__init__.py", "")
    project.write(
        "site/tox/__main__.py",
        "import subprocess, sys\n"
        "env = {'PATH': '/usr/bin:/bin', 'PYTHONPATH': 'site'}\n"
        "sys.exit(subprocess.run([sys.executable, '-m', 'pytest', '-q', 'tests/test_a.py'], env=env).returncode)\n",
    )
    return project


@pytest.mark.parametrize(
    "command",
    [
        "make test PYTHON=@python",
        "make --silent test PYTHON=@python",
        "sh both.sh @python",
        '@python -c \'import runpy, sys; sys.argv[1:] = ["-q"]; runpy.run_module("pytest", run_name="__main__")\'',
        "PYTHONPATH=site @python -m tox",
        "find tests -name test_a.py | xargs @python -m pytest -q",
        "env PYTEST_PLUGINS=pytester make test PYTHON=@python",
    ],
)
def test_what_starts_pytest_does_not_matter(shop: Project, command: str) -> None:
    whole = red(shop.run(command))
    assert (sorted(whole.ids), GOOD in whole.passed) == ([BAD], True)

    alone = shop.run(command, {GOOD})
    assert isinstance(alone, Green)
    assert alone.passed == {GOOD, "tests/test_a.py", STEP}
    assert ("tests/test_a.py", 5) in shop.trace(command, {BAD}, {"tests/test_a.py"})[BAD]


def test_what_else_the_step_does_still_counts(shop: Project) -> None:
    shop.write("tests/test_a.py", "def test_good():\n    pass\n")
    shop.write("Makefile", "test:\n\t@$(PYTHON) -m pytest -q\n\techo 'a.c:1: error: no'; exit 3\n")

    (failure,) = red(shop.run("make test PYTHON=@python")).failures

    assert failure.id == STEP
    assert "a.c:1: error: no" in failure.text


def test_an_environment_that_hides_all_is_told(shop: Project) -> None:
    (failure,) = red(shop.run("env -i @python -m pytest -q")).failures

    assert failure.id == STEP
    assert failure.message.startswith("pytest did not load selfheal's plugin")


def test_a_make_that_finds_no_tests_says_so(shop: Project) -> None:
    shop.write("tests/test_a.py", "")

    (failure,) = red(shop.run("make test PYTHON=@python")).failures

    assert failure.message.startswith("no test was collected")


def test_the_path_of_the_machine_is_kept(shop: Project) -> None:
    assert isinstance(shop.run("export PYTHONPATH=site; sh -c '@python -c \"import tox\"'"), Green)


def test_coverage_of_the_project_has_nothing_of_ours(shop: Project) -> None:
    """A stand-in for coverage: which files a trace function hears of."""
    shop.write(
        "measure.py",
        "import pytest, sys\nseen = set()\nsys.settrace(lambda frame, *_: seen.add(frame.f_code.co_filename))\n"
        "pytest.main(['-q'])\nsys.settrace(None)\n"
        "print([name for name in seen if 'selfheal' in name and '/tree/' not in name and name[0] != '<'])\n",
    )

    assert "\n[]\n" in red(shop.run("@python measure.py")).run.output.text


def test_exit_code_0_is_green(project: Project) -> None:
    assert project.run("echo fine").passed == {STEP}  # type: ignore[union-attr]


def test_another_exit_code_is_red_with_what_was_printed(project: Project) -> None:
    (failure,) = red(project.run("echo 'a.c:1: error: no'; exit 2")).failures

    assert failure.id == STEP
    assert failure.text == "a.c:1: error: no"


def test_reads_the_reports_that_the_step_names(project: Project) -> None:
    project.write("out/report.xml", REPORT.format('<failure message="no"/>'))

    result = red(project.run("true", reports=("out/*.xml",)))

    assert result.ids == {"pkg.A::b"}
    assert result.passed == {"pkg.A::a", "pkg.A"}


def test_a_step_that_names_reports_and_writes_none_is_not_green(project: Project) -> None:
    assert isinstance(project.run("true", reports=("out/*.xml",)), Red)
    project.write("out/report.xml", REPORT.format(""))
    assert isinstance(project.run("true", reports=("out/*.xml",)), Green)


def test_says_that_a_report_cannot_be_read(project: Project) -> None:
    (failure,) = red(project.run("echo oops >r.xml; exit 1", reports=("*.xml",))).failures

    assert failure.message.startswith("exit code 1; the report r.xml cannot be read: not XML: ")


def test_absolute_paths_of_the_tree_are_made_relative(project: Project) -> None:
    project.write("a.py", "import sys\n\n\ndef f():\n    raise KeyError('x')\n\n\nf()\n")

    (failure,) = red(project.run("cd / && @python $OLDPWD/a.py")).failures

    assert (failure.path, failure.line) == ("a.py", 5)
    assert failure.message.endswith("KeyError: 'x'")


def test_only_what_python_imports_by_itself_can_be_imported() -> None:
    support = PythonRunner().command(Step("tests", "true")).support

    assert [name for name in support if name.endswith(".py")] == ["sitecustomize.py"]
    assert {"selfheal_hook", "selfheal_pytest", "selfheal_report", "selfheal_trace", "selfheal_unittest"} < support.keys()


def test_what_is_shipped_is_python() -> None:
    for name, data in PythonRunner().command(Step("tests", "true")).support.items():
        compile(data, name, "exec", dont_inherit=True)
