from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace

from selfheal_ci import conclude, cycle
from selfheal_ci.events import Warned
from selfheal_ci.gate.policy import Policy
from selfheal_ci.gate.verify import Gate
from selfheal_ci.lab import Lab
from selfheal_ci.ports import Remedy
from selfheal_ci.values import (
    Candidate,
    Case,
    Changes,
    Content,
    Cost,
    Finding,
    Healing,
    Kind,
    Lack,
    Output,
    Red,
    Shortfall,
    Status,
    Stop,
    Verdict,
)
from tests.fakes import Check, MemoryHistory, Place, Project, a_guess, a_place, a_run

HERE: Project = {"a.py": b"wrong\n", "b.py": b"wrong\n", "tests/test_a.py": b"judge\n"}
GREEN: Project = {"a.py": b"right\n", "b.py": b"right\n", "tests/test_a.py": b"judge\n"}


def wants(path: str, text: bytes = b"right\n") -> Check:
    return lambda files: None if files[path] == text else f"{path} is wrong"


FREE = Cost()


@dataclass
class Offers:
    """A remedy that yields what it was given, then ends as it was told."""

    offered: Sequence[Mapping[str, bytes]]
    end: Finding | Shortfall | None = None
    name: str = "model"
    cost: Cost = FREE

    def candidates(self, case: Case, lab: Lab) -> Generator[Candidate, Verdict, Finding | Shortfall | None]:
        for files in self.offered:
            yield Candidate(self.name, Changes({path: Content(data) for path, data in files.items()}), "why", cost=self.cost)
        return self.end


def healed(
    checks: Mapping[str, Check], *ladder: Remedy, known_red: bool = False, minutes: float = 1.0
) -> tuple[Healing, Place]:
    place = a_place(HERE, checks, base=a_guess(), minutes=minutes)
    history = MemoryHistory({"green": place.files.tree(GREEN), "c1": place.tree}, place.files)
    judge = Gate(Policy()).judge
    healing = cycle.heal(place.source, place.lab, history, ladder, judge, place.lab.tell, known_red=known_red)
    return healing, place


def test_a_step_that_passes_is_healthy() -> None:
    assert healed({"t::a": lambda _: None})[0].status is Status.HEALTHY


def test_a_step_that_passes_though_it_is_known_red_is_flaky() -> None:
    assert healed({"t::a": lambda _: None}, known_red=True)[0].status is Status.FLAKY


def test_the_first_verified_candidate_heals() -> None:
    healing, _ = healed({"t::a": wants("a.py")}, Offers([{"a.py": b"no\n"}, {"a.py": b"right\n"}, {"a.py": b"late\n"}]))

    assert healing.status is Status.HEALED
    assert [(attempt.number, type(attempt.verdict).__name__) for attempt in healing.attempts] == [
        (1, "Rejected"),
        (2, "Verified"),
    ]
    assert healing.changes == Changes({"a.py": Content(b"right\n")})
    assert healing.evidence.reproduced == 9


def test_later_remedies_are_asked_when_earlier_ones_fail() -> None:
    healing, _ = healed({"t::a": wants("a.py")}, Offers([{"a.py": b"no\n"}]), Offers([{"a.py": b"right\n"}], name="revert"))

    assert [attempt.candidate.remedy for attempt in healing.attempts] == ["model", "revert"]


def test_groups_are_healed_on_top_of_each_other() -> None:
    @dataclass
    class OneByOne:
        name: str = "model"

        def candidates(self, case: Case, lab: Lab) -> Generator[Candidate, Verdict, None]:
            path = case.failures[0].message.split()[0]
            yield Candidate("model", Changes({path: Content(b"right\n")}), "why")

    healing, _ = healed({"t::a": wants("a.py"), "t::b": wants("b.py")}, OneByOne())

    assert healing.status is Status.HEALED
    assert healing.changes == Changes({"a.py": Content(b"right\n"), "b.py": Content(b"right\n")})
    assert healing.evidence.red_to_green == ("t::a", "t::b")


def test_a_group_that_an_earlier_fix_heals_is_proven_and_told_as_well() -> None:
    checks: Mapping[str, Check] = {
        "t::a": lambda files: None if files["a.py"] == b"right\n" else "one reason",
        "t::b": lambda files: None if files["a.py"] == b"right\n" else "another",
    }

    healing, place = healed(checks, Offers([{"a.py": b"right\n"}]))

    assert healing.status is Status.HEALED
    assert len(healing.attempts) == 1
    assert healing.evidence.red_to_green == ("t::a", "t::b")
    alone = [ids for ids, changes in place.sandbox.seen if ids == '["t::b"]' and changes == healing.changes]
    assert len(alone) == 2


def test_a_group_that_nothing_healed_is_tried_with_what_heals_a_later_one() -> None:
    @dataclass
    class OnlyTheSecond:
        name: str = "model"

        def candidates(self, case: Case, lab: Lab) -> Generator[Candidate, Verdict, None]:
            if "t::b" in case.targets:
                yield Candidate("model", Changes({"a.py": Content(b"right\n")}), "why")

    checks: Mapping[str, Check] = {
        "t::a": lambda files: None if files["a.py"] == b"right\n" else "one reason",
        "t::b": lambda files: None if files["a.py"] == b"right\n" else "another",
    }

    healing, _ = healed(checks, OnlyTheSecond())

    assert healing.status is Status.HEALED
    assert healing.open == ()
    assert healing.evidence.red_to_green == ("t::a", "t::b")


def test_a_group_that_an_earlier_fix_heals_only_by_luck_stays_open() -> None:
    seen: list[None] = []

    def lucky(files: Project) -> str | None:
        if files["a.py"] != b"right\n":
            return "another"
        seen.append(None)
        return None if len(seen) == 1 else "another"

    checks: Mapping[str, Check] = {"t::a": wants("a.py"), "t::b": lucky}

    assert healed(checks, Offers([{"a.py": b"right\n"}]))[0].open == ("t::b",)


def test_some_groups_healed_and_some_not_is_not_healed_with_a_part() -> None:
    healing, _ = healed({"t::a": wants("a.py"), "t::b": wants("b.py")}, Offers([{"a.py": b"right\n"}]))

    assert healing.status is Status.NOT_HEALED
    assert healing.changes == Changes({"a.py": Content(b"right\n")})
    assert healing.open == ("t::b",)


def test_a_later_group_may_not_break_an_earlier_one() -> None:
    steps = Offers([{"a.py": b"right\n"}, {"a.py": b"wrong\n", "b.py": b"right\n"}])

    healing, _ = healed({"t::a": wants("a.py"), "t::b": wants("b.py")}, steps)

    assert healing.status is Status.NOT_HEALED
    assert healing.open == ("t::b",)


def test_a_fix_that_breaks_the_policy_is_refused_and_kept() -> None:
    checks = {"t::a": wants("tests/test_a.py", b"weak\n")}

    healing, _ = healed(checks, Offers([{"tests/test_a.py": b"weak\n"}]))

    assert healing.status is Status.REFUSED
    assert healing.changes == Changes({"tests/test_a.py": Content(b"weak\n")})


def test_a_finding_of_a_remedy_ends_the_ladder() -> None:
    end = Finding(Kind.REGRESSION, "it broke", {"t::a": Kind.REGRESSION}, model_verdict="test_is_wrong")

    healing, _ = healed({"t::a": wants("a.py")}, Offers([], end=end), Offers([{"a.py": b"right\n"}], name="revert"))

    assert healing.status is Status.NOT_HEALED
    assert healing.finding is not None
    assert healing.finding.model_verdict == "test_is_wrong"
    assert healing.attempts == ()


def test_a_lack_is_told_once_and_decides_only_when_nothing_heals() -> None:
    poor = Offers([], end=Shortfall(Lack.MONEY, "the money is spent"))
    checks = {"t::a": wants("a.py"), "t::b": wants("b.py")}

    failed, place = healed(checks, poor)
    fine, _ = healed({"t::a": wants("a.py")}, poor, Offers([{"a.py": b"right\n"}]))

    assert failed.status is Status.OVER_BUDGET
    assert [event.text for event in place.heard if isinstance(event, Warned)] == ["the money is spent"]
    assert fine.status is Status.HEALED


def test_what_a_lack_means() -> None:
    found = {lack: healed({"t::a": wants("a.py")}, Offers([], end=Shortfall(lack, "no")))[0].status for lack in Lack}

    assert found == {
        Lack.KEY: Status.NOT_HEALED,
        Lack.REFUSED_KEY: Status.ERROR,
        Lack.MONEY: Status.OVER_BUDGET,
        Lack.TIME: Status.OVER_BUDGET,
        Lack.SERVICE: Status.ERROR,
    }


def test_the_cost_of_every_reply_is_counted() -> None:
    dear = Offers([{"a.py": b"no\n"}, {"a.py": b"right\n"}], cost=Cost(1, 100, 10, 0, 0.01))

    healing, _ = healed({"t::a": wants("a.py")}, dear)

    assert healing.cost == Cost(2, 200, 20, 0, 0.02)


def test_the_end_of_the_time_is_over_budget() -> None:
    healing, _ = healed({"t::a": wants("a.py")}, Offers([]), minutes=0)

    assert healing.status is Status.OVER_BUDGET


def test_what_was_tried_before_the_time_was_over_is_kept() -> None:
    @dataclass
    class Slow:
        name: str = "model"

        def candidates(self, case: Case, lab: Lab) -> Generator[Candidate, Verdict, None]:
            yield Candidate("model", Changes({"a.py": Content(b"no\n")}), "why", cost=Cost(1, usd=0.5))
            lab.meter.deadline = 0
            yield Candidate("model", Changes({"a.py": Content(b"right\n")}), "why")

    healing, _ = healed({"t::a": wants("a.py")}, Slow())

    assert healing.status is Status.OVER_BUDGET
    assert (len(healing.attempts), healing.cost.usd) == (1, 0.5)


def test_a_hang_that_green_does_not_have_is_a_regression() -> None:
    healing, _ = healed({"t::a": lambda files: "HANG" if files["a.py"] == b"wrong\n" else None}, Offers([]))

    assert healing.finding is not None
    assert healing.finding.kind is Kind.REGRESSION


def test_a_hang_on_green_as_well_is_the_machine() -> None:
    healing, _ = healed({"t::a": lambda _: "HANG"}, Offers([]))

    assert (healing.status, healing.finding and healing.finding.kind) == (Status.ENVIRONMENT, Kind.INFRASTRUCTURE)


def test_what_fails_once_the_step_has_more_is_healed_and_told() -> None:
    checks: Mapping[str, Check] = {"t::a": lambda files: "HUNGRY" + (" it is wrong" if files["a.py"] != b"right\n" else "")}

    healing, place = healed(checks, Offers([{"a.py": b"right\n"}]))

    assert healing.status is Status.HEALED
    assert [failure.id for failure in healing.failures] == ["t::a"]
    assert healing.evidence.red_to_green == ("t::a",)
    assert place.sandbox.commands[-1].more is Stop.MEMORY


def test_output_that_is_left_out_is_not_checked() -> None:
    red = Red(replace(a_run(), output=Output(b"a", b"b", 9000)), frozenset(), ())
    place = a_place(HERE, {})

    healing = conclude.failing(conclude.begin(place.source, place.lab.step, known_red=False), red)

    assert healing.evidence.not_checked == ("9,000 bytes in the middle of its output (limits.output, --max-output)",)
