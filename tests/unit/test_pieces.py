from __future__ import annotations

import random

import pytest

from selfheal_ci.hunks import split_lines
from selfheal_ci.pieces import moved, pieces, put_back
from selfheal_ci.values import Content, Hunk


def a_hunk(old: bytes, new: bytes) -> Hunk:
    return Hunk("a.py", 0, tuple(split_lines(old)), tuple(split_lines(new)))


def told(hunk: Hunk) -> list[tuple[bytes, bytes]]:
    new = b"".join(hunk.new)
    return [(piece.was, new[piece.start : piece.end]) for piece in pieces(hunk)]


CASES = {
    "one token": (b"return a + b\n", b"return a - b\n", [(b"+", b"-")]),
    "two tokens": (b"if a < b and c:\n", b"if a <= b or c:\n", [(b"", b"="), (b"and", b"or")]),
    "a line that came": (b"a\n", b"a\nx\n", [(b"", b"x\n")]),
    "a line that went": (b"a\nx\nb\n", b"a\nb\n", [(b"x\n", b"")]),
    "statements that went, whole": (
        b"a\n    # why\n    if x:\n        y()\n    z()\nb\n",
        b"a\nb\n",
        [(b"    # why\n    if x:\n        y()\n", b""), (b"    z()\n", b"")],
    ),
    "lines that went and are no statements": (
        b"a\n    x = [\n    1,\nb\n",
        b"a\nb\n",
        [(b"    x = [\n", b""), (b"    1,\n", b"")],
    ),
    "lines that came, one by one": (b"", b"x\ny\n", [(b"", b"x\n"), (b"", b"y\n")]),
    "a block that has nothing in common": (b"one\n", b"if x > 3: return 17\n", [(b"one\n", b"if x > 3: return 17\n")]),
    "the last line without its end": (b"a\nb", b"a\nc", [(b"b", b"c")]),
    "CRLF": (b"a + b\r\n", b"a - b\r\n", [(b"+", b"-")]),
    "Latin-1": (b"caf\xe9 = 1\n", b"caf\xe9 = 2\n", [(b"1", b"2")]),
}


@pytest.mark.parametrize(("old", "new", "expected"), CASES.values(), ids=CASES.keys())
def test_is_made_of_the_smallest_edits(old: bytes, new: bytes, expected: list[tuple[bytes, bytes]]) -> None:
    assert told(a_hunk(old, new)) == expected


@pytest.mark.parametrize("seed", range(50))
def test_all_pieces_together_put_a_hunk_back_and_none_leaves_it(seed: int) -> None:
    chance = random.Random(seed)
    words = [b"a", b"b", b" ", b"\n", b"(", b"+", b"\r\n", b"\xff", b"    "]
    old, new = (b"".join(chance.choices(words, k=chance.randrange(60))) for _ in range(2))
    hunk = a_hunk(old, new)

    assert b"".join(put_back(hunk, pieces(hunk)).old) == old
    assert b"".join(put_back(hunk, []).old) == new


def test_a_rewritten_file_has_pieces_too() -> None:
    hunk = Hunk("a.py", 0, (), (), Content(b"a = 1\n"), Content(b"a = 2\n", "100755"), whole=True)

    assert put_back(hunk, pieces(hunk)).before == Content(b"a = 1\n", "100755")


@pytest.mark.parametrize(
    "sides",
    [
        (None, Content(b"a\n")),
        (Content(b"a\n"), None),
        (Content(b"a\0"), Content(b"b\0")),
        (Content(b"there", "120000"), Content(b"here", "120000")),
    ],
)
def test_what_is_no_text_on_both_sides_has_none(sides: tuple[Content | None, Content | None]) -> None:
    assert pieces(Hunk("a", 0, (), (), *sides, whole=True)) == []


def test_a_huge_block_is_put_back_whole() -> None:
    hunk = a_hunk(b"".join(b"a%d\n" % n for n in range(5000)), b"".join(b"b%d\n" % n for n in range(5000)))

    assert len(pieces(hunk)) == 1


TAKE = b'def take(n, seq):\n    """The first n."""\n    return islice(seq, n)\n'


def test_what_changed_in_a_block_on_its_way_is_told_alone() -> None:
    gone, here = a_hunk(TAKE, b""), a_hunk(b"", b"def new():\n    pass\n\n" + TAKE.replace(b", n)", b", n + 1)"))
    [piece] = moved(gone, here)

    assert b"".join(put_back(here, [piece]).old) == b"def new():\n    pass\n\n" + TAKE
    assert moved(a_hunk(b"x = 1\ny = 2\n", b""), here) == [] == moved(a_hunk(TAKE, b""), a_hunk(b"", b"z = 1\n"))


def test_a_block_may_move_into_a_new_file() -> None:
    new = Hunk("b.py", 0, (), (), None, Content(TAKE.replace(b", n)", b", n + 1)")), whole=True)
    put = put_back(new, moved(a_hunk(TAKE, b""), new))

    assert put.before == Content(TAKE)


def test_two_lines_that_moved_are_known_by_their_words() -> None:
    gone = a_hunk(b"    elif self.extra == ALLOW:\n        out[key] = value\n", b"")
    here = a_hunk(b"", b"    elif self.extra != ALLOW:\n        out[key] = value\n")
    [piece] = moved(gone, here)

    assert put_back(here, [piece]).old == gone.old
