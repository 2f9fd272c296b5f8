"""Small edits heal what no revert can: real git, real pytest, the real sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import Files, a_repository
from tests.e2e.test_heal import selfheal

CONFIG = '[steps.tests]\nrun = "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest -q"\n'
PAGES = '''"""Pages of a list."""


def pages(items, size):
    """How many pages of a size the items need."""
    full, rest = divmod(len(items), size)
    return full if rest == 0 else full - 1


def page(items, number, size):
    """The items of one page, from 1."""
    start = (number - 1) * size
    return items[start : start + size]
'''
TESTS = """from pages import page, pages


def test_full_pages():
    assert pages([1, 2, 3, 4], 2) == 2


def test_a_page_that_is_not_full():
    assert pages([1, 2, 3], 2) == 2
    assert pages([1, 2, 3, 4, 5, 6, 7], 3) == 3


def test_fewer_items_than_a_page():
    assert pages([1], 5) == 1


def test_page():
    assert page([1, 2, 3], 2, 2) == [3]
"""
PROJECT: Files = {"pages.py": PAGES, "tests/test_pages.py": TESTS, ".selfheal.toml": CONFIG}

SHIPPING = """def shipping(weight, express=False):
    cost = 500 + 120 * weight
    if express:
        cost = cost * 2
    return cost
"""
SHIPPING_TESTS = """from shop.shipping import shipping


def test_shipping():
    assert shipping(0) == 500
    assert shipping(2) == 740


def test_express():
    assert shipping(2, express=True) == 1480
"""
REWRITTEN = '''"""What it costs to send a parcel."""

FREE_FROM = 10_000


def shipping(weight, express=False, *, value=0):
    """Cents for a parcel; nothing for a dear one."""
    if value >= FREE_FROM:
        return 0
    return _base(weight) * (2 if express else 1)


def _base(weight):
    return 500 - 120 * weight
'''
MORE_TESTS = """

def test_a_dear_one_is_free():
    assert shipping(2, value=10_000) == 0
    assert shipping(0, value=9_999) == 500
"""


def test_a_wrong_operator_is_mended_where_there_is_no_history(tmp_path: Path) -> None:
    project = a_repository(tmp_path / "project", PROJECT)

    ended = selfheal(project, "heal", "--no-model")

    assert (ended.exit_code, ended.told["status"]) == (0, "healed"), ended.stderr
    assert ended.told["attempts"][-1]["remedy"] == "mutation"
    patch = (ended.folder / "fix.patch").read_text()
    assert "+    return full if rest == 0 else full + 1\n" in patch
    assert patch.count("\n+") == 2  # with the name of the file


def test_a_fault_in_a_rewritten_function_is_mended_and_what_is_new_is_kept(tmp_path: Path) -> None:
    green = {"shop/__init__.py": "", "shop/shipping.py": SHIPPING, "tests/test_shipping.py": SHIPPING_TESTS}
    broken = {"shop/shipping.py": REWRITTEN, "tests/test_shipping.py": SHIPPING_TESTS + MORE_TESTS}
    project = a_repository(tmp_path / "project", {**green, ".selfheal.toml": CONFIG}, broken)

    ended = selfheal(project, "heal", "--no-model")

    assert (ended.exit_code, ended.told["status"]) == (0, "healed"), ended.stderr
    patch = (ended.folder / "fix.patch").read_text()
    assert "-    return 500 - 120 * weight\n+    return 500 + 120 * weight\n" in patch
    assert "FREE_FROM" not in patch.replace(" FREE_FROM", "")


def test_an_edit_that_hangs_costs_no_more_than_a_moment(tmp_path: Path) -> None:
    count = "def count(n):\n    steps = 0\n    while n > 1:\n        n -= 2\n        steps += 1\n    return steps\n"
    tests = "from count import count\n\n\ndef test_count():\n    assert count(5) == 4\n    assert count(1) == 0\n\n\ndef test_two():\n    assert count(2) == 1\n"
    project = a_repository(tmp_path / "project", {"count.py": count, "tests/test_count.py": tests, ".selfheal.toml": CONFIG})

    ended = selfheal(project, "heal", "--no-model", "--ladder", "mutation")

    assert ended.exit_code == 0, ended.stderr
    assert "+        n -= 1\n" in (ended.folder / "fix.patch").read_text()


@pytest.mark.parametrize("run", ["python -m unittest discover -s tests", "python tests/test_pages.py"])
def test_other_runners_are_asked_one_edit_at_a_time(tmp_path: Path, run: str) -> None:
    tests = (
        "import sys\nimport unittest\n\nsys.path.insert(0, '.')\nfrom pages import pages\n\n\nclass PagesTest(unittest.TestCase):\n"
        "    def test_pages(self):\n        self.assertEqual(pages([1, 2, 3], 2), 2)\n        self.assertEqual(pages([1] * 7, 3), 3)\n\n\n"
        "unittest.main() if __name__ == '__main__' else None\n"
    )
    config = f'[steps.tests]\nrun = "{run}"\n'
    project = a_repository(tmp_path / "project", {"pages.py": PAGES, "tests/test_pages.py": tests, ".selfheal.toml": config})

    ended = selfheal(project, "heal", "--no-model", "--ladder", "mutation")

    assert (ended.exit_code, ended.told["status"]) == (0, "healed"), ended.stderr
