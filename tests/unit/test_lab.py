"""What the lab takes for healed, where tools complain rather than tests fail; and how it tries another tree."""

from __future__ import annotations

from dataclasses import replace

from selfheal_ci.values import NOTHING, Changes, Content, Green, Red, tool_of
from tests.fakes import Check, Project, a_place, a_step

UNUSED = "a.py::ruff[F401]::`os` imported but unused"
UNTYPED = "b.py::mypy[return-value]::Incompatible return value type"
FIXED = Content(b"fixed")


def wrong(path: str) -> Check:
    return lambda project: None if project[path] == b"fixed" else "wrong"


def behind(first: Check, then: Check) -> Check:
    """Of `first && then`."""
    return lambda project: "ABSENT" if first(project) else then(project)


def test_a_complaint_that_only_makes_room_for_the_next_is_not_healed() -> None:
    checks = {UNUSED: wrong("a.py"), UNTYPED: behind(wrong("a.py"), wrong("b.py"))}
    lab = a_place({"a.py": b"", "b.py": b""}, checks).lab
    lab.run_step()

    assert not lab.heals({UNUSED}, Changes({"a.py": FIXED}))
    assert lab.heals({UNUSED}, Changes({"a.py": FIXED, "b.py": FIXED}))


def test_one_complaint_of_two_is_healed_while_the_other_is_left() -> None:
    lab = a_place({"a.py": b"", "b.py": b""}, {UNUSED: wrong("a.py"), UNTYPED: wrong("b.py")}).lab
    lab.run_step()

    assert lab.heals({UNUSED}, Changes({"a.py": FIXED}))


def test_tools_always_run_with_the_whole_step() -> None:
    place = a_place({"a.py": b"", "b.py": b"fixed"}, {UNUSED: wrong("a.py"), "test_a.py::test_a": wrong("b.py")})

    assert isinstance(place.lab.run_tests({UNUSED}), Red)
    assert isinstance(place.lab.run_tests({"test_a.py::test_a"}), Green)
    assert [shell for shell, _ in place.sandbox.seen] == ["null", '["test_a.py::test_a"]']


def test_ids_of_tools_are_told_from_those_of_tests() -> None:
    tests = (
        "a.py::ruff",
        "test_a.py::test_ruff[F401]",
        "test_a.py::Mypy::test_a[x]",
        "pkg.A::ruff[x]",
        "step:ruff[x]::y"[:12],
    )

    assert [tool_of(id_) for id_ in (UNUSED, UNTYPED, "pip[conflict]::a # depends on b", *tests)] == [
        "ruff", "mypy", "pip", *[""] * len(tests),
    ]  # fmt: skip


GREEN: Project = {"a.py": b"right"}


def test_another_tree_is_prepared_on_its_own_where_setup_made_files_of_the_sources() -> None:
    place = a_place({"a.py": b"wrong"}, {})
    other = place.files.tree(GREEN)
    assert place.lab.at(other).sandbox is place.sandbox

    place.sandbox.made = ("generated.py",)

    there = place.lab.at(other)
    assert (there.sandbox is place.sandbox, there.below, there.tree) == (False, NOTHING, other)
    assert place.lab.at(place.tree).sandbox is place.sandbox


def test_what_the_step_builds_itself_is_never_stale() -> None:
    place = a_place({"a.py": b"wrong"}, {}, step=replace(a_step(), build=("python gen.py",)))
    place.sandbox.made = ("generated.py",)

    assert place.lab.stale == ()
    assert place.lab.at(place.files.tree(GREEN)).sandbox is place.sandbox
