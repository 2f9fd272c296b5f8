from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import replace

import pytest

from selfheal_ci.diagnose.culprit import Search, suspects
from selfheal_ci.values import Commit, Culprit, Hunk
from tests.fakes import Check, MemoryHistory, Place, a_failure, a_place

HERE = {"a.py": b"one\nTWO\nthree\nFOUR\n", "b.py": b"new\n", "tests/test_a.py": b"new\n"}
GREEN = {"a.py": b"one\ntwo\nthree\nfour\n", "b.py": b"old\n", "tests/test_a.py": b"old\n"}
SECOND = Hunk("a.py", 1, (b"two\n",), (b"TWO\n",))
FOURTH = Hunk("a.py", 3, (b"four\n",), (b"FOUR\n",))
OTHER = Hunk("b.py", 0, (b"old\n",), (b"new\n",))
TEST = Hunk("tests/test_a.py", 0, (b"old\n",), (b"new\n",))
HUNKS = (OTHER, FOURTH, SECOND)


def searched(checks: Mapping[str, Check], hunks: tuple[Hunk, ...] = HUNKS) -> tuple[Mapping[str, Culprit], Place]:
    """Each check is a group of its own."""
    place = a_place(HERE, checks)
    history = MemoryHistory({"green": place.files.tree(GREEN), "c1": place.tree}, place.files, given=hunks)
    search = Search(place.source, "green", place.lab, history)
    return search.culprits(hunks, {id_: frozenset({id_}) for id_ in checks}), place


def test_finds_the_hunk_whose_reverting_alone_heals() -> None:
    found, _ = searched({"t::a": lambda files: None if b"four" in files["a.py"] else "red"})

    assert found == {"t::a": Culprit((FOURTH,), "c1", "reverting it alone turns 1 of 1 green")}
    assert found["t::a"].hunk.lines == (4, 4)


def test_hunks_that_only_together_heal_are_found_together() -> None:
    found, _ = searched({"t::a": lambda files: None if b"two" in files["a.py"] and files["b.py"] == b"old\n" else "red"})

    assert set(found["t::a"].hunks) == {SECOND, OTHER}
    assert found["t::a"].how == "reverting 2 changes together (b.py:1, a.py:2) turns 1 of 1 green"


def test_each_group_has_its_own_culprit() -> None:
    found, _ = searched(
        {
            "t::a": lambda files: None if b"two" in files["a.py"] else "red",
            "t::b": lambda files: None if files["b.py"] == b"old\n" else "red",
        }
    )

    assert {id_: culprit.hunks for id_, culprit in found.items()} == {"t::a": (SECOND,), "t::b": (OTHER,)}


def test_a_group_that_no_revert_heals_hides_no_other_culprit() -> None:
    found, _ = searched(
        {"t::a": lambda files: None if b"two" in files["a.py"] else "red", "t::b": lambda _: "red whatever is reverted"}
    )

    assert {id_: culprit.hunks for id_, culprit in found.items()} == {"t::a": (SECOND,)}


def test_the_lowest_rank_wins_not_the_first_to_finish() -> None:
    found, _ = searched({"t::a": lambda files: None if files != HERE else "red"})

    assert found["t::a"].hunk == OTHER


def test_a_lucky_pass_is_not_a_culprit() -> None:
    calls: list[bytes] = []

    def lucky(files: Mapping[str, bytes]) -> str | None:
        calls.append(files["b.py"])
        return None if calls.count(b"old\n") == 1 and files["b.py"] == b"old\n" else "red"

    assert searched({"t::a": lucky})[0] == {}


def test_a_revert_that_leaves_no_python_is_not_run() -> None:
    broken = Hunk("a.py", 1, (b"(\n",), (b"TWO\n",))

    _, place = searched({"t::a": lambda _: "red"}, (broken, OTHER))

    assert all(b"(" not in content.data for _, run in place.sandbox.seen for content in run.files.values() if content)


@pytest.mark.parametrize("size", [5, 10, 20, 40])
def test_one_culprit_among_many_takes_few_runs(size: int) -> None:
    lines = [b"line %d\n" % number for number in range(2 * size)]
    here = {"a.py": b"".join(line.upper() if at % 2 else line for at, line in enumerate(lines))}
    hunks = tuple(Hunk("a.py", at, (lines[at],), (lines[at].upper(),)) for at in range(1, 2 * size, 2))
    runs = []
    for seed in range(20):
        culprit = random.Random(seed).choice(hunks)
        check: Check = lambda files, culprit=culprit: None if culprit.old[0] in files["a.py"] else "red"  # type: ignore[misc]  # noqa: E731
        place = a_place(here, {"t::a": check})
        history = MemoryHistory({"green": place.files.tree({"a.py": b"".join(lines)}), "c1": place.tree}, place.files)
        found = Search(place.source, "green", replace(place.lab), history).culprits(hunks, {"g": frozenset({"t::a"})})
        assert found["g"].hunks == (culprit,)
        runs.append(len(place.sandbox.seen) - 1)  # without the confirmation

    assert sum(runs) / len(runs) <= 2 * math.log2(size) + 3


# several commits ------------------------------------------------------------------------------------------------------


class Commits(MemoryHistory):
    """A straight line of commits: one file each."""

    def __init__(self, place: Place, states: Mapping[str, Mapping[str, bytes]]) -> None:
        super().__init__({name: place.files.tree(files) for name, files in states.items()}, place.files)
        self.names = list(states)

    def commits(self, old: str, new: str) -> list[Commit]:
        trees = [self.trees[name] for name in self.names]
        return [
            Commit(name, name, tuple(path for path in now.entries if before.entries.get(path) != now.entries[path]))
            for name, before, now in zip(self.names[1:], trees, trees[1:], strict=False)
        ]

    def before(self, revision: str, most: int) -> list[str]:
        return self.names[: self.names.index(revision)][::-1][:most]


STATES = {
    "green": {"a.py": b"1\n", "b.py": b"1\n"},
    "c1": {"a.py": b"2\n", "b.py": b"1\n"},
    "c2": {"a.py": b"2\n", "b.py": b"2\n"},
    "c3": {"a.py": b"3\n", "b.py": b"2\n"},
    "c4": {"a.py": b"3\n", "b.py": b"3\n"},
}
BOTH = (Hunk("a.py", 0, (b"1\n",), (b"3\n",)), Hunk("b.py", 0, (b"1\n",), (b"3\n",)))


def bisected(check: Check, here: Mapping[str, bytes] = STATES["c4"], *, dirty: bool = False) -> Culprit | None:
    place = a_place(here, {"t::a": check})
    source = replace(place.source, commit="c4", dirty=dirty)
    return Search(source, "green", place.lab, Commits(place, STATES)).culprits(BOTH, {"g": frozenset({"t::a"})}).get("g")


@pytest.mark.parametrize(
    ("good", "commit", "path"), [((b"1\n",), "c1", "a.py"), ((b"1\n", b"2\n"), "c3", "a.py")], ids=["first", "third"]
)
def test_of_several_commits_the_one_that_broke_it_is_named(good: tuple[bytes, ...], commit: str, path: str) -> None:
    found = bisected(lambda files: None if files["a.py"] in good else "red")

    assert found is not None
    assert (found.commit, found.hunk.path) == (commit, path)
    assert found.how.endswith(f"; {commit} is the first of 4 commits that fails")


def test_an_uncommitted_change_is_of_no_commit() -> None:
    here = {"a.py": b"3\n", "b.py": b"mine\n"}
    place = a_place(here, {"t::a": lambda files: "red" if files["b.py"] == b"mine\n" else None})
    source = replace(place.source, commit="c4", dirty=True)
    hunks = (BOTH[0], Hunk("b.py", 0, (b"1\n",), (b"mine\n",)))

    found = Search(source, "green", place.lab, Commits(place, STATES)).culprits(hunks, {"g": frozenset({"t::a"})})

    assert (found["g"].hunk.path, found["g"].commit) == ("b.py", None)


# suspects -------------------------------------------------------------------------------------------------------------


def test_tests_are_no_suspects_and_named_files_come_first() -> None:
    failure = a_failure()  # names a.py

    assert suspects([TEST, OTHER, FOURTH, SECOND], [failure]) == (FOURTH, SECOND, OTHER)


def test_what_failing_tests_execute_comes_before_what_they_name() -> None:
    assert suspects([SECOND, OTHER, FOURTH], [a_failure()], {"b.py": frozenset({1})}) == (OTHER, SECOND, FOURTH)


def test_prose_comes_last_however_small_it_is() -> None:
    prose = Hunk("CHANGELOG.md", 0, (), (b"news\n",))

    assert suspects([prose, OTHER], [a_failure()]) == (OTHER, prose)
