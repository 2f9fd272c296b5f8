from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import SecretStr

from selfheal_ci.events import Asked
from selfheal_ci.redact import Redactor
from selfheal_ci.remedies import Tries
from selfheal_ci.remedies.model.client import AnthropicModel
from selfheal_ci.remedies.model.conversation import Conversation, Ending, Model, NoAnswerError, Reply
from selfheal_ci.remedies.model.prices import prices
from selfheal_ci.remedies.model.purse import Purse
from selfheal_ci.remedies.model.remedy import ModelRemedy
from selfheal_ci.values import (
    Candidate,
    Cost,
    Evidence,
    Finding,
    Lack,
    Refused,
    Rejected,
    Shortfall,
    Unusable,
    Verdict,
)
from tests.messages_api import Answer, MessagesServer, a_fix, a_proposal, fails, message, says
from tests.unit.remedies.model.cases import CART, HUNK, a_case, a_shop, as_it_is, masking

PATH = "shop/cart.py"
GOOD = a_fix(PATH, "+ item.quantity", "* item.quantity")
BAD = a_fix(PATH, "+ item.quantity", "- item.quantity")
WORSE = a_fix(PATH, "+ item.quantity", "")
MISFIT = a_fix(PATH, "cents(item.price) + item.amount", "cents(item.price) * item.amount")
REJECTED = Rejected("0 of 1 now pass; test_total: assert 448 == 900", Evidence())
COST = Cost(1, 100, 10, 0, 0.001)


@dataclass
class FakeModel:
    """Answers in order; an exception is raised."""

    answers: Sequence[Reply | NoAnswerError]
    heard: list[tuple[str, Conversation, int]] = field(default_factory=list)

    def ask(self, conversation: Conversation, *, model: str, max_output: int = 8000) -> Reply:
        self.heard.append((model, conversation, max_output))
        answer = self.answers[len(self.heard) - 1]
        if isinstance(answer, NoAnswerError):
            raise answer
        return answer


def replied(proposal: object) -> Reply:
    call = {"type": "tool_use", "id": "t", "name": "propose_fix", "input": proposal}
    return Reply(Ending.ANSWERED, "", json.dumps(proposal), json.dumps([call]), COST)


def a_remedy(model: Model, tell: Callable[[object], None] = lambda _: None, **more) -> ModelRemedy:
    usual: dict[str, Any] = {"protected": "tests", "redact": str, "unredact": as_it_is, "mark": "5e1f"}
    return ModelRemedy(model, "sonnet", "opus", tell, **(usual | more))


def candidates(tries: Tries, verdicts: Sequence[Verdict] = ()) -> Iterator[Candidate]:
    """The candidates, each judged: flawed ones as the gate does, the others as given."""
    left = iter(verdicts)
    for candidate in tries:
        yield candidate
        tries.answer(Unusable(candidate.flaw) if candidate.flaw else next(left, REJECTED))


def climb(model: Model, *verdicts: Verdict, **more) -> tuple[list[Candidate], Finding | Shortfall | None]:
    place = a_shop()
    tries = Tries(a_remedy(model, **more).candidates(a_case(place), place.lab))
    return list(candidates(tries, verdicts)), tries.end


def flaws(found: Sequence[Candidate]) -> list[str | None]:
    return [candidate.flaw for candidate in found]


def changed(candidate: Candidate) -> bytes | None:
    content = candidate.changes.files[PATH]
    return content.data if content else None


def test_a_fix_is_a_candidate() -> None:
    (candidate, *_), _ = climb(FakeModel([replied(GOOD)]), max_attempts=1)

    assert candidate.remedy == "model"
    assert changed(candidate) == CART.replace(HUNK.new[0], HUNK.old[0])
    assert (candidate.why, candidate.flaw, candidate.cost) == ("a.py:1 is wrong", None, COST)


def test_asks_three_times_fresh_then_on_then_fresh_and_stronger() -> None:
    model = FakeModel([replied(BAD), replied(WORSE), replied(GOOD)])

    found, end = climb(model, REJECTED, Refused("tests/x.py: this is a test file", works=False))

    assert (flaws(found), end) == ([None, None, None], None)
    (first, opening, _), (second, going_on, _), (third, fresh, _) = model.heard
    assert [first, second, third] == ["sonnet", "sonnet", "opus"]
    assert (going_on.project, going_on.case, going_on.volatile) == (opening.project, opening.case, opening.volatile)
    assert "assert 448 == 900" in going_on.turns[0].answer
    assert fresh.turns == ()
    assert (fresh.project, fresh.case) == (opening.project, opening.case)
    assert "Try 1 proposed: to change shop/cart.py, because: a.py:1 is wrong" in fresh.volatile
    assert "assert 448 == 900" in fresh.volatile
    assert "Its result: tests/x.py: this is a test file" in fresh.volatile


def test_tells_what_was_sent_and_what_came_back() -> None:
    heard: list[object] = []
    model = FakeModel([replied(BAD), replied(GOOD)])
    place = a_shop()

    list(candidates(Tries(a_remedy(model, heard.append, max_attempts=2).candidates(a_case(place), place.lab))))

    asked = [event for event in heard if isinstance(event, Asked)]
    assert [(event.attempt, event.model, event.cost) for event in asked] == [(1, "sonnet", COST), (2, "sonnet", COST)]
    assert "+ item.quantity" in asked[0].prompt
    assert asked[1].prompt.startswith(asked[0].prompt)
    assert json.loads(asked[1].reply) == GOOD


def test_an_edit_that_does_not_apply_gets_one_correction_that_is_no_attempt() -> None:
    model = FakeModel([replied(MISFIT), replied(BAD), replied(MISFIT), replied(MISFIT), replied(GOOD)])

    found, end = climb(model)

    assert [bool(flaw) for flaw in flaws(found)] == [True, False, True, True, False]
    assert flaws(found)[0] == "edit 1 of shop/cart.py: old_str is nowhere in the file"
    assert [name for name, *_ in model.heard] == ["sonnet"] * 4 + ["opus"]
    assert "item.quantity for item in items" in model.heard[1][1].turns[0].answer
    assert end is None


def test_an_edit_that_leaves_nonsense_gets_a_correction_before_anything_is_run() -> None:
    undefined = a_fix(PATH, "+ item.quantity", "* quantity")
    broken = a_fix(PATH, "+ item.quantity", "+* item.quantity")
    model = FakeModel([replied(undefined), replied(GOOD), replied(broken), replied(GOOD)])

    found, _ = climb(model, max_attempts=1)

    what = "the edits apply, but what they make of the file is wrong: shop/cart.py:8: undefined name 'quantity'"
    assert flaws(found) == [what, None]
    assert "undefined name 'quantity'" in model.heard[1][1].turns[0].answer


def test_two_attempts_that_each_break_more_end_it() -> None:
    model = FakeModel([replied(BAD), replied(WORSE), replied(GOOD)])
    breaks = [Rejected("it breaks what passed", Evidence(green_to_red=tuple("abc"[:count]))) for count in (1, 2)]

    found, end = climb(model, *breaks)

    assert (len(found), end) == (2, None)


def test_an_attempt_that_breaks_less_than_the_one_before_is_followed_by_another() -> None:
    model = FakeModel([replied(BAD), replied(WORSE), replied(GOOD)])
    breaks = [Rejected("it breaks what passed", Evidence(green_to_red=tuple("abc"[:count]))) for count in (2, 1)]

    assert len(climb(model, *breaks)[0]) == 3


def test_the_same_patch_again_ends_it() -> None:
    found, end = climb(FakeModel([replied(BAD), replied(BAD)]))

    assert flaws(found) == [None, "the model proposed the same patch again"]
    assert end is None


@pytest.mark.parametrize("verdict", ["test_is_wrong", "environment", "flaky"])
def test_an_honest_verdict_is_respected(verdict: str) -> None:
    (candidate,), end = climb(FakeModel([replied(a_proposal(verdict=verdict, root_cause="the test adds twice"))]))

    assert candidate.flaw == f"the model says {verdict}: the test adds twice"
    assert candidate.cost == COST
    assert isinstance(end, Finding)
    assert (end.model_verdict, end.kind) == (verdict, a_case(a_shop()).finding.kind)


def test_cannot_fix_ends_this_remedy_alone() -> None:
    (candidate,), end = climb(FakeModel([replied(a_proposal(verdict="cannot_fix"))]))

    assert candidate.flaw is not None
    assert end is None


@pytest.mark.parametrize(
    ("reply", "flaw"),
    [
        (Reply(Ending.ANSWERED, "No idea.", cost=COST), "the answer has neither a call of propose_fix nor SEARCH/REPLACE blocks"),
        (replied([]), "the input of propose_fix is wrong at the top: Input should be a valid dictionary or instance of Proposal"),
        (replied(a_proposal()), "the verdict is fix, but there is no edit"),
        (replied(a_fix(PATH, "items", "items") | {"edits": [{"path": PATH, "old_str": "return", "new_str": "x"}] * 0}), "the verdict is fix, but there is no edit"),
        (replied(a_fix(PATH, "+ item.quantity", "+ item.quantity")), "the edits change nothing"),
        (Reply(Ending.REFUSED, "cyber", cost=COST), "the model refused to answer: cyber"),
        (Reply(Ending.PAUSED, cost=COST), "the model paused in the middle of its answer"),
        (Reply(Ending.UNREADABLE, "it has NaN", cost=COST), "the answer cannot be read: it has NaN"),
    ],
)  # fmt: skip
def test_a_reply_without_a_fix_is_a_flawed_candidate_and_an_attempt(reply: Reply, flaw: str) -> None:
    found, end = climb(FakeModel([reply] * 3))

    assert flaws(found) == [flaw] * 3
    assert [candidate.cost for candidate in found] == [COST] * 3
    assert end is None


def test_after_a_reply_that_may_not_be_sent_back_the_next_conversation_is_fresh() -> None:
    model = FakeModel([Reply(Ending.REFUSED), replied(GOOD)])

    climb(model, max_attempts=2)

    assert model.heard[1][1].turns == ()
    assert "the model refused to answer" in model.heard[1][1].volatile


def test_an_answer_that_was_cut_off_gets_one_longer_try() -> None:
    model = FakeModel([Reply(Ending.CUT_OFF), Reply(Ending.CUT_OFF), replied(GOOD)])

    found, _ = climb(model, max_attempts=2)

    assert [most for *_, most in model.heard] == [8000, 16000, 8000]
    assert [bool(flaw) for flaw in flaws(found)] == [True, True, False]


def test_a_prompt_that_is_too_long_is_made_shorter_once() -> None:
    model = FakeModel([Reply(Ending.TOO_LONG), replied(GOOD)])

    found, _ = climb(model, max_attempts=1)

    assert [bool(flaw) for flaw in flaws(found)] == [True, False]
    assert model.heard[1][1].turns == ()


@pytest.mark.parametrize("lack", [Lack.KEY, Lack.REFUSED_KEY, Lack.MONEY, Lack.SERVICE, Lack.TIME])
def test_no_answer_is_a_shortfall(lack: Lack) -> None:
    found, end = climb(FakeModel([replied(BAD), NoAnswerError(lack, "why")]))

    assert flaws(found) == [None]
    assert end == Shortfall(lack, "why")


def test_what_a_call_without_an_answer_may_have_cost_is_not_lost() -> None:
    found, end = climb(FakeModel([NoAnswerError(Lack.SERVICE, "the connection was reset", COST)]))

    assert [(candidate.flaw, candidate.cost) for candidate in found] == [("the connection was reset", COST)]
    assert end == Shortfall(Lack.SERVICE, "the connection was reset")


def test_blocks_in_a_text_are_a_fix_too() -> None:
    text = f"### {PATH}\n<<<<<<< SEARCH\n{HUNK.new[0].decode()}=======\n{HUNK.old[0].decode()}>>>>>>> REPLACE"

    (candidate,), _ = climb(FakeModel([Reply(Ending.ANSWERED, text)]), max_attempts=1)

    assert changed(candidate) == CART.replace(HUNK.new[0], HUNK.old[0])


def test_a_secret_is_hidden_from_the_model_and_kept_in_the_file() -> None:
    redact, unredact = masking("cents(item.price)", "<secret:K:1>")
    model = FakeModel([replied(a_fix(PATH, "<secret:K:1> + item", "<secret:K:1> * item"))])

    (candidate,), _ = climb(model, max_attempts=1, redact=redact, unredact=unredact)

    assert "cents(item.price)" not in model.heard[0][1].record
    assert changed(candidate) == CART.replace(HUNK.new[0], HUNK.old[0])


def test_a_secret_that_the_file_does_not_have_is_not_put_into_it() -> None:
    redactor = Redactor({"ANTHROPIC_API_KEY": "sk-ant-planted-key"})
    obedient = a_fix(PATH, "+ item.quantity", "* item['<secret:ANTHROPIC_API_KEY:1>']")

    (candidate,), _ = climb(FakeModel([replied(obedient)]), max_attempts=1, redact=redactor.text, unredact=redactor.restore)

    told = changed(candidate)
    assert told is not None
    assert b"<secret:ANTHROPIC_API_KEY:1>" in told
    assert b"planted" not in told


def test_a_call_without_an_answer_is_told_under_its_attempt() -> None:
    heard: list[object] = []
    place = a_shop()
    model = FakeModel([replied(BAD), NoAnswerError(Lack.SERVICE, "reset", COST)])

    list(candidates(Tries(a_remedy(model, heard.append).candidates(a_case(place), place.lab))))

    asked = [event for event in heard if isinstance(event, Asked)]
    assert [(event.attempt, event.cost, event.reply) for event in asked[1:]] == [(2, COST, "(reset)")]


ANY_FAULT = [
    pytest.param([fails(401, "authentication_error")], Lack.REFUSED_KEY, id="401"),
    pytest.param([fails(402, "billing_error")], Lack.MONEY, id="402"),
    pytest.param([fails(529)] * 6, Lack.SERVICE, id="529"),
    pytest.param([Answer(reset=True)] * 6, Lack.MONEY, id="resets until the money is gone"),
    pytest.param([fails(413)] * 6, None, id="413"),
    pytest.param([message([], stop_reason="refusal")] * 3, None, id="refusals"),
    pytest.param([message([], stop_reason="max_tokens")] * 6, None, id="max_tokens"),
    pytest.param([says("la la la")] * 3, None, id="nonsense"),
    pytest.param([Answer(200, b"\x00" * 5000)] * 3, None, id="no JSON"),
]


@pytest.mark.parametrize(("answers", "lack"), ANY_FAULT)
def test_over_real_http_every_fault_ends_well_within_the_cap(answers: list[Answer], lack: Lack | None) -> None:
    with MessagesServer(answers) as server:
        purse = Purse(0.6, prices())
        model = AnthropicModel(SecretStr("sk-test"), purse, lambda: 60.0, base_url=server.url, sleep=lambda _: None)
        remedy = ModelRemedy(model, "claude-sonnet-5-5", "claude-opus-5-5", lambda _: None, "tests", str, as_it_is)
        place = a_shop()
        tries = Tries(remedy.candidates(a_case(place), place.lab))
        found = list(candidates(tries))

    assert isinstance(tries.end, Shortfall) == (lack is not None)
    assert lack is None or (isinstance(tries.end, Shortfall) and tries.end.lack is lack)
    assert all(candidate.flaw and not candidate.changes for candidate in found)
    assert sum((candidate.cost for candidate in found), Cost()).usd == pytest.approx(purse.spent)
    assert purse.spent <= 0.6
