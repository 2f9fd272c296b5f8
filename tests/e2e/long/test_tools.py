"""Other ways to start tests than pytest itself, as a person meets them: the failures are tests, and each is healed alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import Files, a_repository
from tests.e2e.test_heal import BROKEN, GREEN, selfheal

CASES: Files = {
    "tests/__init__.py": "",
    "tests/test_cases.py": (
        "import unittest\n\nfrom calc.core import add, double\n\n\nclass TestCore(unittest.TestCase):\n"
        "    def test_add(self):\n        self.assertEqual(add(2, 3), 5)\n\n"
        "    def test_double(self):\n        self.assertEqual(double(4), 8)\n"
    ),
}
MORE: Files = {"more/test_more.py": "def test_more():\n    assert True\n"}
MAKEFILE = "test:\n\t@python -m pytest -q more\n\t@python -m pytest -q tests\n\t@echo done\n"
SCRIPT = "#!/bin/sh\nset -e\ncd tests\npython -m pytest -q --rootdir .. .\npython -m pytest -q ../more\n"
BY_PYTEST = "tests/test_core.py::test_add"
BY_UNITTEST = "tests/test_cases.py::TestCore::test_add"


@pytest.mark.parametrize(
    ("run", "files", "failing"),
    [
        ("make --silent test", {"Makefile": MAKEFILE, "conftest.py": "", **MORE}, BY_PYTEST),
        ("sh ci/test.sh", {"ci/test.sh": SCRIPT, "conftest.py": "", **MORE}, BY_PYTEST),
        ("python -m unittest -v", CASES, BY_UNITTEST),
        ("python -m unittest discover -s tests -t .", CASES, BY_UNITTEST),
        ("make --silent test", {"Makefile": "test:\n\tpython -m unittest -f tests.test_cases\n", **CASES}, BY_UNITTEST),
    ],
    ids=["make", "script", "unittest", "unittest-discover", "make-unittest"],
)
def test_heals_what_another_tool_starts(tmp_path: Path, run: str, files: Files, failing: str) -> None:
    config = f'[steps.tests]\nrun = "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 {run}"\n'
    project = a_repository(tmp_path / "project", {**GREEN, **files, ".selfheal.toml": config}, BROKEN)

    ended = selfheal(project, "heal", "--no-model")

    assert ended.exit_code == 0, ended.stderr
    assert [failure["id"] for failure in ended.told["failures"]] == [failing]
    assert ended.told["diagnosis"]["culprit"]["path"] == "calc/core.py"
    assert ended.told["evidence"]["red_to_green"] == [failing]
    assert "+    return a + b\n" in (ended.folder / "fix.patch").read_text()


def test_a_step_that_hides_the_tests_is_healed_as_a_whole(tmp_path: Path) -> None:
    config = '[steps.tests]\nrun = "env -i PATH=\\"$PATH\\" PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest -q"\n'
    project = a_repository(tmp_path / "project", {**GREEN, ".selfheal.toml": config}, BROKEN)

    ended = selfheal(project, "heal", "--no-model")

    assert ended.exit_code == 0, ended.stderr
    assert [failure["id"] for failure in ended.told["failures"]] == ["step:tests"]
    assert "did not load selfheal's plugin" in ended.told["failures"][0]["message"]
