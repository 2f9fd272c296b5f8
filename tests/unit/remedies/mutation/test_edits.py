"""Every kind of edit, and that nothing around it changes."""

from __future__ import annotations

import pytest

from selfheal_ci.remedies.mutation.kinds import PRIORS
from selfheal_ci.remedies.mutation.text import LARGEST, parse
from tests.unit.remedies.mutation.edited import all_of, becomes, edited

ONE_LINE = [
    ("return a < b", "return a <= b"),
    ("return a == b", "return a != b"),
    ("return a in items", "return a not in items"),
    ("return a not  in items", "return a in items"),
    ("return a is b", "return a is not b"),
    ("return a is not None", "return a is None"),
    ("return a + b", "return a - b"),
    ("return (a) * (b)", "return (a) / (b)"),
    ("return a // b", "return a / b"),
    ("return a ** b", "return a * b"),
    ("return a and b", "return a or b"),
    ("return a and (b or items)", "return a or (b and items)"),
    ("if a and b: return 1", "if a: return 1"),
    ("if a and b: return 1", "if b: return 1"),
    ("if not a: return 1", "if a: return 1"),
    ("if a: return 1", "if not a: return 1"),
    ("return [i for i in items if i]", "return [i for i in items if not i]"),
    ("return items[2]", "return items[3]"),
    ("return items[0]", "return items[-1]"),
    ("return items[a]", "return items[a + 1]"),
    ("return items[:a]", "return items[:a - 1]"),
    ("return items[a:]", "return items[:a]"),
    ("return range(a, b)", "return range(a, b + 1)"),
    ("return range(len(items))", "return range(len(items) - 1)"),
    ("return sorted(items, reverse=True)", "return sorted(items, reverse=False)"),
    ("return sorted(items)", "return sorted(items, reverse=True)"),
    ("return -a", "return a"),
    ("return a", "return b"),
    ("return 0", "return a"),
    ("self.a = b; return self.c", "self.a = b; return self.a"),
    ("self.a = b; return a", "self.a = b; return self.a"),
    ("return f(a, b)", "return f(b, a)"),
    ("return a - b", "return b - a"),
    ("return min(a, b)", "return max(a, b)"),
    ("return a.lstrip()", "return a.rstrip()"),
    ("return max(a, b)", "return a"),
    ("return a", "return max(a, 0)"),
    ("return sorted(items)", "return items"),
    ("return a.strip()", "return a"),
    ("return a", "return sorted(a)"),
    ("return int(a, 16)", "return int(a)"),
    ("a += b", "a -= b"),
    ("a += b", "a = b"),
    ("a = b", "a += b"),
    ("print(a)", "return print(a)"),
    ("return a if items else b", "return b if items else a"),
    ("return f(len(items), a.size)", "return f(a.size, len(items))"),
    ('return "x" if a == "y" else "z"', 'return "y" if a == "y" else "z"'),
    ("return {a: 1 + items[a]}", "return {a: 1 + items[b]}"),
]


@pytest.mark.parametrize(("old", "new"), ONE_LINE)
def test_a_line_may_become(old: str, new: str) -> None:
    assert becomes(old, new)


BLOCKS = {
    "a function of the module": (
        "def up(a):\n    return a\n\n\ndef down(a):\n    return -a\n\n\ndef use(a):\n    return up(a)\n",
        "    return up(a)\n",
        "    return down(a)\n",
    ),
    "a method of the class": (
        "class A:\n    def up(self, a):\n        pass\n    def down(self, a):\n        pass\n    def use(self, a):\n        self.up(a)\n",
        "self.up(a)\n",
        "self.down(a)\n",
    ),
    "a missing call": (
        "class A:\n    def up(self, a):\n        pass\n    def use(self, a):\n        b = a\n",
        "        b = a\n",
        "        b = a\n        self.up(a)\n",
    ),
    "a missing await": (
        "async def f(a):\n    b = g(a)\n    return b\n",
        "    b = g(a)\n",
        "    b = await g(a)\n",
    ),
    "a missing continue": (
        "def f(a):\n    for b in a:\n        if b:\n            g(b)\n        h(b)\n",
        "            g(b)\n",
        "            g(b)\n            continue\n",
    ),
    "a missing assignment": (
        "def f(a):\n    last = None\n    for b in a:\n        g(b, last)\n",
        "        g(b, last)\n",
        "        g(b, last)\n        last = b\n",
    ),
    "a missing condition": (
        "def f(a):\n    found = []\n    for b in a:\n        found.append(b)\n    return found\n",
        "        found.append(b)\n",
        "        if b not in found:\n            found.append(b)\n",
    ),
    "a condition that has its part elsewhere": (
        "def f(a, b):\n    if a:\n        return 1\n    if b == 2:\n        return 3\n    return 4\n",
        "    if a:\n",
        "    if a and b != 2:\n",
    ),
    "an early exit": (
        "def f(a):\n    b = a\n    return b\n",
        "    b = a\n",
        "    if not a:\n        return b\n    b = a\n",
    ),
    "the other branch": (
        "def f(a):\n    if a:\n        return 1\n    else:\n        return 2\n",
        "        return 1\n    else:\n        return 2\n",
        "        return 2\n    else:\n        return 1\n",
    ),
    "out of the block": (
        "def f(a):\n    for b in a:\n        g(b)\n        return 1\n",
        "        return 1\n",
        "    return 1\n",
    ),
    "into the block": (
        "def f(a):\n    n = 0\n    for b in a:\n        g(b)\n    n += 1\n    return n\n",
        "    n += 1\n",
        "        n += 1\n",
    ),
    "another order": (
        "def f(a):\n    a = g(a)\n    h(a)\n",
        "    a = g(a)\n    h(a)\n",
        "    h(a)\n    a = g(a)\n",
    ),
    "one statement less": (
        "def f(a):\n    a = g(a)\n    h(a)\n",
        "    a = g(a)\n",
        "",
    ),
    "two operators": (
        "def f(a, b):\n    return a + b < 7\n",
        "a + b < 7",
        "a - b <= 7",
    ),
    "a default": (
        "def f(a, quick=True):\n    return a\n",
        "quick=True",
        "quick=False",
    ),
}


@pytest.mark.parametrize(("text", "old", "new"), BLOCKS.values(), ids=BLOCKS)
def test_a_block_may_become(text: str, old: str, new: str) -> None:
    assert text.replace(old, new, 1).encode() in edited(text)


TRICKY = {
    "CRLF": (b"def f(a):\r\n    x = 1\r\n    return a < x\r\n", b"a < x", b"a <= x"),
    "a new line in CRLF": (b"def f(a):\r\n    b = 0\r\n    g(a)\r\n", b"g(a)\r\n", b"g(a)\r\n    b = a\r\n"),
    "tabs": (b"def f(a):\n\tif a:\n\t\th(a)\n\tg(a)\n", b"\tg(a)", b"\t\tg(a)"),
    "letters of several bytes": ("def f(ä):\n    return 'é→' + ä < 'x'\n".encode(), b" < ", b" <= "),
    "Latin-1": (b"# coding: latin-1\ndef f(a):\n    return '\xe9' + a < 'x'\n", b" < ", b" <= "),
    "a byte order mark": (b"\xef\xbb\xbfdef f(a):\n    return a < 1\n", b" < ", b" <= "),
    "no end of the last line": (b"def f(a):\n    return a < 1", b" < ", b" <= "),
    "a comment in between": (b"def f(a):\n    return (a  # < here\n        < 1)\n", b"        < 1", b"        <= 1"),
    "a decorator": (b"@cache(size=2)\ndef f(a):\n    return a\n", b"size=2", b"size=3"),
    "a call of several lines": (b"def f(a, b):\n    return g(\n        a,\n        b < 1,\n    )\n", b"b < 1", b"b <= 1"),
    "a walrus": (b"def f(a):\n    if (n := len(a)) > 3:\n        return n\n", b" > 3", b" >= 3"),
    "match": (b"def f(a):\n    match a:\n        case [x, y] if x < y:\n            return 1\n", b"x < y", b"x <= y"),
    "one line": (b"def f(a):\n    if a < 1: return 2; x = 3\n", b"a < 1", b"a <= 1"),
    "a line that goes on": (b"def f(a):\n    return a + \\\n        a.b\n", b"a + ", b"a - "),
    "a lambda": (b"f = lambda a: a < 1\n", b"a < 1", b"a <= 1"),
    "an f-string": (b'def f(a, b):\n    return f"{a + 1:>{b}}"\n', b"a + 1", b"a - 1"),
}


@pytest.mark.parametrize(("data", "old", "new"), TRICKY.values(), ids=TRICKY)
def test_every_byte_around_an_edit_stays(data: bytes, old: bytes, new: bytes) -> None:
    assert data.replace(old, new, 1) in edited(data)


KEPT = {
    "docstrings": '"""One or 2."""\n\n\ndef f():\n    """Less than 3."""\n',
    "annotations": "def f(a: Literal[1, 2]) -> Literal[3]: ...\n",
    "imports": "from a import b\nimport c.d\n",
    "what a module offers": '__all__ = ["a", "b"]\n',
    "log messages": 'log.info("took %d", 1)\nself.logger.error("no", 2)\n',
    "what is done when it is the program": 'if __name__ == "__main__":\n    main(1)\n',
    "what is for type checkers": "if TYPE_CHECKING:\n    a = 1\n",
}


@pytest.mark.parametrize("text", KEPT.values(), ids=KEPT)
def test_what_is_never_edited(text: str) -> None:
    assert {data for data in edited(text) if b"pass" not in data} == set()


def test_messages_of_errors_are_not_exchanged() -> None:
    text = 'def f(a):\n    if a == "x":\n        raise ValueError("too large")\n'

    assert b'ValueError("x")' not in b"".join(edited(text))


@pytest.mark.parametrize(
    ("old", "senseless"),
    [
        ("return a - b", "return a - a"),
        ("return a + 1", "return a + 0"),
        ("a = b", "a = a"),
        ("return a < b", "return a < a"),
    ],
)
def test_no_edit_says_nothing(old: str, senseless: str) -> None:
    assert not becomes(old, senseless)


def test_only_the_lines_that_are_asked_for_are_edited() -> None:
    text = "def f(a, b):\n    c = a + b\n    return c * 2\n"

    found = edited(text, lines=[3])

    assert found
    assert all(data.startswith(b"def f(a, b):\n    c = a + b\n") for data in found)


def test_each_tree_is_tried_once_and_compiles() -> None:
    found = [
        mutant.changes.digest
        for mutant in all_of("def f(a, b):\n    if a and b:\n        return a + b\n    return f(b, a)\n")
    ]

    assert len(found) == len(set(found))
    for mutant in all_of("def f(a):\n    while a:\n        break\n"):
        compile(mutant.source.changed(mutant.mutation.edits), "", "exec")


def test_the_likeliest_comes_first_and_what_deletes_late() -> None:
    kinds = [mutant.mutation.kind for mutant in all_of("def f(a, b):\n    b = a + 1\n    return a < b\n")]

    assert kinds[0] == "comparison boundary"
    assert kinds.index("arithmetic") < kinds.index("deleted")


def test_the_order_is_the_same_every_time() -> None:
    text = "def f(a, b):\n    for c in b:\n        if a < c and c in b:\n            return [a, c]\n    return b[1:]\n"

    assert [mutant.changes for mutant in all_of(text)] == [mutant.changes for mutant in all_of(text)]


def test_every_kind_has_a_likelihood() -> None:
    assert all(0 < prior < 2 for prior in PRIORS.values())


HOSTILE = {
    "nested deeply": b"x = " + b"(" * 5000 + b"1" + b")" * 5000 + b"\n",
    "a long sum": b"def f(a):\n    return " + b" + ".join([b"a"] * 3000) + b"\n",
    "broken": b"def f(:\n",
    "null bytes": b"x = 1\0\n",
    "too large": b"x = 1\n" * LARGEST,
    "an unknown encoding": b"# coding: klingon\nx = 1\n",
    "no UTF-8": b"x = '\xff'\n",
    "nothing": b"",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_strange_files_break_nothing(data: bytes) -> None:
    assert isinstance(edited(data, lines=[1, 2]), set)


def test_a_file_that_cannot_be_written_back_as_it_was_is_left_alone() -> None:
    assert parse("a.py", b"# coding: utf-7\nx = '+AOk-'\n+AHg = 1\n") is None


def test_only_python_is_edited() -> None:
    assert parse("a.js", b"x = 1\n") is None


def test_a_reviewer_is_shown_the_line() -> None:
    words = [mutant.words for mutant in all_of("def f(a, b):\n    a = b\n    return a < b\n")]

    assert "shop/code.py:3: `return a <= b` instead of `return a < b`" in words
    assert "shop/code.py:2: without `a = b`" in words
    assert "shop/code.py:2: `a = b` behind the next statement" in words
