"""A shop whose last change broke the total, and its case, for the tests of the model remedy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from selfheal_ci.values import Case, Culprit, Failure, Hunk
from tests.fakes import Place, Project, a_finding, a_place, a_step

CART = b'''"""A shopping cart."""

from shop.money import cents


def total(items):
    """The sum in cents."""
    return sum(cents(item.price) + item.quantity for item in items)


def count(items):
    return sum(item.quantity for item in items)
'''
MONEY = b"""def cents(price):
    return round(price * 100)
"""
TEST = b"""from shop.cart import total


def test_total(two_cups):
    assert total(two_cups) == 900
"""
CONFTEST = b"""import pytest

from shop.cart import count


@pytest.fixture
def two_cups():
    return [Item(4.5, 2)]
"""
PROJECT = {
    "shop/__init__.py": b"",
    "shop/cart.py": CART,
    "shop/money.py": MONEY,
    "tests/conftest.py": CONFTEST,
    "tests/test_cart.py": TEST,
    "README.md": b"# A shop\n",
}
TRACE = """two_cups = [Item(price=4.5, quantity=2)]

    def test_total(two_cups):
>       assert total(two_cups) == 900
E       assert 452 == 900
E        +  where 452 = total([Item(price=4.5, quantity=2)])

tests/test_cart.py:5: AssertionError"""
FAILURE = Failure(
    "tests/test_cart.py::test_total", "1:abc", "assert 452 == 900", "tests/test_cart.py", 5, "AssertionError", TRACE
)
HUNK = Hunk(
    "shop/cart.py",
    7,
    (b"    return sum(cents(item.price) * item.quantity for item in items)\n",),
    (b"    return sum(cents(item.price) + item.quantity for item in items)\n",),
)
OTHER = Hunk("shop/money.py", 0, (b"def cents(amount):\n",), (b"def cents(price):\n",))
HOW = "reverting it alone turns 1 of 1 green"


def a_shop(files: Project = PROJECT) -> Place:
    return a_place(files, {}, step=a_step(run="python -m pytest -q"))


def a_case(place: Place, *failures: Failure, **more: object) -> Case:
    usual = Case(
        place.tree,
        place.lab.step,
        failures or (FAILURE,),
        a_finding(culprit=Culprit((HUNK,), "c1", HOW)),
        hunks=(HUNK, OTHER),
    )
    return replace(usual, **more)  # type: ignore[arg-type]


def masking(secret: str, placeholder: str) -> tuple[Callable[[str], str], Callable[[str, str], str]]:
    """A redactor of one secret, and its way back."""

    def unmask(text: str, there: str) -> str:
        return text.replace(placeholder, secret) if secret in there else text

    return lambda text: text.replace(secret, placeholder), unmask


def as_it_is(text: str, there: str) -> str:
    """The way back of a redactor that hides nothing."""
    return text
