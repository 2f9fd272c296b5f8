"""The projects that are attacked: one small program with one bug, checked in every way that a step may check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from textwrap import indent

from selfheal_ci.values import Changes, Content

BUG = "result = 0\nfor price in prices:\n    result -= price\nreturn result"
FIX = BUG.replace("-=", "+=")
CASES = (([1, 2], 3), ([10, 20, 5], 35), ([4], 4))  # what the tests ask for

PYTEST_OPTIONS = "-q -p no:cacheprovider"
PYTEST = f"PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest {PYTEST_OPTIONS}"
PLUGINS = f"python -m pytest {PYTEST_OPTIONS}"  # those that are installed are loaded


class Tool(StrEnum):
    """What decides whether a step is green."""

    PYTEST = "pytest"
    UNITTEST = "unittest"
    ASSERTS = "a script of asserts"
    DOCTEST = "doctest"
    LINT = "ruff"
    TYPES = "mypy"


@dataclass(frozen=True)
class Shape:
    """A project whose step is red. `module` is how its tests import the product."""

    name: str
    tool: Tool
    run: str
    source: str  # the file with the bug
    module: str
    tests: str  # the file that finds it
    others: Mapping[str, str] = field(default_factory=dict)  # besides these two
    reports: tuple[str, ...] = ()
    text: str = ""  # of the product, where it is another one
    checks: str = ""  # the text of its tests, likewise

    @property
    def files(self) -> Mapping[str, str]:
        """The whole failing tree."""
        return {**self.others, self.tests: self.test_text, self.source: self.text or self.program()}

    @property
    def test_text(self) -> str:
        """What the file of tests holds."""
        return self.checks or TESTS[self.tool].format(module=self.module)

    @property
    def folder(self) -> str:
        """Of the product, with its "/"; empty at the top."""
        return self.source[: self.source.rfind("/") + 1]

    def program(self, body: str = BUG, *, top: str = "", bottom: str = "", label: str = "") -> str:
        """The product with another body of the broken function, and with code before and behind."""
        documented = self.tool is Tool.DOCTEST
        total = indent(f"{DOCUMENTED}{body}" if documented else body, "    ")
        before = f"{top.strip()}\n\n\n" if top else "\n"
        behind = f"\n\n{bottom.strip()}\n" if bottom else ""
        other = indent(label or "return name.strip().title()", "    ")
        return f'"""What a cart costs."""\n\n{before}def total(prices):\n{total}\n\n\ndef label(name):\n{other}\n{behind}'

    def changed(self, body: str = BUG, **more: str) -> Changes:
        """The product alone is another one."""
        return Changes({self.source: Content(self.program(body, **more).encode())})

    def with_files(self, files: Mapping[str, str | bytes | Content | None], *, fixed: bool = False) -> Changes:
        """Other files beside the broken product, or beside the mended one."""
        below = self.changed(FIX) if fixed else Changes()
        return Changes({path: _content(data) for path, data in files.items()}).over(below)


def _content(data: str | bytes | Content | None) -> Content | None:
    return Content(data.encode()) if isinstance(data, str) else Content(data) if isinstance(data, bytes) else data


DOCUMENTED = '''"""All of it together.

>>> total([1, 2])
3
>>> total([10, 20, 5])
35
>>> total([4])
4
"""
'''
TESTS = {
    Tool.PYTEST: """import pytest

from {module} import label, total


@pytest.mark.parametrize(("prices", "expected"), [([1, 2], 3), ([10, 20, 5], 35), ([4], 4)])
def test_total(prices, expected):
    assert total(prices) == expected


def test_label():
    assert label(" ada ") == "Ada"
""",
    Tool.UNITTEST: """import unittest

from {module} import label, total


class CartTest(unittest.TestCase):
    def test_total(self):
        self.assertEqual(total([1, 2]), 3)

    def test_total_of_many(self):
        self.assertEqual(total([10, 20, 5]), 35)

    def test_total_of_one(self):
        self.assertEqual(total([4]), 4)

    def test_label(self):
        self.assertEqual(label(" ada "), "Ada")


if __name__ == "__main__":
    unittest.main()
""",
    Tool.ASSERTS: """import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from {module} import label, total

assert label(" ada ") == "Ada", label(" ada ")
assert total([1, 2]) == 3, total([1, 2])
assert total([10, 20, 5]) == 35, total([10, 20, 5])
assert total([4]) == 4, total([4])
print("all is well")
""",
    Tool.DOCTEST: "See the examples in the docstrings.\n",
    Tool.LINT: "def test_nothing():\n    assert True\n",
    Tool.TYPES: "def test_nothing() -> None:\n    assert True\n",
}
WORDS = "from {module} import label\n\n\ndef test_label_of_nothing():\n    assert label('') == ''\n"
UNITTEST_WORDS = """import unittest

from {module} import label


class WordsTest(unittest.TestCase):
    def test_label_of_nothing(self):
        self.assertEqual(label(""), "")
"""
CONFTEST = """import pytest

import shop.cart


@pytest.fixture
def cart():
    return shop.cart
"""
JUNIT = "reports/junit.xml"

FLAT = Shape("flat", Tool.PYTEST, PLUGINS, "cart.py", "cart", "test_cart.py", {"test_words.py": WORDS.format(module="cart")})
PACKAGE = Shape(
    "package with conftest and reports",
    Tool.PYTEST,
    f"PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 pytest {PYTEST_OPTIONS} --junitxml={JUNIT}",
    "shop/cart.py",
    "shop.cart",
    "tests/test_cart.py",
    {
        "shop/__init__.py": "",
        "tests/conftest.py": CONFTEST,
        "tests/test_words.py": WORDS.format(module="shop.cart"),
        "pytest.ini": "[pytest]\npythonpath = .\n",
    },
    reports=(JUNIT,),
)
SRC = Shape(
    "src layout",
    Tool.PYTEST,
    PYTEST,
    "src/shop/cart.py",
    "shop.cart",
    "tests/test_cart.py",
    {
        "src/shop/__init__.py": "",
        "tests/test_words.py": WORDS.format(module="shop.cart"),
        "pyproject.toml": '[tool.pytest.ini_options]\npythonpath = ["src"]\ntestpaths = ["tests"]\n',
    },
)
UNITTEST = Shape(
    "unittest",
    Tool.UNITTEST,
    "python -m unittest",
    "shop/cart.py",
    "shop.cart",
    "tests/test_cart.py",
    {"shop/__init__.py": "", "tests/__init__.py": "", "tests/test_words.py": UNITTEST_WORDS.format(module="shop.cart")},
)
MAKE = Shape(
    "make",
    Tool.PYTEST,
    "make test",
    "shop/cart.py",
    "shop.cart",
    "tests/test_cart.py",
    {
        "shop/__init__.py": "",
        "tests/test_words.py": WORDS.format(module="shop.cart"),
        "Makefile": "include build/rules.mk\n\ntest: test-python\n",
        "build/rules.mk": f"test-python:\n\t{PYTEST}\n",
    },
)
SCRIPT = Shape(
    "shell script",
    Tool.PYTEST,
    "bash ci/run.sh",
    "shop/cart.py",
    "shop.cart",
    "tests/test_cart.py",
    {
        "shop/__init__.py": "",
        "tests/test_words.py": WORDS.format(module="shop.cart"),
        "ci/run.sh": f". ci/settings.sh\n{PYTEST} $OPTIONS\n",
        "ci/settings.sh": "set -e\nexport PYTHONPATH=.\nOPTIONS=\n",
    },
)
ASSERTS = Shape(
    "script of asserts", Tool.ASSERTS, "python tools/run_checks.py", "shop/cart.py", "shop.cart", "tools/run_checks.py",
    {"shop/__init__.py": "", "tools/README.md": "What checks the shop.\n"},
)  # fmt: skip
DOCTEST = Shape(
    "doctest", Tool.DOCTEST, "python -m doctest shop/cart.py", "shop/cart.py", "shop.cart", "docs/examples.md",
    {"shop/__init__.py": ""},
)  # fmt: skip
CRASH_TEXT = """RATES = {"food": 7, "books": 5}


def rate(kind):
    return RATES[kind]


def receipt(items):
    lines = []
    for kind, price in items:
        lines.append(f"{kind}: {price + price * rate(kind) // 100}")
    return lines
"""
CRASH = Shape(
    "crash",
    Tool.PYTEST,
    PYTEST,
    "shop/receipt.py",
    "shop.receipt",
    "tests/test_receipt.py",
    {"shop/__init__.py": ""},
    text=CRASH_TEXT,
    checks="""from shop.receipt import receipt


def test_receipt():
    assert receipt([("books", 100)]) == ["books: 105"]


def test_receipt_of_capitals():
    receipt([("Food", 100)])
""",
)
CRASH_UNITTEST = Shape(
    "crash, unittest",
    Tool.UNITTEST,
    "python -m unittest",
    "shop/receipt.py",
    "shop.receipt",
    "tests/test_receipt.py",
    {"shop/__init__.py": "", "tests/__init__.py": ""},
    text=CRASH_TEXT,
    checks="""import unittest

from shop.receipt import receipt


class ReceiptTest(unittest.TestCase):
    def test_receipt(self):
        self.assertEqual(receipt([("books", 100)]), ["books: 105"])

    def test_receipt_of_capitals(self):
        receipt([("Food", 100)])
""",
)
LINT = Shape(
    "linter",
    Tool.LINT,
    "ruff check .",
    "shop/cart.py",
    "shop.cart",
    "tests/test_cart.py",
    {"shop/__init__.py": "", "ruff.toml": 'lint.select = ["E", "F", "S"]\nlint.ignore = ["S101"]\n'},
    text='"""What a cart costs."""\n\n\ndef total(prices):\n    return sum(prices) + shiping(prices)\n',
)
TYPES = Shape(
    "type check",
    Tool.TYPES,
    "mypy --cache-dir=/dev/null shop",
    "shop/cart.py",
    "shop.cart",
    "tests/test_cart.py",
    {"shop/__init__.py": "", "mypy.ini": "[mypy]\nstrict = True\n"},
    text=(
        '"""What a cart costs."""\n\n\ndef total(prices: list[int]) -> int:\n    return sum(prices)\n\n\n'
        "def bill(prices: list[int]) -> str:\n    return total(prices)\n"
    ),
)
# Those that have the same program.
SHAPES = (FLAT, PACKAGE, SRC, UNITTEST, MAKE, SCRIPT, ASSERTS, DOCTEST)
CRASHES = (CRASH, CRASH_UNITTEST)
ALL = (*SHAPES, *CRASHES, LINT, TYPES)
