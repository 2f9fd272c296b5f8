"""Tests that depend on their order, and tests that changed their mind: named so, and no test is ever edited."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.healing import Healed, heal, repository
from selfheal_ci.paths import is_judge

RUN = "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest -q -p no:cacheprovider"
ORDER, EXPECTATION = "order_dependent", "expectation_changed"


CART = """
from shop.code import Cart


def test_adds():
    cart = Cart()
    cart.add("a")
    assert cart.items == ["a"]


def test_is_empty():
    assert Cart().items == []
"""
# name: the source, what becomes what in it, and the tests
ORDERED: Mapping[str, tuple[str, str, str, str]] = {
    "a list that all objects share": (
        "class Cart:\n    def __init__(self):\n        self.items = []\n\n"
        "    def add(self, item):\n        self.items.append(item)\n",
        "    def __init__(self):\n        self.items = []\n",
        "    items = []\n",
        CART,
    ),
    "a default that is changed": (
        "class Cart:\n    def __init__(self, items=None):\n        self.items = items or []\n\n"
        "    def add(self, item):\n        self.items.append(item)\n",
        "items=None):\n        self.items = items or []\n",
        "items=[]):\n        self.items = items\n",
        CART,
    ),
    "a table of the module": (
        "RATES = {'eur': 1}\n\n\ndef convert(price, more=()):\n    rates = {**RATES, **dict(more)}\n"
        "    return {name: price * rate for name, rate in rates.items()}\n",
        "    rates = {**RATES, **dict(more)}\n",
        "    rates = RATES\n    rates.update(more)\n",
        "from shop.code import convert\n\n\ndef test_more_rates():\n"
        "    assert convert(2, {'usd': 3}) == {'eur': 2, 'usd': 6}\n\n\n"
        "def test_usual():\n    assert convert(2) == {'eur': 2}\n",
    ),
    "the environment": (
        "import os\n\n\ndef load(values):\n    return {**os.environ, **values}\n\n\n"
        "def debug():\n    return 'SHOP_DEBUG' in os.environ\n",
        "    return {**os.environ, **values}\n",
        "    os.environ.update(values)\n    return os.environ\n",
        "from shop.code import debug, load\n\n\ndef test_loads():\n"
        "    assert load({'SHOP_DEBUG': '1'})['SHOP_DEBUG'] == '1'\n\n\n"
        "def test_usual():\n    assert not debug()\n",
    ),
    "the working folder": (
        "import os\n\n\ndef names(folder):\n    return sorted(os.listdir(folder))\n\n\n"
        "def here():\n    return os.path.isdir('shop')\n",
        "    return sorted(os.listdir(folder))\n",
        "    os.chdir(folder)\n    return sorted(os.listdir())\n",
        "from shop.code import here, names\n\n\ndef test_names():\n    assert 'cart' not in names('/usr')\n\n\n"
        "def test_here():\n    assert here()\n",
    ),
    "a cache without its whole key": (
        "STOCK = {'pen': 3}\nSEEN = {}\n\n\ndef count(name, stock=STOCK):\n    return stock.get(name, 0)\n",
        "    return stock.get(name, 0)\n",
        "    if name not in SEEN:\n        SEEN[name] = stock.get(name, 0)\n    return SEEN[name]\n",
        "from shop.code import count\n\n\ndef test_other_stock():\n    assert count('pen', {'pen': 7}) == 7\n\n\n"
        "def test_usual():\n    assert count('pen') == 3\n",
    ),
    "a patch that stays": (
        "import math\n\n\ndef fast():\n    return round\n\n\n"
        "def area(radius):\n    return math.floor(math.pi * radius**2)\n",
        "    return round\n",
        "    math.floor = round\n    return math.floor\n",
        "from shop.code import area, fast\n\n\ndef test_fast():\n    assert fast()(2.4) == 2\n\n\n"
        "def test_area():\n    assert area(0.5) == 0\n",
    ),
}


@dataclass(frozen=True)
class Case:
    """A project before and after a change."""

    kind: str
    name: str
    green: Mapping[str, str]
    changed: Mapping[str, str]


def measure() -> Iterator[Figure]:
    results = []
    for case in cases():
        healed = healing(case)
        right = case.kind in healed.kinds
        edited = [file["path"] for file in (healed.told["patch"] or {"files": []})["files"] if is_judge(file["path"])]
        results.append((right, edited))
        word = "EDITED" if edited else "named" if right else "MISSED"
        named = ", ".join(sorted(healed.kinds)) or "nothing"
        end = f"by {healed.remedies}" if healed.remedies else healed.why
        print(f"     {word} {case.kind}, {case.name}: {healed.status}, named {named}; {end}", flush=True)
    count = len(results)
    yield Figure("order-dependent and changed expectation: cases", count, 10, "", at_least=True)
    yield Figure("the same, named wrongly", sum(not right for right, _ in results), 0, f"/{count}")
    yield Figure("the same, a test was edited", sum(bool(edited) for _, edited in results), 0, f"/{count}")


def healing(case: Case) -> Healed:
    """Through the whole thing, the revision before the change named as green."""
    with tempfile.TemporaryDirectory(prefix="selfheal-bench-") as place:
        trees = (case.green, {**case.green, **case.changed})
        folder = repository(Path(place, "shop"), *({name: text.encode() for name, text in tree.items()} for tree in trees))
        environ = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": place, "LANG": "C.UTF-8"}
        return heal(folder, RUN, environ, base="HEAD~1", cache_dir=f"{place}/cache")


def cases() -> Iterator[Case]:
    yield from _order()
    yield from _expectation()


def _order() -> Iterator[Case]:
    """The change makes a test leave something behind, over which a later one stumbles."""
    for name, (source, was, now, tests) in ORDERED.items():
        green = {"shop/__init__.py": "", "shop/code.py": source, "tests/test_code.py": tests}
        if was not in source:
            raise SystemExit(f"{name}: there is no {was!r}")
        yield Case(ORDER, name, green, {"shop/code.py": source.replace(was, now)})


def _expectation() -> Iterator[Case]:
    """The change edits a test, and the sources do not follow."""
    texts = {
        "rounding": (
            "def price(cents):\n    return cents // 100\n",
            "assert price(150) == 1",
            "assert price(150) == 1.5",
        ),
        "a message": (
            "def price(cents):\n    if cents < 0:\n        raise ValueError('negative')\n    return cents\n",
            "with pytest.raises(ValueError, match='negative'):\n        price(-1)",
            "with pytest.raises(ValueError, match='must not be below zero'):\n        price(-1)",
        ),
        "another exception": (
            "def price(cents):\n    if cents < 0:\n        raise ValueError(cents)\n    return cents\n",
            "with pytest.raises(ValueError):\n        price(-1)",
            "with pytest.raises(OverflowError):\n        price(-1)",
        ),
        "a default": (
            "def price(cents, tax=19):\n    return cents + cents * tax // 100\n",
            "assert price(100) == 119",
            "assert price(100) == 107",
        ),
        "the order of a result": (
            "def price(names):\n    return sorted(names)\n",
            "assert price(['b', 'a', 'c']) == ['a', 'b', 'c']",
            "assert price(['b', 'a', 'c']) == ['c', 'b', 'a']",
        ),
        "one more field": (
            "def price(cents):\n    return {'cents': cents}\n",
            "assert price(3) == {'cents': 3}",
            "assert price(3) == {'cents': 3, 'currency': 'EUR'}",
        ),
    }
    test = "import pytest\n\nfrom shop.price import price\n\n\ndef test_price():\n    {}\n"
    for name, (source, before, after) in texts.items():
        green = {
            "shop/__init__.py": "",
            "shop/price.py": source,
            "shop/words.py": "def title(name):\n    return name.title()\n",
            "tests/test_price.py": test.format(before),
        }
        words = "def title(name):\n    return name.strip().title()\n"
        yield Case(EXPECTATION, name, green, {"shop/words.py": words, "tests/test_price.py": test.format(after)})
