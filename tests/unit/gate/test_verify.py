from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from selfheal_ci.gate.policy import Policy
from selfheal_ci.gate.verify import Gate
from selfheal_ci.values import (
    Attempt,
    Candidate,
    Case,
    Changes,
    Content,
    Evidence,
    Flakiness,
    Red,
    Refused,
    Rejected,
    Unusable,
    Verdict,
    Verified,
)
from tests.fakes import Check, Place, Project, a_finding, a_place, a_step
from tests.unit.test_lab_trace import TracingRunner

PROJECT = {"a.py": b"wrong\n", "b.py": b"fine\n", "tests/test_a.py": b"judge\n"}


def has(path: str, text: bytes) -> Check:
    return lambda files: None if files.get(path) == text else f"{path} is not {text.decode().strip()}"


CHECKS: Mapping[str, Check] = {
    "t::a": has("a.py", b"right\n"),
    "t::b": has("b.py", b"fine\n"),
    "t::old": lambda files: "always red",
}


def a_case(place: Place) -> Case:
    red = place.lab.run_step()
    assert isinstance(red, Red)
    return Case(place.tree, place.lab.step, tuple(f for f in red.failures if f.id == "t::a"), a_finding(), before=red)


def judge(changes: Mapping[str, bytes], checks: Mapping[str, Check] = CHECKS, *, flaw: str | None = None) -> Verdict:
    place = a_place(PROJECT, checks)
    candidate = Candidate("model", Changes({path: Content(data) for path, data in changes.items()}), "why", flaw=flaw)
    return Gate(Policy()).judge(candidate, a_case(place), place.lab)


def test_verifies_what_turns_the_target_green_and_nothing_red() -> None:
    verdict = judge({"a.py": b"right\n"})

    assert isinstance(verdict, Verified)
    assert verdict.evidence.red_to_green == ("t::a",)
    assert verdict.evidence.repeats == 3


def test_rejects_what_does_not_turn_the_target_green_and_says_what_is_left() -> None:
    verdict = judge({"a.py": b"other\n"})

    assert isinstance(verdict, Rejected)
    assert verdict.reason == "0 of 1 now pass; t::a: a.py is not right (a.py:1)"


def test_rejects_what_breaks_another_test() -> None:
    verdict = judge({"a.py": b"right\n", "b.py": b"broken\n"})

    assert isinstance(verdict, Rejected)
    assert verdict.evidence.green_to_red == ("t::b",)
    assert verdict.reason == "it breaks what passed: t::b: b.py is not fine (a.py:1)"


def test_rejects_what_makes_a_passing_test_vanish() -> None:
    def hidden(files: Project) -> str | None:
        return None if files["a.py"] == b"wrong\n" else "ABSENT"

    verdict = judge({"a.py": b"right\n"}, {**CHECKS, "t::hidden": hidden})

    assert isinstance(verdict, Rejected)
    assert verdict.reason == "tests are gone: t::hidden"


def test_rejects_a_fix_that_is_not_stable() -> None:
    answers = iter([None, None, None, "flickers", "flickers"])
    seen: list[str | None] = []

    def unstable(files: Project) -> str | None:
        if files["a.py"] != b"right\n":
            return "red"
        seen.append(next(answers))
        return seen[-1]

    verdict = judge({"a.py": b"right\n"}, {"t::a": unstable})

    assert isinstance(verdict, Rejected)
    assert verdict.reason == "passed at first, then failed in repeat 2 of 2: it is not stable"


def test_rejects_a_step_that_hangs() -> None:
    def hangs(files: Project) -> str | None:
        return "red" if files["a.py"] == b"wrong\n" else "HANG"

    verdict = judge({"a.py": b"right\n"}, {"t::a": hangs})

    assert isinstance(verdict, Rejected)
    assert verdict.reason == "the failing tests gave no answer: timeout after 30 s (timeout-minutes, 0.5)"


def test_refuses_an_edited_test_and_says_whether_it_works() -> None:
    checks = {"t::a": has("tests/test_a.py", b"weak\n")}

    verdict = judge({"tests/test_a.py": b"weak\n"}, checks)

    assert verdict == Refused("tests/test_a.py: this is a test file, and no fix may touch it", works=True)


def test_refuses_a_patch_that_would_bring_in_a_secret() -> None:
    place = a_place(PROJECT, CHECKS)
    case = a_case(place)
    gate = Gate(Policy(), introduces=lambda before, after: b"hunter2" in after and b"hunter2" not in before)
    before = len(place.sandbox.seen)

    for files in ({"a.py": b"hunter2\n"}, {"hunter2.py": b"x = 1\n"}):
        changes = Changes({path: Content(data) for path, data in files.items()})
        verdict = gate.judge(Candidate("model", changes, "why"), case, place.lab)
        assert verdict == Refused(f"{next(iter(files))}: it would bring in a secret of this machine", works=False)

    assert len(place.sandbox.seen) == before, "code with a secret in it was run"


def test_a_patch_is_refused_whole() -> None:
    verdict = judge({"a.py": b"right\n", "setup.py": b"x = 1\n"})

    assert isinstance(verdict, Refused)


def test_nothing_to_judge_is_unusable() -> None:
    assert judge({}, flaw="the model declined") == Unusable("the model declined")
    assert judge({"a.py": b"wrong\n"}) == Unusable("it changes nothing")


def test_what_parsed_before_must_parse_after() -> None:
    place = a_place({"a.py": b"x = 1\n"}, {"t::a": lambda files: "red"})
    broken = Candidate("model", Changes({"a.py": Content(b"x = (\n")}), "why")

    assert Gate(Policy()).judge(broken, a_case(place), place.lab) == Unusable("a.py:1: does not parse: '(' was never closed")


def test_the_same_patch_is_not_tried_twice() -> None:
    place = a_place(PROJECT, CHECKS)
    candidate = Candidate("model", Changes({"a.py": Content(b"other\n")}), "why")
    earlier = Attempt(1, candidate, Rejected("still red", Evidence()), 1, 0.1)

    verdict = Gate(Policy()).judge(candidate, a_case(place), place.lab, [earlier])

    assert verdict == Unusable("the same patch was tried before, as attempt 1: still red")


def test_a_formatters_changes_of_a_test_are_run_with_them() -> None:
    place = a_place(PROJECT, {"t::a": has("tests/test_a.py", b"neat\n")}, step=a_step("lint", "black --check ."))
    candidate = Candidate("fixer", Changes({"tests/test_a.py": Content(b"neat\n")}), "black .")

    assert isinstance(Gate(Policy()).judge(candidate, a_case(place), place.lab), Verified)


def test_the_last_repeat_tells_which_changed_lines_the_targets_do_not_execute() -> None:
    place = a_place(PROJECT, {**CHECKS, "t::a": has("a.py", b"right\nmore\n")})
    lab = replace(place.lab, runner=TracingRunner())
    candidate = Candidate("model", Changes({"a.py": Content(b"right\nmore\n")}), "why")

    verdict = Gate(Policy()).judge(candidate, a_case(place), lab)

    assert isinstance(verdict, Verified)
    assert (verdict.evidence.repeats, verdict.evidence.unexecuted) == (3, (("a.py", 2),))
    assert verdict.evidence.not_checked[0] == "what changed and the failing tests do not execute: a.py:2"


def a_gate_that_knows(**flaky: int) -> Gate:
    since = date(2026, 11, 20)
    known = {f"t::{name}": Flakiness(times, since) for name, times in flaky.items()}
    return Gate(Policy(), flaky=lambda _, ids: {id_: known[id_] for id_ in ids if id_ in known})


def test_a_test_that_was_flaky_before_has_to_pass_more_often_and_is_shown() -> None:
    place = a_place(PROJECT, CHECKS)
    candidate = Candidate("model", Changes({"a.py": Content(b"right\n")}), "why")

    verdict = a_gate_that_knows(a=3, b=1).judge(candidate, a_case(place), place.lab)

    assert isinstance(verdict, Verified)
    assert verdict.evidence.repeats == 8
    assert verdict.labels == ("t::a was flaky before (3 times since 2026-11-20)",)


def judged_with(gate: Gate, runs: list[None], *, unlucky: int) -> Verdict:
    """The verdict on a right change with which one run of the target fails; `runs` counts them."""

    def check(files: Project) -> str | None:
        runs.extend([None] * (files["a.py"] == b"right\n"))
        return None if files["a.py"] == b"right\n" and len(runs) != unlucky else "unlucky"

    place = a_place(PROJECT, {**CHECKS, "t::a": check})
    candidate = Candidate("model", Changes({"a.py": Content(b"right\n")}), "why")
    return gate.judge(candidate, a_case(place), place.lab)


def test_what_fails_in_the_last_repeat_alone_is_found_out_where_the_test_is_known_to_be_flaky() -> None:
    usual: list[None] = []
    more: list[None] = []
    assert isinstance(judged_with(a_gate_that_knows(), usual, unlucky=0), Verified)
    assert isinstance(judged_with(a_gate_that_knows(a=1), more, unlucky=0), Verified)
    assert len(more) == len(usual) + 5

    verdict = judged_with(a_gate_that_knows(a=1), [], unlucky=len(more))

    assert isinstance(verdict, Rejected)
    assert verdict.reason == "passed at first, then failed in repeat 7 of 7: it is not stable"
    assert isinstance(judged_with(a_gate_that_knows(), [], unlucky=len(more)), Verified)
