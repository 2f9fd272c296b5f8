"""Frames of a trace are those of the project, relative to the tree."""

from __future__ import annotations

import pytest

from selfheal_ci.detect.frames import Frame, frames, relative

LONG = """\
self = <test_cart.TestTotal object at 0x7fe0793ca550>

    @decorated
    def test_one(self):
>       assert total([{"cost": 3}]) == 3

tests/test_cart.py:12: 
_ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _
cart.py:6: in total
    return sum(price(item) for item in items)
.venv/lib/python3.11/site-packages/lib/x.py:5: in call
    return f()
/usr/lib/python3.11/json/__init__.py:346: in loads
    return _default_decoder.decode(s)
_ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _

item = {'cost': 3}

    async def price(item):
>       return item["price"]
E       KeyError: 'price'

/home/dev/shop/cart.py:2: KeyError
"""  # noqa: W291  as pytest writes it

PLAIN = """\
Traceback (most recent call last):
  File "/home/dev/shop/run.py", line 9, in <module>
    main()
  File "/usr/lib/python3.11/asyncio/runners.py", line 3, in run
  File "lib/app.py", line 4, in Shop.main
    import broken
  File "lib/broken.py", line 3
    def f(
         ^
SyntaxError: '(' was never closed
"""


def test_pytest_names_functions_in_two_ways() -> None:
    assert frames(LONG, "/home/dev/shop") == (
        Frame("tests/test_cart.py", 12, "test_one"),
        Frame("cart.py", 6, "total"),
        Frame("cart.py", 2, "price"),
    )


def test_a_plain_traceback() -> None:
    assert frames(PLAIN, "/home/dev/shop") == (
        Frame("run.py", 9, "<module>"),
        Frame("lib/app.py", 4, "Shop.main"),
        Frame("lib/broken.py", 3, "<module>"),
    )


def test_what_a_linter_says_is_no_frame() -> None:
    assert frames("cart.py:41: error: no\ncart.py:41:8: F401 unused\ncart.py: 41\n12:30:01: x\n") == ()


def test_relative_paths_begin_in_the_folder_that_is_given() -> None:
    assert frames("../lib/a.py:1: in f\na.py:2: in g\n../../x.py:3: in h", folder="pkg") == (
        Frame("lib/a.py", 1, "f"),
        Frame("pkg/a.py", 2, "g"),
    )


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/b.py", "a/b.py"),
        ("a//./b.py", "a/b.py"),
        ("/root/a.py", "a.py"),
        ("/rooted/a.py", None),
        ("/root", None),
        ("../a.py", None),
        ("", None),
        (".", None),
        ("venv/x.py", None),
        ("a\\b.py", "a/b.py"),
    ],
)
def test_a_path_is_below_the_root_or_none(path: str, expected: str | None) -> None:
    assert relative(path, "/root") == expected
