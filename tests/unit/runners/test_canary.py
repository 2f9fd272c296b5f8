"""Tests that must fail, put into real test files and run by the real tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from selfheal_ci.ports import Canary
from selfheal_ci.runners import runner_for
from selfheal_ci.runners.canary import planted
from selfheal_ci.values import Planted, Red, Result, Step

if TYPE_CHECKING:
    from tests.unit.runners.conftest import Project

FUNCTION = "from cart import total\n\n\ndef test_total():\n    assert total() == 3"  # without an end of its last line
METHOD = """\
import unittest
from cart import total


class TestTotal(unittest.TestCase):
    def test_total(self):
        self.assertEqual(total(), 3)


if __name__ == "__main__":
    unittest.main()
"""
PYTEST, UNITTEST = "@python -m pytest -q", "@python -m unittest discover -s tests -t ."
ID = {FUNCTION: "tests/test_cart.py::test_total", METHOD: "tests/test_cart.py::TestTotal::test_total"}
SHADOWS = [  # what makes every test pass, as a candidate would bring it in
    "import _pytest.python, _pytest.unittest\n"
    "_pytest.python.Function.runtest = lambda self: None\n_pytest.unittest.TestCaseFunction.runtest = lambda self: None\n",
    "import unittest\nunittest.TestCase.assertEqual = lambda *_: None\n",
    "import unittest\nunittest.TestCase._callTestMethod = lambda self, method: None\n",
]


def sing(project: Project, command: str, id_: str) -> tuple[Planted, Result]:
    """What is planted beside a test, and what the run with it says."""
    step = Step("tests", project.line(command))
    runner = runner_for(step)
    assert isinstance(runner, Canary)
    found = runner.canary({id_}, lambda path: (project.root / path).read_bytes())
    assert found
    for path, content in found.changes.files.items():
        assert content
        (project.root / path).write_bytes(content.data)
    return found, project.run(command, {id_, *found.ids})


@pytest.mark.parametrize(
    ("command", "test"), [(PYTEST, FUNCTION), (PYTEST, METHOD), (f"{PYTEST} -x", FUNCTION), (UNITTEST, METHOD)]
)
def test_all_of_it_fails_and_what_it_stands_beside_passes(project: Project, command: str, test: str) -> None:
    project.write("cart.py", "def total():\n    return 3\n")
    project.write("tests/__init__.py", "")
    project.write("tests/test_cart.py", test)

    found, result = sing(project, command, ID[test])

    assert isinstance(result, Red)
    assert result.ids == found.ids
    assert ID[test] in result.passed


def test_it_stands_before_what_starts_the_tests(project: Project) -> None:
    project.write("cart.py", "def total():\n    return 3\n")
    project.write("tests/test_cart.py", METHOD)

    found, result = sing(project, "PYTHONPATH=. @python tests/test_cart.py", ID[METHOD])

    assert isinstance(result, Red)
    assert result.ids == found.ids


@pytest.mark.parametrize(
    ("command", "shadow"), [*((PYTEST, shadow) for shadow in SHADOWS), *((UNITTEST, shadow) for shadow in SHADOWS[1:])]
)
def test_what_makes_every_test_pass_makes_it_pass(project: Project, command: str, shadow: str) -> None:
    project.write("cart.py", f"{shadow}\ndef total():\n    return 2\n")
    project.write("tests/__init__.py", "")
    project.write("tests/test_cart.py", METHOD)

    found, result = sing(project, command, ID[METHOD])

    assert result.passes({ID[METHOD]})  # the attack works
    assert result.passes(found.ids)


@pytest.mark.parametrize(
    ("ids", "files"),
    [
        ({"step:tests"}, {}),
        ({"cart.py::cart.total"}, {"cart.py": b"x = 1\n"}),  # a doctest
        ({"tests/test_a.js::adds"}, {"tests/test_a.js": b"it()"}),
        ({"tests/test_a.py::test_a"}, {"tests/test_a.py": b"def ("}),
        ({"tests/test_a.py::test_a"}, {}),
    ],
)
def test_none_where_no_test_of_python_stands(ids: set[str], files: dict[str, bytes]) -> None:
    assert planted(ids, files.get) is None


def test_its_names_are_new_each_time_and_tell_nothing() -> None:
    one, other = (planted({"tests/test_a.py::test_a"}, {"tests/test_a.py": b"x = 1\n"}.get) for _ in range(2))

    assert one
    assert other
    assert one.ids.isdisjoint(other.ids)
    assert not any(word in str(sorted(one.ids)).lower() for word in ("selfheal", "canary"))
