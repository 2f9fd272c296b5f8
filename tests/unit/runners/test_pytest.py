"""pytest is run for real: what is read of it are the project's tests, by ids relative to the tree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from selfheal_ci.runners.pytest import starts_pytest
from selfheal_ci.runners.python import PythonRunner
from selfheal_ci.values import Failure, Green, Red, Result, Step

if TYPE_CHECKING:
    from tests.unit.runners.conftest import Project

STEP = "step:tests"
PYTEST = "@python -m pytest -q -p no:cacheprovider"


def red(result: Result) -> Red:
    assert isinstance(result, Red), result
    return result


def only(result: Result) -> Failure:
    (failure,) = red(result).failures
    return failure


@pytest.fixture
def shop(project: Project) -> Project:
    project.write(
        "cart.py",
        """\
        def price(item):
            return item["price"]


        def total(items):
            return sum(price(item) for item in items)
        """,
    )
    project.write(
        "tests/test_cart.py",
        """\
        from cart import total


        def test_empty():
            assert total([]) == 0


        class TestTotal:
            def test_one(self):
                assert total([{"cost": 3}]) == 3
        """,
    )
    project.write("tests/test_other.py", "def test_other():\n    assert 1 + 1 == 3\n")
    return project


def test_tells_what_passes_and_what_fails_and_where(shop: Project) -> None:
    result = red(shop.run(PYTEST))

    assert result.passed == {"tests/test_cart.py::test_empty", "tests/test_cart.py"}
    one, other = result.failures
    assert (one.id, one.type, one.message) == ("tests/test_cart.py::TestTotal::test_one", "KeyError", "KeyError: 'price'")
    assert (one.path, one.line) == ("cart.py", 2)
    assert "sum(price(item) for item in items)" in one.text
    assert (other.id, other.type, other.message) == (
        "tests/test_other.py::test_other",
        "AssertionError",
        "assert (1 + 1) == 3",
    )
    assert (other.path, other.line) == ("tests/test_other.py", 2)


def test_a_passing_step_is_green(shop: Project) -> None:
    result = shop.run(f"{PYTEST} tests/test_cart.py::test_empty")

    assert isinstance(result, Green)
    assert result.passed == {"tests/test_cart.py::test_empty", "tests/test_cart.py", STEP}


def test_the_fingerprint_is_the_same_where_lines_have_moved(shop: Project) -> None:
    before = red(shop.run(PYTEST))
    shop.write("cart.py", "# moved\n\n" + (shop.root / "cart.py").read_text())
    after = red(shop.run(PYTEST))

    assert [failure.fingerprint for failure in after.failures] == [failure.fingerprint for failure in before.failures]
    assert [failure.line for failure in after.failures] == [4, 2]


def test_an_exit_code_that_hides_failures_is_not_believed(shop: Project) -> None:
    assert red(shop.run(f"{PYTEST}; true")).run.exit_code == 0


def test_runs_the_wanted_tests_alone(shop: Project) -> None:
    result = shop.run(PYTEST, {"tests/test_cart.py::test_empty"})

    assert isinstance(result, Green)
    assert result.passed == {"tests/test_cart.py::test_empty", "tests/test_cart.py", STEP}


def test_a_wanted_file_is_run_whole(shop: Project) -> None:
    result = red(shop.run(PYTEST, {"tests/test_cart.py"}))

    assert result.passed == {"tests/test_cart.py::test_empty", "tests/test_cart.py"}
    assert result.ids == {"tests/test_cart.py::TestTotal::test_one"}


def test_the_step_as_a_whole_cannot_be_selected(shop: Project) -> None:
    assert len(red(shop.run(PYTEST, {STEP})).failures) == 2


@pytest.mark.parametrize("named", ["", "tests", "tests/test_broken.py tests/test_cart.py"])
def test_other_files_are_not_even_read(shop: Project, named: str) -> None:
    shop.write("tests/test_broken.py", "import nothing_like_that\n")

    result = shop.run(f"{PYTEST} {named}", {"tests/test_cart.py::test_empty"})

    assert isinstance(result, Green)


def test_a_wanted_test_that_is_not_there_is_not_passed(shop: Project) -> None:
    for absent in ("tests/test_cart.py::test_gone", "tests/test_gone.py::test_gone"):
        result = shop.run(PYTEST, {absent})

        assert red(result).passed == frozenset()
        assert only(result).id == STEP
        assert only(result).message.startswith("no test was collected")


def test_a_file_that_cannot_be_read_fails_by_its_path(shop: Project) -> None:
    shop.write("cart.py", "def totals(items):\n    return 0\n")

    failure = next(failure for failure in red(shop.run(PYTEST)).failures if failure.id == "tests/test_cart.py")

    assert (failure.type, failure.path, failure.line) == ("ImportError", "tests/test_cart.py", 1)
    assert failure.message.startswith("ImportError: cannot import name 'total' from 'cart'")


def test_a_file_that_is_no_python_fails_by_its_path(shop: Project) -> None:
    shop.write("cart.py", "def total(items:\n    return 0\n")

    failure = next(failure for failure in red(shop.run(PYTEST)).failures if failure.id == "tests/test_cart.py")

    assert (failure.type, failure.path) == ("SyntaxError", "cart.py")
    assert failure.message.startswith("SyntaxError: ")


WEIRD = ["a::b", "x]y[", "two\nlines", "tab\t", "grün", "/slash/", "", "\udc80", "\x1b[31m", "a" * 300, "'\"<&>"]


def test_odd_names_come_back_as_they_are_and_can_be_selected(project: Project) -> None:
    project.write(
        "test_odd.py",
        f"""\
        import pytest

        @pytest.mark.parametrize("x", {list(range(len(WEIRD)))}, ids={WEIRD!a})
        def test_x(x):
            pass
        """,
    )
    whole = project.run(PYTEST)
    assert isinstance(whole, Green)
    ids = {id_ for id_ in whole.passed if "[" in id_}
    assert len(ids) == len(WEIRD)

    for wanted in (set(sorted(ids)[::2]), set(sorted(ids)[1::2])):
        assert project.run(PYTEST, wanted).passed == {*wanted, "test_odd.py", STEP}  # type: ignore[union-attr]


def test_items_of_other_kinds_may_have_any_name(project: Project) -> None:
    project.write(
        "conftest.py",
        r"""
        import pytest

        NAME = "two\nlines \udc80\x00 ::"

        class Odd(pytest.Item):
            def runtest(self):
                assert self.name != NAME

        @pytest.hookimpl(trylast=True)
        def pytest_collection_modifyitems(session, items):
            items += [Odd.from_parent(items[0].parent, name=name) for name in (NAME, "ok")]
        """,
    )
    project.write("test_a.py", "def test_a():\n    pass\n")

    result = red(project.run(PYTEST))

    assert result.ids == {"test_a.py::two\nlines \udc80\x00 ::"}
    assert result.passed == {"test_a.py::test_a", "test_a.py::ok", "test_a.py"}


def test_ids_and_places_are_relative_to_the_tree_from_another_folder(shop: Project) -> None:
    shop.write("pkg/setup.cfg", "[tool:pytest]\n")
    shop.write("pkg/lib.py", "def f():\n    return {}['x']\n")
    shop.write("pkg/test_lib.py", "import lib\n\n\ndef test_f():\n    lib.f()\n")

    failure = only(shop.run(f"cd pkg && {PYTEST}"))

    assert (failure.id, failure.path, failure.line) == ("pkg/test_lib.py::test_f", "pkg/lib.py", 2)
    assert isinstance(shop.run(f"{PYTEST} tests", {"tests/test_cart.py::test_empty"}), Green)
    assert red(shop.run(f"cd pkg && {PYTEST}", {"pkg/test_lib.py::test_f"})).ids == {"pkg/test_lib.py::test_f"}


def test_ids_are_relative_to_the_tree_where_pytest_begins_above_it(shop: Project) -> None:
    (shop.root.parent / "pytest.ini").write_text("[pytest]\n")

    result = red(shop.run(PYTEST))

    assert result.ids == {"tests/test_cart.py::TestTotal::test_one", "tests/test_other.py::test_other"}
    assert result.failures[0].path == "cart.py"


def test_several_processes_report_each_for_itself(shop: Project) -> None:
    result = red(shop.run(f"{PYTEST} tests/test_cart.py; {PYTEST} tests/test_other.py"))

    assert result.ids == {"tests/test_cart.py::TestTotal::test_one", "tests/test_other.py::test_other"}


def test_a_wanted_test_of_the_second_process_is_reached(shop: Project) -> None:
    wanted = "tests/test_other.py::test_other"

    result = red(shop.run(f"{PYTEST} tests/test_cart.py && {PYTEST} tests/test_other.py", {wanted}))

    assert result.ids == {wanted}


@pytest.mark.parametrize("more", ["-n 2", "-n 2 --dist loadgroup"])
def test_workers_of_xdist_do_as_one_process(shop: Project, more: str) -> None:
    shop.write("tests/test_group.py", "import pytest\n\n@pytest.mark.xdist_group('g')\ndef test_g():\n    assert 0\n")
    whole = red(shop.run(f"{PYTEST} {more}"))
    alone = red(shop.run(f"{PYTEST} {more}", {"tests/test_group.py::test_g", "tests/test_cart.py::test_empty"}))

    assert whole.ids == {
        "tests/test_cart.py::TestTotal::test_one",
        "tests/test_group.py::test_g",
        "tests/test_other.py::test_other",
    }
    assert alone.ids == {"tests/test_group.py::test_g"}
    assert alone.passed == {"tests/test_cart.py::test_empty", "tests/test_cart.py"}


def test_a_test_that_takes_its_worker_with_it_fails_under_its_own_id(shop: Project) -> None:
    shop.write("tests/test_crash.py", "import os\n\ndef test_crash():\n    os._exit(7)\n")

    assert "tests/test_crash.py::test_crash" in red(shop.run(f"{PYTEST} -n 2")).ids


def test_a_process_that_is_gone_fails_as_a_step(shop: Project) -> None:
    shop.write("tests/test_crash.py", "import os\n\ndef test_crash():\n    os._exit(7)\n")

    failure = only(shop.run(PYTEST))

    assert (failure.id, failure.message[:11]) == (STEP, "exit code 7")


def test_a_child_that_comes_to_the_end_of_the_session_reports_nothing(project: Project) -> None:
    project.write(
        "test_fork.py",
        """\
        import os

        def test_fork():
            pid = os.fork()
            assert pid, "the child"
            os.waitpid(pid, 0)
        """,
    )
    assert isinstance(project.run(PYTEST), Green)


@pytest.mark.parametrize(
    "command",
    [
        f"{PYTEST} --junitxml=theirs.xml -o junit_family=xunit2",
        f"PYTEST_ADDOPTS='-q --tb=short' {PYTEST}",
        f"PYTHONPATH=. {PYTEST}",
        f"export PYTHONPATH=\"$PWD:$PYTHONPATH\"; {PYTEST}",
        f"{PYTEST} -x",
        "@python -m pytest --stepwise",
        f"{PYTEST} --tb=no",
        f"{PYTEST} --tb=line",
        f"{PYTEST} --tb=native",
        f"PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 {PYTEST}",
        f"{PYTEST} -W error --strict-markers",
        f"set -e\n# it's a comment\n{PYTEST} \\\n  tests",
    ],
)  # fmt: skip
def test_what_the_step_asks_of_pytest_does_not_get_in_the_way(shop: Project, command: str) -> None:
    result = red(shop.run(command, reports=("theirs.xml",)))

    assert [(failure.id, failure.path, failure.type) for failure in result.failures] == [
        ("tests/test_cart.py::TestTotal::test_one", "cart.py", "KeyError"),
        ("tests/test_other.py::test_other", "tests/test_other.py", "AssertionError"),
    ]
    assert "tests/test_cart.py::test_empty" in result.passed


def test_what_the_step_writes_for_itself_is_written(shop: Project) -> None:
    shop.run(f"{PYTEST} --junitxml=theirs.xml")

    assert b"selfheal" not in (shop.root / "theirs.xml").read_bytes()


def test_a_step_that_hides_the_plugin_is_judged_as_a_whole_and_told_why(shop: Project) -> None:
    failure = only(shop.run(f"env -u PYTHONPATH {PYTEST}"))

    assert failure.id == STEP
    assert failure.message.startswith("pytest did not load selfheal's plugin, which comes through PYTHONPATH: ")
    assert isinstance(shop.run(f"env -u PYTHONPATH {PYTEST} tests/test_cart.py::test_empty"), Green)


def test_a_step_that_collects_tests_alone_needs_none_to_pass(shop: Project) -> None:
    assert isinstance(shop.run(f"{PYTEST} --collect-only"), Green)


@pytest.mark.parametrize(
    ("files", "more", "message"),
    [
        (
            {"conftest.py": "def pytest_collection_finish(session):\n    raise ValueError('x')\n"},
            "",
            "pytest had an internal",
        ),
        ({}, "--no-such-option", "pytest: usage error: unrecognized arguments: --no-such-option"),
        ({}, "tests/nowhere.py", "pytest: usage error: file or directory not found: tests/nowhere.py"),
        ({"conftest.py": "import nothing_like_that\n"}, "", "pytest could not start: ModuleNotFoundError: No module named"),
        ({"conftest.py": "def pytest_runtest_call():\n    raise KeyboardInterrupt\n"}, "", "pytest was interrupted"),
        ({}, "-k nothing", "no test was collected"),
        ({}, "-k test_a && exit 3", "exit code 3 though no test failed"),
        ({"test_a.py": "import pytest\n@pytest.mark.skip\ndef test_a():\n    pass\n"}, "", "every test was skipped"),
        ({"test_a.py": "import pytest\npytest.skip('no', allow_module_level=True)\n"}, "; true", "every test was skipped"),
    ],
)
def test_names_what_happened_when_no_test_tells(project: Project, files: dict[str, str], more: str, message: str) -> None:
    for path, text in {"test_a.py": "def test_a():\n    pass\n", **files}.items():
        project.write(path, text)

    failure = only(project.run(f"{PYTEST} {more}"))

    assert failure.id == STEP
    assert failure.message.startswith(message), failure.message


def test_a_pytest_that_is_not_there_is_named(shop: Project) -> None:
    assert only(shop.run(".nowhere/bin/pytest -q")).message == "exit code 127: `.nowhere/bin/pytest` was not found"


def test_a_doctest_is_told_by_what_it_expected(project: Project) -> None:
    project.write("README.md", "# Usage\n\n```pycon\n>>> 1 + 1\n3\n\n```\n\n```pycon\n>>> {}['x']\n1\n\n```\n")
    project.write("a.py", 'def f():\n    """\n    >>> f()\n    1\n    """\n    raise KeyError("x")\n')

    told = red(project.run(f"{PYTEST} --doctest-glob='*.md' --doctest-modules")).failures

    readme, module = sorted(told, key=lambda failure: failure.id)
    assert (readme.message, readme.type, readme.path) == ("Expected 3, got 2", "DocTestFailure", "README.md")
    assert module.message == "KeyError: 'x'"


def test_skipped_and_expected_to_fail_is_neither_passed_nor_failed(project: Project) -> None:
    project.write(
        "test_a.py",
        """\
        import unittest

        import pytest

        def test_ok(): pass

        @pytest.mark.skip
        def test_skip(): assert 0

        @pytest.mark.xfail
        def test_xfail(): assert 0

        @pytest.mark.xfail
        def test_xpass(): pass

        @pytest.mark.xfail(strict=True)
        def test_strict(): pass

        @unittest.skip("no")
        class TestClass(unittest.TestCase):
            def test_m(self): assert 0
        """,
    )
    project.write("test_b.py", "import pytest\npytest.skip('no', allow_module_level=True)\n")

    result = red(project.run(PYTEST))

    assert result.passed == {"test_a.py::test_ok", "test_a.py"}
    assert result.ids == {"test_a.py::test_strict"}


def test_fixtures_that_fail_fail_the_test(project: Project) -> None:
    project.write(
        "test_a.py",
        """\
        import pytest

        @pytest.fixture
        def before(): raise KeyError("before")

        @pytest.fixture
        def after():
            yield
            raise KeyError("after")

        def test_before(before): pass

        def test_after(after): pass

        def test_both(after): assert 0, "itself"
        """,
    )

    before, after, both = red(project.run(PYTEST)).failures

    assert (before.id, before.message) == ("test_a.py::test_before", "KeyError: 'before'")
    assert (after.id, after.message) == ("test_a.py::test_after", "KeyError: 'after'")
    assert (both.id, both.message) == ("test_a.py::test_both", "AssertionError: itself")


def test_shows_what_the_failing_test_printed(project: Project) -> None:
    project.write("test_a.py", "def test_a():\n    print('a clue \\x07')\n    assert 0\n")

    assert "a clue \\x07" in only(project.run(PYTEST)).text


def test_sessions_inside_of_tests_are_no_part_of_the_step(project: Project) -> None:
    project.write("conftest.py", "pytest_plugins = ['pytester']\n")
    project.write(
        "test_plugin.py",
        """\
        import pytest

        @pytest.mark.parametrize("run", ["runpytest_subprocess", "runpytest_inprocess"])
        def test_inner(pytester, run):
            pytester.makepyfile("def test_fails(): assert 0")
            getattr(pytester, run)().assert_outcomes(failed=1)
        """,
    )

    result = project.run(PYTEST)

    assert isinstance(result, Green)
    assert len(result.passed) == 4


def test_several_sessions_of_one_process_are_reported_all(shop: Project) -> None:
    shop.write("run.py", "import pytest\nfor name in 'cart', 'other':\n    pytest.main(['-q', f'tests/test_{name}.py'])\n")

    result = shop.run("@python -c 'import run' -m pytest")

    assert len(red(result).failures) == 2


def test_build_comes_first_and_stops_the_step(shop: Project) -> None:
    step = Step("tests", "pytest", build=("echo 1 >built", "false", "echo 2 >never"))

    run = shop.sandbox(PythonRunner().command(step))

    assert run.exit_code == 1
    assert (shop.root / "built").exists()
    assert not (shop.root / "never").exists()


KNOWN = [
    "pytest",
    "py.test -q",
    "python -m pytest",
    "python3.11 -X dev -m pytest tests",
    ".venv/bin/pytest -q",
    "/opt/x/bin/python -m pytest",
    "uv run pytest",
    "uv run --with x==1 -- python -m pytest -q",
    "uvx --from pytest==8 pytest",
    "poetry run pytest",
    "coverage run -m pytest && coverage report",
    "python -m coverage run --source x -m pytest",
    "FOO=1 BAR='a b' pytest",
    "env FOO=1 pytest",
    "cd x && pytest",
    "(cd x; pytest)",
    "set -e\npip install .\npytest",
    "if true; then pytest; fi",
    "timeout 60 pytest",
    "bash -c 'cd x && pytest -q'",
    "pip install pytest && pytest",
    "pytest|tee log",
    "! pytest",
]
UNKNOWN = [
    "",
    "make test",
    "tox -e py",
    "nox",
    "hatch test",
    "pip install pytest",
    "uv pip install pytest",
    "poetry add pytest",
    "uv run --with pytest python run.py",
    "echo pytest",
    "python pytest.txt",
    "python -m unittest",
    "pytest-watch",
    "cat <<X\n'\nX",
    "ruff check tests/pytest",
]


@pytest.mark.parametrize(("commands", "known"), [(KNOWN, True), (UNKNOWN, False)])
def test_recognises_pytest_by_the_words_of_the_command(commands: Sequence[str], known: bool) -> None:
    assert {command: starts_pytest(command) for command in commands} == dict.fromkeys(commands, known)
