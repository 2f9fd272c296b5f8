"""What a model is told in ten situations, each made for real: the whole of it, for a person to read in tests/golden."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.builders import Files, a_repository
from tests.e2e.test_heal import selfheal
from tests.healings import assert_golden

PYTEST = "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest -q -p no:cacheprovider"
CART = '''"""A shopping cart."""

from shop.money import cents


def total(items):
    """The sum in cents."""
    return sum(cents(price) * count for price, count in items)


def discounted(items, percent):
    return total(items) * (100 - percent) // 100
'''
MONEY = '''"""Amounts of money."""


def cents(price):
    return round(price * 100)


def shown(amount):
    return f"{amount // 100}.{amount % 100:02}"
'''
TESTS = """import pytest

from shop.cart import discounted, total
from shop.money import shown


@pytest.fixture
def cups():
    return [(4.5, 2)]


def test_total(cups):
    assert total(cups) == 900


def test_discounted(cups):
    assert discounted(cups, 10) == 810


def test_shown():
    assert shown(905) == "9.05"
"""
SHOP: Files = {"shop/__init__.py": "", "shop/cart.py": CART, "shop/money.py": MONEY, "tests/test_shop.py": TESTS}
OTHER = {"shop/cart.py": CART + "\n\ndef count(items):\n    return len(items)\n"}  # a change that has nothing to do with it
SNAPSHOT = """import pathlib

from shop.cart import total
from shop.money import shown


def test_receipt():
    want = pathlib.Path(__file__).with_name("receipt.txt").read_text()
    assert f"2 cups\\nTotal {shown(total([(4.5, 2)]))}\\n" == want
"""

SITUATIONS: dict[str, tuple[str, Files, Files]] = {
    "assertion": (PYTEST, SHOP, {"shop/cart.py": CART.replace("* count for", "+ count for")}),
    "call_chain": (PYTEST, SHOP, {"shop/money.py": MONEY.replace("price * 100", "price.amount * 100"), **OTHER}),
    "import_error": (PYTEST, SHOP, {"shop/money.py": MONEY.replace("def cents", "def to_cents"), **OTHER}),
    "fixture_error": (
        PYTEST,
        {**SHOP, "shop/data.py": "def cups():\n    return [(4.5, 2)]\n",
         "tests/test_shop.py": TESTS.replace("import pytest\n", "import pytest\n\nfrom shop import data").replace("return [(4.5, 2)]", "return data.cups()")},
        {"shop/data.py": "def cups():\n    return [(4.5, 2)][1]\n"},
    ),
    "type_checker": ("python -m mypy --no-incremental --cache-dir=/dev/null shop", {**SHOP, "shop/money.py": MONEY.replace("(price)", "(price: float) -> int")}, {"shop/money.py": MONEY.replace("(price)", "(price: float) -> str"), **OTHER}),
    "linter": ("ruff check --no-cache --select F821 .", SHOP, {"shop/cart.py": CART.replace("in items)", "in item)")}),
    "syntax_error": (PYTEST, SHOP, {"shop/money.py": MONEY.replace("def shown(amount):", "def shown(amount:")}),
    "snapshot": (
        PYTEST,
        {**SHOP, "tests/test_receipt.py": SNAPSHOT, "tests/receipt.txt": "2 cups\nTotal 9.00\n"},
        {"shop/money.py": MONEY.replace(":02}", "}")},
    ),
    "log_without_report": (
        "sh check.sh",
        {**SHOP, "check.sh": "python -c 'import shop.cart as cart; print(cart.total([(4.5, 2)]))' | grep -x 900 || { echo ERROR: the total is wrong; exit 1; }\n"},
        {"shop/cart.py": CART.replace("* count for", "+ count for")},
    ),
    "two_groups": (PYTEST, SHOP, {"shop/cart.py": CART.replace("* count for", "+ count for"), "shop/money.py": MONEY.replace(":02}", "}")}),
}  # fmt: skip


@pytest.mark.parametrize("name", SITUATIONS)
def test_tells_all_that_it_takes_and_no_more(name: str, tmp_path: Path) -> None:
    run, green, red = SITUATIONS[name]
    project = a_repository(tmp_path / "project", {**green, ".selfheal.toml": f'[steps.tests]\nrun = "{run}"\n'}, red)
    script = tmp_path / "script.json"
    script.write_text("[]")

    ended = selfheal(project, "heal", "--ladder", "model", "--model", f"scripted:{script}")

    prompts = [_alike(file.read_text(), tmp_path) for file in sorted(ended.folder.glob("attempts/1/prompt*.txt"), key=str)]
    assert prompts, ended.stderr
    assert_golden(f"prompts/{name}.txt", f"\n{'=' * 80}\n".join(prompts))
    kept = {prompt.partition("# The source")[0] for prompt in prompts}
    assert len(kept) == 1  # what further groups read from the service's cache


def _alike(prompt: str, folder: Path) -> str:
    """The prompt without our rules, which have a golden file of their own, and without what differs from run to run."""
    said = prompt.partition("# user")[2].replace(str(folder), "/place").strip()
    said = re.sub(r"\b[0-9a-f]{32}\b", "5e1f", said)
    said = re.sub(r"0x[0-9a-f]{6,}", "0x…", said)
    said = re.sub(r"\bin \d+\.\d+s\b", "in 0.1s", said)
    return re.sub(r"/[^ \"\\:]*/(?=(?:python3\.\d+|site-packages)/)", "/…/", said) + "\n"
