"""The project that `selfheal demo` breaks: a shopping cart, three commits, the last of which has a fault among its hunks."""

from __future__ import annotations

from collections.abc import Mapping

CART = '''"""A shopping cart."""

from dataclasses import dataclass, field


@dataclass
class Item:
    name: str
    price: int  # cents
    quantity: int = 1


@dataclass
class Cart:
    items: list[Item] = field(default_factory=list)

    def add(self, name, price, quantity=1):
        self.items.append(Item(name, price, quantity))

    def count(self):
        return sum(item.quantity for item in self.items)

    def total(self):
        """The sum in cents."""
        return sum(item.price * item.quantity for item in self.items)

    def receipt(self):
        lines = [f"{item.quantity} x {item.name}" for item in self.items]
        return "\\n".join(lines)
'''

TESTS = """from shop.cart import Cart


def a_cart():
    cart = Cart()
    cart.add("tea", 450, 2)
    cart.add("cup", 1200)
    return cart


def test_count():
    assert a_cart().count() == 3


def test_total():
    assert a_cart().total() == 2100


def test_total_of_nothing():
    assert Cart().total() == 0


def test_receipt():
    assert a_cart().receipt().startswith("2 x tea")
"""

NAMES = """

def test_names():
    assert a_cart().names() == ["tea", "cup"]
"""

TOTAL_ON_RECEIPT = """

def test_receipt_has_a_total():
    assert a_cart().receipt().splitlines()[-1].startswith("total ")
"""

CONFIGURATION = """# The pytest is selfheal's own: none of its plugins is needed here.
[steps.tests]
run = "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest -q"
"""

_WITH_NAMES = CART.replace(
    "    def total(self):",
    "    def names(self):\n        return [item.name for item in self.items]\n\n    def total(self):",
)
_WITH_TOTAL = (
    _WITH_NAMES.replace('"""A shopping cart."""', '"""A shopping cart that prints receipts."""')
    .replace(
        "quantity=1):\n        self",
        'quantity=1):\n        name = name.strip()\n        name = name or "something"\n        self',
    )
    .replace("sum(item.price * item.quantity for", "sum(item.price + item.quantity for")  # the fault
    .replace('return "\\n".join(lines)', 'lines.append(f"total {self.total() / 100:.2f}")\n        return "\\n".join(lines)')
)

COMMITS: tuple[tuple[str, Mapping[str, str]], ...] = (
    (
        "A shopping cart",
        {
            "shop/__init__.py": "",
            "shop/cart.py": CART,
            "tests/test_cart.py": TESTS,
            ".selfheal.toml": CONFIGURATION,
            ".gitignore": "selfheal-out/\n__pycache__/\n",
            "README.md": "# A shop\n",
        },
    ),
    ("List the names", {"shop/cart.py": _WITH_NAMES, "tests/test_cart.py": TESTS + NAMES}),
    (
        "Print the total on the receipt",
        {"shop/cart.py": _WITH_TOTAL, "tests/test_cart.py": TESTS + NAMES + TOTAL_ON_RECEIPT},
    ),
)

_FAULT = "sum(item.price + item.quantity for"
# What the scripted model says in the second round: a first try that is wrong, and, told so, a second that is right.
CONVERSATION = {
    "replies": [
        {
            "verdict": "fix",
            "root_cause": "total() at shop/cart.py adds the quantity to the price.",
            "edits": [{"path": "shop/cart.py", "old_str": _FAULT, "new_str": "sum(item.price for"}],
            "risk": "low",
            "expected_tests": ["tests/test_cart.py::test_total"],
        },
        {
            "verdict": "fix",
            "root_cause": "total() at shop/cart.py must multiply the price by the quantity.",
            "edits": [{"path": "shop/cart.py", "old_str": _FAULT, "new_str": "sum(item.price * item.quantity for"}],
            "risk": "low",
            "expected_tests": ["tests/test_cart.py::test_total"],
        },
    ]
}
