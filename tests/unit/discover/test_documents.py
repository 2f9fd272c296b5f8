from __future__ import annotations

import pytest

from selfheal_ci.discover.documents import Reference, UnreadableError, line_of, read


def test_on_is_a_word_and_a_version_no_number() -> None:
    told = read(b"on: [push]\nversion: 3.10\nquoted: 'true'\nyes: true\nnothing:\n")

    assert told == {"on": ["push"], "version": "3.10", "quoted": "true", "yes": True, "nothing": None}


def test_knows_the_line_of_each_value() -> None:
    told = read(b"a:\n  b: x\n  run: |\n    one\n    two\n")

    assert [line_of(told["a"]), line_of(told["a"]["b"]), line_of(told["a"]["run"])] == [2, 2, 4]


def test_follows_anchors_and_merges() -> None:
    told = read(b"base: &base {x: 1, y: 2}\njob:\n  <<: *base\n  y: 3\n")

    assert told["job"] == {"x": "1", "y": "3"}


def test_reads_gitlabs_references_and_the_document_behind_inputs() -> None:
    assert read(b"spec: {}\n---\njob: !reference [.a, script]\n") == {"job": Reference((".a", "script"))}


@pytest.mark.parametrize(
    "data",
    [
        b"a: &a [x, x, x, x, x, x, x, x, x]\n" + b"".join(
            b"%c: &%c [*%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c]\n" % (c, c, *[c - 1] * 9) for c in b"bcdefgh"
        ),
        b"a: &a\n  b: *a\n",
        b"a: " + b"[" * 100 + b"]" * 100,
        b"[" * 20_000,
        b"a: [",
        b"\x00",
        b"x\n" * 1_000 + b"a: {",
    ],
    ids=["many aliases", "an alias in itself", "deep", "deeper", "open", "binary", "no mapping"],
)  # fmt: skip
def test_refuses_what_nobody_writes(data: bytes) -> None:
    with pytest.raises(UnreadableError):
        read(data)


def test_nothing_is_constructed() -> None:
    assert read(b"a: !!python/object/apply:os.system ['true']\n") == {"a": ["true"]}
