"""Hunks are put back where they are, byte for byte, and nowhere else."""

from __future__ import annotations

import pytest

from selfheal_ci.hunks import revert, split_lines
from selfheal_ci.values import NOTHING, Changes, Content, Hunk

NOW = b"1\nTWO\n3\n5\n6\nnew\n7"
EDIT = Hunk("a", 1, (b"2\n",), (b"TWO\n",))
DELETION = Hunk("a", 3, (b"4\n",), ())
ADDITION = Hunk("a", 5, (), (b"new\n",))


def reverted(*hunks: Hunk, now: bytes | None = NOW) -> Changes:
    return revert(hunks, lambda _: now)


@pytest.mark.parametrize(
    ("hunks", "then"),
    [
        ([EDIT], b"1\n2\n3\n5\n6\nnew\n7"),
        ([DELETION], b"1\nTWO\n3\n4\n5\n6\nnew\n7"),
        ([ADDITION], b"1\nTWO\n3\n5\n6\n7"),
        ([EDIT, DELETION, ADDITION], b"1\n2\n3\n4\n5\n6\n7"),
        ([ADDITION, EDIT], b"1\n2\n3\n5\n6\n7"),
    ],
)
def test_the_older_lines_come_back(hunks: list[Hunk], then: bytes) -> None:
    assert reverted(*hunks) == Changes({"a": Content(then)})


def test_a_mode_stays_what_it_is() -> None:
    assert reverted(Hunk("a", 0, (b"0\n",), (b"1\n",), mode="100755")).files["a"] == Content(b"0\n" + NOW[2:], "100755")


def test_a_whole_file_comes_back_or_goes() -> None:
    before, after = Content(b"\0old"), Content(b"\0new")

    assert reverted(Hunk("a", 0, (), (), before, after, whole=True)) == Changes({"a": before})
    assert reverted(Hunk("a", 0, (), (), None, after, whole=True)) == Changes({"a": None})


def test_hunks_of_several_files_come_back_together() -> None:
    now = {"a": b"TWO\n", "b": b"x\n"}
    hunks = [Hunk("b", 0, (b"y\n",), (b"x\n",)), Hunk("a", 0, (b"2\n",), (b"TWO\n",))]

    assert revert(hunks, now.get) == Changes({"a": Content(b"2\n"), "b": Content(b"y\n")})


@pytest.mark.parametrize("now", [b"something else\n", b"", None])
def test_a_hunk_that_is_not_in_its_place_stays(now: bytes | None) -> None:
    assert reverted(EDIT, now=now) == NOTHING


@pytest.mark.parametrize("data", [b"", b"a", b"a\n", b"a\r\nb\rc\x0b\x0cd\n\n", b"\n\n"])
def test_only_a_line_feed_ends_a_line(data: bytes) -> None:
    lines = split_lines(data)

    assert b"".join(lines) == data
    assert len(lines) == data.count(b"\n") + (not data.endswith(b"\n") and data != b"")


def test_a_pure_deletion_is_told_at_the_line_it_stood_before() -> None:
    assert (DELETION.lines, EDIT.lines, ADDITION.lines) == ((4, 4), (2, 2), (6, 6))
