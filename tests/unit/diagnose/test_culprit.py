from __future__ import annotations

from collections.abc import Mapping

from selfheal_ci.diagnose.culprit import find_culprit, suspects
from selfheal_ci.values import Culprit, Hunk
from tests.fakes import Check, MemoryHistory, Place, a_failure, a_place

HERE = {"a.py": b"one\nTWO\nthree\nFOUR\n", "b.py": b"new\n", "tests/test_a.py": b"new\n"}
GREEN = {"a.py": b"one\ntwo\nthree\nfour\n", "b.py": b"old\n", "tests/test_a.py": b"old\n"}
SECOND = Hunk("a.py", 1, (b"two\n",), (b"TWO\n",))
FOURTH = Hunk("a.py", 3, (b"four\n",), (b"FOUR\n",))
OTHER = Hunk("b.py", 0, (b"old\n",), (b"new\n",))
TEST = Hunk("tests/test_a.py", 0, (b"old\n",), (b"new\n",))
HUNKS = (OTHER, FOURTH, SECOND)


def searched(checks: Mapping[str, Check], hunks: tuple[Hunk, ...] = HUNKS) -> tuple[Culprit | None, Place]:
    place = a_place(HERE, checks)
    history = MemoryHistory({"green": place.files.tree(GREEN), "c1": place.tree}, place.files, given=hunks)
    return find_culprit(hunks, list(checks), place.source, "green", place.lab, history), place


def test_finds_the_hunk_whose_reverting_alone_heals() -> None:
    found, _ = searched({"t::a": lambda files: None if b"four" in files["a.py"] else "red"})

    assert found == Culprit(FOURTH, "c1", "reverting it alone turns 1 of 1 green")
    assert found.hunk.lines == (4, 4)


def test_no_single_hunk_means_no_culprit() -> None:
    both = lambda files: None if b"two" in files["a.py"] and b"four" in files["a.py"] else "red"  # noqa: E731

    assert searched({"t::a": both})[0] is None


def test_the_lowest_rank_wins_not_the_first_to_finish() -> None:
    found, _ = searched({"t::a": lambda files: None if files != HERE else "red"})

    assert found is not None
    assert found.hunk == OTHER


def test_a_lucky_pass_is_not_a_culprit() -> None:
    calls: list[bytes] = []

    def lucky(files: Mapping[str, bytes]) -> str | None:
        calls.append(files["b.py"])
        return None if calls.count(b"old\n") == 1 and files["b.py"] == b"old\n" else "red"

    assert searched({"t::a": lucky})[0] is None


def test_tests_are_no_suspects_and_named_files_come_first() -> None:
    failure = a_failure()  # names a.py

    assert suspects([TEST, OTHER, FOURTH, SECOND], [failure]) == (FOURTH, SECOND, OTHER)


def test_prose_comes_last_however_small_it_is() -> None:
    prose = Hunk("CHANGELOG.md", 0, (), (b"news\n",))

    assert suspects([prose, OTHER], [a_failure()]) == (OTHER, prose)
