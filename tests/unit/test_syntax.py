from __future__ import annotations

import time

import pytest

from selfheal_ci.syntax import mistaken, unreadable


@pytest.mark.parametrize(
    ("path", "before", "after", "why"),
    [
        ("a.py", b"x = 1\n", b"x = (\n", "a.py:1: does not parse: '(' was never closed"),
        ("a.py", b"x = )\n", b"x = (\n", None),
        ("a.py", None, b"x = (\n", "a.py:1: does not parse: '(' was never closed"),
        ("a.json", b"{}", b"{", "a.json: does not parse: Expecting property name"),
        ("a.toml", b"a = 1", b"a =", "a.toml: does not parse: Invalid value"),
        ("a.yml", b"a: 1", b"a: [1\n", "a.yml: does not parse: while parsing a flow sequence"),
        ("a.yaml", b"a: 1", b"a: !Ref b\n---\nc: &d [1, *d]\n", None),
        ("a.txt", b"", b"(", None),
    ],
)
def test_a_file_that_could_be_read_stays_one(path: str, before: bytes | None, after: bytes, why: str | None) -> None:
    told = unreadable(path, before, after)

    assert (told or "").startswith(why or "\0") if why else told is None


@pytest.mark.parametrize(
    "data", [b"[" * 100_000, b"- " * 50_000, b"? " * 50_000, b"a: &a [1]\n" + b"b: [*a, *a]\n" * 20_000]
)
def test_a_hostile_yaml_takes_no_time(data: bytes) -> None:
    began = time.process_time()

    unreadable("a.yml", b"", data)

    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (b"x = 1\n", b"x = y\n", "a.py:1: undefined name 'y'"),
        (b"x = y\n", b"x = y\n", None),
        (b"x = y\n", b"x = y + y\n", "a.py:1: undefined name 'y'"),
        (b"from os import *\n", b"from os import *\nx = sep\n", None),
        (b"", b"import os\n", None),
        (b"", b"return 1\n", "a.py:1: 'return' outside function"),
        (b"x = 1\n", b"x = (\n", None),
        (None, b"print('%s %s' % (1,))\n", "a.py:1: '...' % ... has 2 placeholder(s) but 1 substitution(s)"),
    ],
)
def test_names_the_first_mistake_that_was_not_there(before: bytes | None, after: bytes, why: str | None) -> None:
    assert mistaken("a.py", before, after) == why
    assert mistaken("a.txt", before, after) is None
