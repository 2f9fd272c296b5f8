"""Old tokens in new lines."""

from __future__ import annotations

from selfheal_ci.remedies.mutation.mixes import mixes
from selfheal_ci.remedies.mutation.text import parse
from selfheal_ci.values import Hunk

NEW = b"def cost(items):\r\n    n = len(items)\r\n    return price(items) - n * FEE\r\n"
CAME = Hunk("a.py", 1, (), (b"    n = len(items)\r\n", b"    return price(items) - n * FEE\r\n"))


def mixed(*older: Hunk, new: Hunk = CAME) -> set[str]:
    source = parse("a.py", NEW)
    assert source
    return {source.changed(each.edits) for each in mixes(source, [new], [new, *older])}


def test_a_line_that_was_moved_gets_its_older_version_in_whole_and_in_part() -> None:
    found = mixed(Hunk("b.py", 0, (b"        return price(items) + n * RATE\n",), ()))

    text = NEW.decode()
    assert text.replace("- n * FEE", "+ n * RATE") in found
    assert text.replace("- n", "+ n") in found
    assert text.replace("FEE", "RATE") in found


def test_an_old_name_may_stand_in_another_place() -> None:
    found = mixed(Hunk("b.py", 0, (b"    return price(items) + count * RATE\n",), ()))

    assert NEW.decode().replace("n * FEE", "n * count") in found


def test_what_only_puts_back_a_piece_of_the_hunk_is_left_to_the_shrunk_revert() -> None:
    hunk = Hunk("a.py", 2, (b"    return price(items) + n * FEE\r\n",), (b"    return price(items) - n * FEE\r\n",))

    assert mixed(new=hunk) == set()


def test_lines_that_are_nothing_like_each_other_are_not_mixed() -> None:
    assert mixed(Hunk("b.py", 0, (b"import os\n", b"# a remark\n"), ())) == set()
