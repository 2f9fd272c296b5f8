from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

import pytest

from selfheal_ci.gate.canary import Sung, broken_ends, sing
from selfheal_ci.syntax import after_future, before_main
from selfheal_ci.values import CanarySeen, Case, Changes, Content, Planted, Red, diagnostic_id
from tests.fakes import Check, MemoryRunner, Place, Project, a_failure, a_finding, a_place

PROJECT = {"a.py": b"x = 1\n", "tests/test_a.py": b"judge\n"}
JUDGED = Changes({"a.py": Content(b"x = 2\n")})
SUNG = b"judge\ncanary\n"


class PlantingRunner(MemoryRunner):
    """Plants a test that fails, as far as `CHECKS` say."""

    def canary(self, ids: Collection[str], read: Callable[[str], bytes | None]) -> Planted | None:
        return Planted(Changes({"tests/test_a.py": Content(SUNG)}), frozenset({"t::canary"}))


def target(files: Project) -> str | None:
    return None if files["a.py"].startswith(b"x = 2") and b"raise" not in files["a.py"] else "it is not 2"


def failing(files: Project) -> str | None:
    return "as it must" if files["tests/test_a.py"] == SUNG else "ABSENT"


def silent(files: Project) -> str | None:
    return None if files["a.py"].startswith(b"x = 2") else failing(files)


def absent(files: Project) -> str | None:
    return "ABSENT"


def sung(canary: Check | None, t: Check = target, judged: Changes = JUDGED) -> Sung:
    checks = {"t::a": t} | ({"t::canary": canary} if canary else {})
    place = a_place(PROJECT, checks)
    lab = replace(place.lab, runner=PlantingRunner()) if canary else place.lab
    return sing(judged, a_case(place), lab)


def a_case(place: Place) -> Case:
    red = place.lab.run_step()
    assert isinstance(red, Red)
    return Case(place.tree, place.lab.step, tuple(f for f in red.failures if f.id == "t::a"), a_finding(), before=red)


def test_a_canary_that_fails_counts_as_a_repeat() -> None:
    assert sung(failing) == Sung(CanarySeen.FAILED, passed=True)


def test_a_canary_that_the_candidate_silences_is_the_end_of_it() -> None:
    answer = sung(silent)

    assert answer.seen is None
    assert "tests that must fail do not fail any more" in answer.why


def test_a_canary_that_is_never_seen_says_nothing_and_broken_ends_are_tried() -> None:
    assert sung(absent) == Sung(CanarySeen.FAILED)
    assert sung(None) == Sung(CanarySeen.FAILED)


def test_a_step_that_bears_with_broken_code_is_not_believed() -> None:
    answer = sung(None, lambda files: None if files["a.py"].startswith(b"x = 2") else "no")

    assert answer.seen is None
    assert "broken at its end" in answer.why


def test_a_step_that_does_not_read_code_has_no_canary() -> None:
    assert sung(None, lambda files: None if b"x = 2" in files["a.py"] else "no") == Sung(CanarySeen.NOT_POSSIBLE)


def test_nobody_notices_the_end_of_prose() -> None:
    judged = Changes({"README.md": Content(b"x"), "a.py": None})

    assert sung(None, lambda files: None if "README.md" in files else "no", judged) == Sung(CanarySeen.NOT_POSSIBLE)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"x = 1\n", b"x = 1\nraise\n"),
        (b"x = 1", b"x = 1\nraise\n"),
        (b"x = 1\r\n", b"x = 1\r\nraise\n"),
        (b"", b"raise\n"),
        (b"x = 1\nif __name__ == '__main__':\n    f()\n", b"x = 1\nraise\nif __name__ == '__main__':\n    f()\n"),
        (b"def (\n", b"def (\nraise\n"),
    ],
)
def test_code_at_the_end_of_a_module_stands_before_its_program(before: bytes, after: bytes) -> None:
    assert before_main(before, b"raise\n") == after


def test_a_tool_is_shown_what_does_not_parse() -> None:
    place = a_place(PROJECT, {"t::a": target})
    case = replace(a_case(place), failures=(a_failure(diagnostic_id("a.py", "ruff", "F401", "unused")),))

    broken = broken_ends(JUDGED, case)

    assert broken
    content = broken.files["a.py"]
    assert content
    with pytest.raises(SyntaxError):
        compile(content.data.replace(b"\x01", b""), "a.py", "exec")


@pytest.mark.parametrize(("path", "noticed"), [("a.json", True), ("a.go", True), ("a.md", False), ("a.png", False)])
def test_which_files_show_that_their_end_is_broken(path: str, noticed: bool) -> None:
    place = a_place(PROJECT, {"t::a": target})

    assert (broken_ends(Changes({path: Content(b"{}")}), a_case(place)) is not None) == noticed


def test_a_step_that_reads_code_and_runs_none_notices_what_does_not_parse() -> None:
    def parses(files: Project) -> str | None:
        try:
            compile(files["a.py"], "a.py", "exec")
        except (SyntaxError, ValueError):
            return "it does not parse"
        return None if b"x = 2" in files["a.py"] else "it is not 2"

    assert sung(None, parses) == Sung(CanarySeen.FAILED)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"x = 1\n", b"raise\nx = 1\n"),
        (b"", b"raise\n"),
        (b'"""Says."""\nfrom __future__ import annotations\nx = 1\n', b'"""Says."""\nfrom __future__ import annotations\nraise\nx = 1\n'),
        (b"from __future__ import annotations", b"from __future__ import annotations\nraise\n"),
        (b"def (\n", b"raise\ndef (\n"),
    ],
)  # fmt: skip
def test_code_at_the_top_stands_behind_what_has_to_come_first(before: bytes, after: bytes) -> None:
    assert after_future(before, b"raise\n") == after
