from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from selfheal_ci.remedies.recall import Recall
from selfheal_ci.values import Candidate, Case, Commit, Content, Hunk, Tree
from tests.fakes import MemoryFiles, MemoryHistory, Place, a_failure, a_finding, a_place

OLD = b"".join(b"line %d\n" % number for number in range(1, 21))
FIX = Hunk("a.py", 9, (b"line 10\n",), (b"fixed\n", b"more\n"))


@dataclass
class Remembering(MemoryHistory):
    """Knows commits that healed, newest first; each turned OLD into the given hunks."""

    commits_that_healed: Collection[Commit] = ()

    def healed(self, fingerprints: Collection[str]) -> list[Commit]:
        return list(self.commits_that_healed) if "1:it fails" in fingerprints else []


def recalled(
    now: Mapping[str, bytes], *hunks: Hunk, commits: Collection[Commit] | None = None, message: str = "it fails"
) -> list[Candidate]:
    place = a_place(now, {})
    commits = [Commit("c" * 40, "fix(ci): a", ("a.py",))] if commits is None else commits
    return list(Recall(a_history(place, hunks, commits)).candidates(a_case(place, message), place.lab))


def a_history(place: Place, hunks: Collection[Hunk], commits: Collection[Commit]) -> Remembering:
    files: MemoryFiles = place.files
    then: Tree = files.tree({"a.py": OLD})
    revisions = {name: then for commit in commits for name in (commit.id, f"{commit.id}~1")}
    return Remembering(revisions, files, hunks, commits)


def a_case(place: Place, message: str) -> Case:
    return Case(place.tree, place.lab.step, (a_failure("t::a", message),), a_finding())


def data(candidate: Candidate, path: str = "a.py") -> bytes:
    content = candidate.changes.files[path]
    assert content
    return content.data


def test_what_fixed_the_same_failure_is_done_again() -> None:
    [candidate] = recalled({"a.py": OLD}, FIX)

    assert data(candidate) == OLD.replace(b"line 10\n", b"fixed\nmore\n")
    assert (candidate.remedy, candidate.why) == (
        "recall",
        "what cccccccccccc did for the same failure: fix(ci): a",
    )


def test_it_is_found_where_it_is_now_with_the_files_mode() -> None:
    [candidate] = recalled({"a.py": b"new\n" + OLD + b"end\n"}, FIX)

    assert data(candidate) == b"new\n" + OLD.replace(b"line 10\n", b"fixed\nmore\n") + b"end\n"


def test_several_hunks_keep_their_places() -> None:
    hunks = [FIX, Hunk("a.py", 12, (), (b"put in\n",)), Hunk("a.py", 14, (b"line 13\n", b"line 14\n"), ())]

    [candidate] = recalled({"a.py": b"new\n" + OLD}, *hunks)

    expected = OLD.replace(b"line 10\n", b"fixed\nmore\n").replace(b"line 12\n", b"put in\nline 12\n")
    assert data(candidate) == b"new\n" + expected.replace(b"line 13\nline 14\n", b"")


def test_nothing_is_done_where_a_part_does_not_fit() -> None:
    second = Hunk("a.py", 19, (b"line 19\n",), (b"fixed\n",))

    assert recalled({"a.py": OLD.replace(b"line 12\n", b"other\n")}, FIX) == []
    assert recalled({"a.py": OLD.replace(b"line 18\n", b"other\n")}, FIX, second) == []
    assert recalled({"a.py": OLD + OLD}, FIX) == []
    assert recalled({"b.py": OLD}, FIX) == []


def test_a_new_file_is_made_again_where_there_is_none() -> None:
    made = Hunk("b.py", 0, (), (), None, Content(b"made\n"), whole=True)

    [candidate] = recalled({"a.py": OLD}, made)

    assert data(candidate, "b.py") == b"made\n"
    assert recalled({"b.py": b""}, made) == []


def test_nothing_is_deleted() -> None:
    assert recalled({"a.py": OLD}, Hunk("a.py", 0, (), (), Content(OLD), None, whole=True)) == []


def test_another_failure_has_another_fix() -> None:
    assert recalled({"a.py": OLD}, FIX, message="it hangs") == []


def test_the_two_newest_are_tried_and_none_that_changed_very_much() -> None:
    commits = [Commit(letter * 40, letter, ("a.py",)) for letter in "abc"]
    large = Commit("d" * 40, "d", tuple(f"{number}.py" for number in range(21)))

    found = recalled({"a.py": OLD}, FIX, commits=[large, *commits])

    assert [candidate.why[-1] for candidate in found] == ["a", "b"]
