"""pytest is run for real, and asked for the lines of the tree that each test executes."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from selfheal_ci.runners import runner_for
from selfheal_ci.runners.trace import read_lines
from selfheal_ci.values import Line, Step

if TYPE_CHECKING:
    from tests.unit.runners.conftest import Project

PYTEST = "@python -m pytest -q -p no:cacheprovider"
CART = """\
RATE = 2


def price(item):
    return item["price"]


def total(items):
    if not items:
        return 0
    return sum(price(item) for item in items)


def taxed(items):
    return RATE * total(items)
"""


@pytest.fixture
def shop(project: Project) -> Project:
    project.write("cart.py", CART)
    project.write(
        "tests/test_cart.py",
        """\
        import pytest

        from cart import taxed, total


        @pytest.mark.parametrize("prices", [[], [1]], ids=["none", "one::"])
        def test_total(prices):
            assert total([{"price": price} for price in prices]) == sum(prices)


        def test_fails():
            total([{"cost": 1}])
        """,
    )
    return project


def lines(project: Project, step: str, ids: Collection[str] | None = None, *, of: str = "cart.py") -> dict[str, list[int]]:
    """The lines of one file, by test."""
    return {id_: sorted(line for path, line in all_ if path == of) for id_, all_ in trace(project, step, ids).items()}


def trace(project: Project, step: str, ids: Collection[str] | None = None) -> dict[str, frozenset[Line]]:
    everything = {str(path.relative_to(project.root)) for path in project.root.rglob("*.py")}
    return dict(project.trace(step, ids, everything))


def test_tells_the_lines_of_each_test_and_those_of_imports(shop: Project) -> None:
    assert lines(shop, PYTEST) == {
        "": [1, 4, 8, 14],
        "tests/test_cart.py::test_total[none]": [9, 10],
        "tests/test_cart.py::test_total[one::]": [5, 9, 11],
        "tests/test_cart.py::test_fails": [5, 9, 11],
    }
    assert ("tests/test_cart.py", 12) in trace(shop, PYTEST)["tests/test_cart.py::test_fails"]


def test_only_the_wanted_tests_are_traced(shop: Project) -> None:
    assert lines(shop, PYTEST, {"tests/test_cart.py::test_total[none]"}) == {
        "": [1, 4, 8, 14],
        "tests/test_cart.py::test_total[none]": [9, 10],
    }


def test_a_run_that_is_not_traced_says_nothing_of_lines(shop: Project) -> None:
    step = Step("tests", shop.line(PYTEST))
    runner = runner_for(step)

    assert read_lines(shop.sandbox(runner.command(step)).reports, {"cart.py"}) == {}


def test_workers_of_xdist_are_traced(shop: Project) -> None:
    assert lines(shop, f"{PYTEST} -n 2") == lines(shop, PYTEST)


def test_threads_generators_fixtures_and_exceptions_count_for_the_test_that_runs(project: Project) -> None:
    project.write(
        "lib.py",
        """\
        def thread():
            return 1

        def numbers():
            yield 1
            yield 2

        def fails():
            raise KeyError

        def cleans():
            return 1

        async def waits():
            return 1
        """,
    )
    project.write(
        "test_lib.py",
        """\
        import asyncio
        import lib, threading, concurrent.futures as futures
        import pytest

        POOL = futures.ThreadPoolExecutor(1)

        @pytest.fixture
        def clean():
            yield
            lib.cleans()

        def test_thread():
            thread = threading.Thread(target=lib.thread)
            thread.start()
            thread.join()

        @pytest.mark.parametrize("n", [1, 2])
        def test_pool(n):
            assert POOL.submit(lib.thread).result() == 1

        def test_generator():
            assert next(lib.numbers()) == 1

        def test_exception(clean):
            with pytest.raises(KeyError):
                lib.fails()

        def test_async():
            assert asyncio.new_event_loop().run_until_complete(lib.waits()) == 1
        """,
    )

    found = lines(project, PYTEST, of="lib.py")

    assert found == {
        "": [1, 4, 8, 11, 14],
        "test_lib.py::test_thread": [2],
        "test_lib.py::test_pool[1]": [2],
        "test_lib.py::test_pool[2]": [2],
        "test_lib.py::test_generator": [5],
        "test_lib.py::test_exception": [9, 12],
        "test_lib.py::test_async": [15],
    }


def test_imports_inside_of_tests_and_in_conftest_count_for_all(project: Project) -> None:
    project.write(
        "late.py", "class A:\n    x = 1\n\n    def f(self):\n        class B:\n            y = 2\n\n        return B.y\n"
    )
    project.write("early.py", "X = 1\n")
    project.write("tests/conftest.py", "import early\n")
    project.write("tests/test_a.py", "def test_a():\n    import late\n    late.A().f()\n")

    assert lines(project, f"{PYTEST} tests", of="late.py") == {"": [1, 2, 4], "tests/test_a.py::test_a": [5, 6, 8]}
    assert lines(project, f"{PYTEST} tests", of="early.py")[""] == [1]


def test_a_file_that_cannot_be_imported_shows_how_far_it_came(project: Project) -> None:
    project.write("lib.py", "A = 1\nB = A.b\nC = 2\n")
    project.write("test_lib.py", "import lib\n")

    assert lines(project, PYTEST, of="lib.py") == {"": [1, 2]}


def test_test_cases_of_unittest_are_traced(shop: Project) -> None:
    shop.write(
        "test_case.py",
        """\
        import unittest
        import cart

        class TestCart(unittest.TestCase):
            def setUp(self):
                cart.total([])

            def test_taxed(self):
                cart.taxed([])
        """,
    )

    assert lines(shop, f"{PYTEST} test_case.py") == {"": [1, 4, 8, 14], "test_case.py::TestCart::test_taxed": [9, 10, 15]}


def test_installed_packages_are_not_traced(project: Project) -> None:
    project.write("lib/site-packages/installed.py", "def f():\n    return 1\n")
    project.write("test_a.py", "import installed\n\ndef test_a():\n    installed.f()\n")

    found = trace(project, f"export PYTHONPATH=lib/site-packages; {PYTEST}")

    assert {path for all_ in found.values() for path, _ in all_} == {"test_a.py"}


def test_who_traces_already_is_left_alone(shop: Project) -> None:
    shop.write(
        "run.py",
        "import pytest, sys\nsys.theirs = lambda *_: None\nsys.settrace(sys.theirs)\npytest.main(['-q'])\nassert sys.gettrace() is sys.theirs\nopen('kept', 'w')\n",
    )

    assert trace(shop, "@python -c 'import run'") == {}
    assert (shop.root / "kept").exists()


def test_a_test_that_takes_the_trace_away_hides_only_its_own_lines(shop: Project) -> None:
    shop.write(
        "tests/test_a.py", "import sys\n\ndef test_a():\n    sys.settrace(None)\n    import cart\n    cart.total([])\n"
    )

    found = lines(shop, PYTEST)

    assert found["tests/test_a.py::test_a"] == []
    assert found["tests/test_cart.py::test_total[none]"] == [9, 10]


def test_sessions_inside_of_tests_are_no_part_of_the_trace(project: Project) -> None:
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

    assert set(trace(project, PYTEST)) == {
        "",
        "test_plugin.py::test_inner[runpytest_subprocess]",
        "test_plugin.py::test_inner[runpytest_inprocess]",
    }


def report(sets: object, tests: object) -> bytes:
    return json.dumps({"sets": sets, "tests": tests}).encode()


GOOD = report([["a.py", "06"], ["b.py", "02"]], [["t", [0]], ["", [0, 1]]])


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"[" * 100_000,
        b"\xff",
        b"[]",
        b'{"sets": 1, "tests": 2}',
        b'{"sets": [["a.py", "0"]], "tests": [["bad", [0]]]}',
        b'{"sets": [["a.py", "zz"]], "tests": [["bad", [0]]]}',
        b'{"sets": [["a.py"]], "tests": [["bad", [0]]]}',
        b'{"sets": [], "tests": [[1, [0]]]}',
        b'{"sets": [], "tests": [["' + b"i" * 5000 + b'", []]]}',
    ],
)
def test_a_report_that_is_none_hides_no_other(bad: bytes) -> None:
    reports = {"selfheal-trace-1-0.json": bad, "selfheal-trace-2-0.json": GOOD, "other.json": b"{}"}

    assert read_lines(reports, {"a.py"}) == {"t": {("a.py", 1), ("a.py", 2)}, "": {("a.py", 1), ("a.py", 2)}}


def test_paths_and_numbers_that_are_not_there_are_left_out() -> None:
    odd = report(
        [["../x", "02"], ["a.py", "03"], [5, "02"], ["a.py", 5]], [["t", [0, 1, 2, 3, 4, -1, "x", True, 1.0]], ["u", 7]]
    )

    assert read_lines({"selfheal-trace-1-0.json": odd}, {"a.py"}) == {"t": {("a.py", 1)}, "u": frozenset()}


def test_the_reports_of_several_processes_are_one() -> None:
    other = report([["a.py", "08"]], [["", [0]], ["t", [0]]])

    found = read_lines({"selfheal-trace-1-0.json": GOOD, "selfheal-trace-2-0.json": other}, {"a.py", "b.py"})

    assert found == {"t": {("a.py", n) for n in (1, 2, 3)}, "": {("a.py", 1), ("a.py", 2), ("a.py", 3), ("b.py", 1)}}


def test_lines_are_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfheal_ci.runners.trace.LINES", 3)
    many = report([["a.py", "06"]], [[f"t{number}", [0]] for number in range(5)])

    assert set(read_lines({"selfheal-trace-1-0.json": many}, {"a.py"})) == {"t0"}


def test_the_command_is_the_usual_one_but_for_the_trace() -> None:
    step = Step("tests", "pytest")
    runner = runner_for(step)
    plain, traced = runner.command(step, {"a"}), runner.traced(step, {"a"})  # type: ignore[attr-defined]

    assert replace(traced, env={name: traced.env[name] for name in plain.env}) == plain
