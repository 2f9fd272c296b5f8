"""unittest is run for real, however it is started: what is read of it are the project's tests, by ids relative to the tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from selfheal_ci.values import Failure, Green, Red, Result

if TYPE_CHECKING:
    from tests.unit.runners.conftest import Project

STEP = "step:tests"
UNITTEST = "@python -m unittest"
MORE = "tests/test_more.py::TestMore::test_more"
ONE = "tests/test_cart.py::TestTotal::test_one"
EMPTY = "tests/test_cart.py::TestTotal::test_empty"


def red(result: Result) -> Red:
    assert isinstance(result, Red), result
    return result


def only(result: Result) -> Failure:
    (failure,) = red(result).failures
    return failure


@pytest.fixture
def shop(project: Project) -> Project:
    project.write(
        "cart.py", "def price(item):\n    return item['price']\n\n\ndef total(items):\n    return sum(map(price, items))\n"
    )
    project.write("tests/__init__.py", "")
    project.write(
        "tests/test_cart.py",
        """\
        import unittest

        from cart import total


        class TestTotal(unittest.TestCase):
            def test_empty(self):
                self.assertEqual(total([]), 0)

            def test_one(self):
                self.assertEqual(total([{"cost": 3}]), 3)


        if __name__ == "__main__":
            unittest.main()
        """,
    )
    project.write(
        "tests/test_more.py",
        "import unittest\n\nclass TestMore(unittest.TestCase):\n    def test_more(self):\n        self.assertEqual(1, 2)\n",
    )
    project.write("Makefile", "test:\n\tcd tests && $(PYTHON) -m unittest discover -t ..\n")
    project.write("all.sh", 'exec "$1" -m unittest -v tests.test_cart tests.test_more\n')
    return project


@pytest.mark.parametrize(
    "command",
    [
        UNITTEST,
        f"{UNITTEST} -v -f",
        f"{UNITTEST} -b -c",
        f"{UNITTEST} discover -s tests -t .",
        f"{UNITTEST} tests.test_cart tests.test_more",
        f"{UNITTEST} tests.test_cart.TestTotal tests.test_more.TestMore.test_more",
        f"{UNITTEST} tests/test_cart.py tests/test_more.py",
        f"cd tests && PYTHONPATH=..:. {UNITTEST} test_cart test_more",
        f"PYTHONPATH=. @python tests/test_cart.py; {UNITTEST} -k more",
        "make test PYTHON=@python",
        "sh all.sh @python",
        "@python -W error -m unittest",
        "env -u LANG @python -m unittest",
        '@python -c \'import unittest; unittest.main("tests.test_cart", exit=False); unittest.main("tests.test_more")\'',
    ],
)
def test_tells_what_passes_and_what_fails_and_where(shop: Project, command: str) -> None:
    result = red(shop.run(command))

    assert result.passed == {EMPTY, "tests/test_cart.py"}
    one, more = sorted(result.failures, key=lambda failure: failure.id)
    assert (one.id, one.type, one.message, one.path, one.line) == (ONE, "KeyError", "KeyError: 'price'", "cart.py", 2)
    assert (more.id, more.type, more.message) == (MORE, "AssertionError", "AssertionError: 1 != 2")
    assert (more.path, more.line) == ("tests/test_more.py", 5)


@pytest.mark.parametrize(
    "command",
    [
        UNITTEST,
        f"{UNITTEST} tests.test_cart && {UNITTEST} tests.test_more && {UNITTEST} tests.test_cart",
        "make test PYTHON=@python",
        f"PYTHONPATH=. @python tests/test_cart.py && {UNITTEST} tests.test_more",
    ],
)
def test_runs_the_wanted_tests_alone(shop: Project, command: str) -> None:
    fine = shop.run(command, {EMPTY})

    assert isinstance(fine, Green)
    assert fine.passed == {EMPTY, "tests/test_cart.py", STEP}


def test_a_wanted_test_of_the_second_process_is_reached(shop: Project) -> None:
    assert red(shop.run(f"{UNITTEST} tests.test_cart && {UNITTEST} tests.test_more", {MORE})).ids == {MORE}


def test_a_wanted_file_is_run_whole_and_others_do_no_harm(shop: Project) -> None:
    shop.write("tests/test_broken.py", "import nothing_like_that\n")

    result = red(shop.run(UNITTEST, {"tests/test_cart.py"}))

    assert result.ids == {ONE}
    assert result.passed == {EMPTY, "tests/test_cart.py"}


def test_a_wanted_test_that_is_not_there_is_not_passed(shop: Project) -> None:
    result = shop.run(UNITTEST, {"tests/test_gone.py::TestGone::test_gone"})

    assert not {id_ for id_ in result.passed if "::" in id_}  # type: ignore[union-attr]


@pytest.mark.parametrize("command", [UNITTEST, f"{UNITTEST} tests.test_cart", f"{UNITTEST} discover tests -t ."])
def test_a_file_that_cannot_be_imported_fails_by_its_path(shop: Project, command: str) -> None:
    (shop.root / "tests/test_more.py").unlink()
    shop.write("cart.py", "def totals(items):\n    return 0\n")
    failure = only(shop.run(command))

    assert (failure.id, failure.type, failure.path, failure.line) == (
        "tests/test_cart.py",
        "ImportError",
        "tests/test_cart.py",
        3,
    )
    assert failure.message.startswith("ImportError: cannot import name 'total'")
    assert only(shop.run(command, {"tests/test_cart.py"})).id == "tests/test_cart.py"


def test_classes_and_modules_that_cannot_be_set_up_fail_with_each_of_their_tests(project: Project) -> None:
    project.write(
        "test_a.py",
        """\
        import unittest

        class TestClass(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                raise KeyError("x")

            def test_a(self): pass
            def test_b(self): pass

        class TestDown(unittest.TestCase):
            @classmethod
            def tearDownClass(cls):
                raise KeyError("y")

            def test_c(self): pass
        """,
    )
    project.write(
        "test_b.py",
        """\
        import unittest
        from unittest import TestCase

        def setUpModule():
            raise KeyError("z")

        class TestModule(TestCase):
            def test_d(self): pass
        """,
    )

    result = red(project.run(UNITTEST))

    assert {failure.id: failure.message for failure in result.failures} == {
        "test_a.py::TestClass::test_a": "KeyError: 'x'",
        "test_a.py::TestClass::test_b": "KeyError: 'x'",
        "test_a.py::TestDown::test_c": "KeyError: 'y'",
        "test_b.py::TestModule::test_d": "KeyError: 'z'",
    }
    assert result.passed == frozenset()
    assert red(project.run(UNITTEST, {"test_a.py::TestClass::test_a"})).ids == {"test_a.py::TestClass::test_a"}


def test_outcomes_of_all_kinds(project: Project) -> None:
    project.write(
        "test_a.py",
        """\
        import unittest

        class TestA(unittest.TestCase):
            def test_ok(self): pass

            @unittest.skip("no")
            def test_skip(self): assert 0

            @unittest.expectedFailure
            def test_xfail(self): assert 0

            @unittest.expectedFailure
            def test_xpass(self): pass

            def test_parts(self):
                for n in range(3):
                    with self.subTest(n=n):
                        self.assertNotEqual(n, 1)

            def test_skipped_part(self):
                with self.subTest(n=1):
                    self.skipTest("no")

        @unittest.skip("no")
        class TestB(unittest.TestCase):
            def test_b(self): assert 0
        """,
    )

    result = red(project.run(UNITTEST))

    assert {failure.id: failure.message for failure in result.failures} == {
        "test_a.py::TestA::test_xpass": "passed, though it is expected to fail",
        "test_a.py::TestA::test_parts": "AssertionError: 1 == 1",
    }
    assert "test_a.py::TestA::test_ok" in result.passed
    assert "test_a.py::TestB::test_b" not in result.passed


def test_runs_inside_of_tests_are_no_part_of_the_step(project: Project) -> None:
    project.write(
        "test_a.py",
        """\
        import subprocess, sys, unittest

        class Inner(unittest.TestCase):
            def fails(self): assert 0

        class TestA(unittest.TestCase):
            def test_inside(self):
                for result in unittest.TestResult(), unittest.TextTestResult(sys.stderr, True, 1):
                    result.startTestRun()
                    unittest.TestSuite([Inner("fails")]).run(result)
                    result.stopTestRun()
                    self.assertEqual(len(result.failures), 1)

            def test_process(self):
                self.assertNotEqual(subprocess.call([sys.executable, "-m", "unittest", "test_a.Inner.fails"]), 0)
        """,
    )
    for ids in (None, {"test_a.py::TestA::test_inside", "test_a.py::TestA::test_process"}):
        result = project.run(UNITTEST, ids)

        assert isinstance(result, Green)
        assert result.passed == {"test_a.py::TestA::test_inside", "test_a.py::TestA::test_process", "test_a.py", STEP}


def test_results_of_another_class_and_runners_of_their_own(shop: Project) -> None:
    shop.write(
        "run.py",
        """\
        import sys, unittest

        class Result(unittest.TestResult):
            def startTestRun(self): pass

        class Runner:
            def run(self, suite):
                result = Result()
                result.startTestRun()
                suite(result)
                return result

        suite = unittest.defaultTestLoader.discover(".")
        sys.exit(not Runner().run(suite).wasSuccessful())
        """,
    )

    assert red(shop.run("@python run.py")).ids == {ONE, MORE}
    assert isinstance(shop.run("@python run.py", {EMPTY}), Green)


def test_test_cases_that_pytest_runs_are_reported_once(shop: Project) -> None:
    shop.write("conftest.py", "import unittest.mock\n")

    assert red(shop.run("@python -m pytest -q -p no:cacheprovider")).ids == {ONE, MORE}


def test_both_tools_in_one_step(shop: Project) -> None:
    shop.write("test_plain.py", "def test_plain():\n    assert 0\n")

    result = red(shop.run(f"{UNITTEST}; @python -m pytest -q -p no:cacheprovider test_plain.py"))

    assert result.ids == {ONE, MORE, "test_plain.py::test_plain"}


def test_another_sitecustomize_is_run_as_well(shop: Project) -> None:
    shop.write("site/sitecustomize.py", "import builtins\nbuiltins.theirs = __file__\n")
    shop.write("tests/test_more.py", "import unittest\nclass T(unittest.TestCase):\n    def test_t(self):\n        theirs\n")

    result = shop.run(f"export PYTHONPATH=site; {UNITTEST} tests.test_more")

    assert isinstance(result, Green)
    assert "tests/test_more.py::T::test_t" in result.passed


def test_a_sitecustomize_that_breaks_is_told_as_python_tells_it(project: Project) -> None:
    project.write("site/sitecustomize.py", "import nothing_like_that\n")

    result = project.run("export PYTHONPATH=site; @python -c 'print(1)'; false")

    assert "No module named 'nothing_like_that'" in red(result).run.output.text


def test_pythons_that_see_nothing_of_it_are_judged_as_a_whole(shop: Project) -> None:
    for command in (
        f"env -u PYTHONPATH {UNITTEST}",
        '@python -I -c \'import sys, unittest; sys.path[:0] = ["."]; unittest.main("tests.test_cart")\'',
    ):
        assert only(shop.run(command)).id == STEP


def test_a_run_without_tests_is_judged_by_its_exit_code(project: Project) -> None:
    project.write("a.py", "")

    assert isinstance(project.run(f"{UNITTEST} discover -s . || true"), Green)


def test_lines_are_traced(shop: Project) -> None:
    paths = {"cart.py", "tests/test_cart.py"}
    found = shop.trace(UNITTEST, {EMPTY, ONE}, paths)

    assert {id_: sorted(line for path, line in lines if path == "cart.py") for id_, lines in found.items()} == {
        "": [1, 5],
        EMPTY: [6],
        ONE: [2, 6],
    }


def test_nothing_of_ours_is_measured_by_their_coverage(shop: Project) -> None:
    """A stand-in for coverage: which files a trace function hears of."""
    shop.write(
        "measure.py",
        """\
        import runpy, sys
        seen = set()
        sys.settrace(lambda frame, *_: seen.add(frame.f_code.co_filename))
        try:
            runpy.run_module("unittest", run_name="__main__")
        finally:
            sys.settrace(None)
            print([name for name in seen if "selfheal" in name and not name.startswith("<") and "/tree/" not in name])
        """,
    )

    assert "\n[]\n" in red(shop.run("@python measure.py")).run.output.text
