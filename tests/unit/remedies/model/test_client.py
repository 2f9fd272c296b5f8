from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest
from pydantic import SecretStr

from selfheal_ci.remedies.model.client import MOST_RETRIES, AnthropicModel, most_tokens, request
from selfheal_ci.remedies.model.conversation import Conversation, Ending, NoAnswerError, Reply
from selfheal_ci.remedies.model.prices import prices
from selfheal_ci.remedies.model.purse import Purse
from selfheal_ci.values import Cost, Lack
from tests.messages_api import Answer, MessagesServer, a_fix, declines, fails, fixes, message, proposes, raw, says

TALK = Conversation("rules", "project", "case", "volatile")
FIX = fixes("a.py", "x", "y")
RESERVED = 3_000  # tokens at least


class Waits(list[float]):
    """Stands in for time.sleep, and keeps what it was asked for."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def a_model(
    server: MessagesServer, *, key: str | None = "sk-test", cap: float = 1.0, left: float = 60.0, **more
) -> AnthropicModel:
    return AnthropicModel(
        SecretStr(key) if key is not None else None,
        Purse(cap, prices()),
        lambda: left,
        base_url=server.url,
        sleep=more.pop("sleep", Waits()),
        jitter=lambda: 1.0,
        **more,
    )


def asked(model: AnthropicModel, conversation: Conversation = TALK) -> Reply:
    return model.ask(conversation, model="claude-sonnet-5-5", max_output=8000)


def refused(model: AnthropicModel) -> NoAnswerError:
    with pytest.raises(NoAnswerError) as no:
        asked(model)
    return no.value


def test_asks_as_the_surface_says() -> None:
    with MessagesServer([FIX]) as server:
        reply = asked(a_model(server, effort="high"))

    sent = server.requests[0]
    assert sent.path == "/v1/messages"
    assert sent.headers["authorization"] == "Bearer sk-test"
    assert sent.headers["accept-encoding"] == "identity"
    assert "temperature" not in sent.body
    assert sent.body["thinking"] == {"type": "adaptive"}
    assert sent.body["output_config"] == {"effort": "high"}
    assert sent.body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert [(tool["name"], tool["strict"]) for tool in sent.body["tools"]] == [("propose_fix", True)]
    assert sent.body["system"] == [{"type": "text", "text": "rules"}]
    assert sent.body["messages"][0]["content"] == [
        {"type": "text", "text": "project", "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "case", "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "volatile"},
    ]
    assert json.loads(reply.proposal or "") == a_fix("a.py", "x", "y")
    assert reply.cost == Cost(1, 1000, 200, 0, 0.004)


def test_the_tool_is_strict_all_the_way_down() -> None:
    def objects(schema):
        if isinstance(schema, dict):
            if schema.get("type") == "object":
                yield schema
            for part in schema.values():
                yield from objects(part)

    tool = request(TALK, model="m", max_output=1)["tools"][0]

    found = list(objects(tool["input_schema"]))
    assert len(found) == 2
    assert all(part["additionalProperties"] is False and part["required"] == list(part["properties"]) for part in found)


def test_goes_on_in_a_conversation_with_the_reply_as_it_came_and_the_prefix_unchanged() -> None:
    thinking = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    call = {"type": "tool_use", "id": "toolu_9", "name": "propose_fix", "input": a_fix("a.py", "x", "y")}
    with MessagesServer([message([thinking, call], stop_reason="tool_use"), says("sorry"), FIX]) as server:
        model = a_model(server)
        second = TALK.then(asked(model), "it fails")
        asked(model, second.then(asked(model, second), "call the tool"))

    first, *_, last = (sent.body["messages"] for sent in server.requests)
    assert last[:1] == first
    assert last[1] == {"role": "assistant", "content": [thinking, call]}
    assert last[2]["content"] == [
        {
            "type": "tool_result",
            "tool_use_id": "toolu_9",
            "is_error": True,
            "content": [{"type": "text", "text": "it fails"}],
        }
    ]
    assert last[3]["content"] == [{"type": "text", "text": "sorry"}]
    assert last[4] == {"role": "user", "content": [{"type": "text", "text": "call the tool"}]}


def test_an_empty_reply_is_not_sent_back() -> None:
    with MessagesServer([message([]), FIX]) as server:
        model = a_model(server)
        asked(model, TALK.then(asked(model), "say something"))

    assert [sent["role"] for sent in server.requests[1].body["messages"]] == ["user", "user"]


def test_without_a_key_nothing_is_sent() -> None:
    with MessagesServer([FIX]) as server:
        lacks = [refused(a_model(server, key=key)).shortfall.lack for key in (None, "", " \n")]

    assert lacks == [Lack.KEY] * 3
    assert server.requests == []


def test_a_key_that_cannot_be_one_is_refused_and_one_with_a_line_end_is_not() -> None:
    with MessagesServer([FIX]) as server:
        assert refused(a_model(server, key="sk one\ntwo")).shortfall.lack is Lack.REFUSED_KEY
        asked(a_model(server, key="sk-test\n"))

    assert server.requests[0].headers["authorization"] == "Bearer sk-test"


NEVER_RETRIED = [
    pytest.param(fails(400, "invalid_request_error"), Lack.REFUSED_KEY, id="400"),
    pytest.param(fails(400, "billing_error"), Lack.MONEY, id="400 about money"),
    pytest.param(fails(401, "authentication_error"), Lack.REFUSED_KEY, id="401"),
    pytest.param(fails(402, "billing_error"), Lack.MONEY, id="402"),
    pytest.param(fails(403, "permission_error"), Lack.REFUSED_KEY, id="403"),
    pytest.param(fails(404, "not_found_error"), Lack.REFUSED_KEY, id="404"),
    pytest.param(fails(422), Lack.REFUSED_KEY, id="422"),
    pytest.param(fails(429, "rate_limit_error", code="enforced_spend_limit_reached"), Lack.MONEY, id="spend limit"),
    pytest.param(fails(400, code="contract_spend_limit_reached", retry_after="1"), Lack.MONEY, id="contract"),
    pytest.param(fails(500, x_should_retry="false"), Lack.SERVICE, id="the server says not to"),
    pytest.param(raw(b"<html>", 403), Lack.REFUSED_KEY, id="403 that is no JSON"),
    pytest.param(raw(b"[1]", 404), Lack.REFUSED_KEY, id="404 that is a list"),
    pytest.param(Answer(307, b"", {"location": "http://127.0.0.1:1/v1/messages"}), Lack.REFUSED_KEY, id="redirect"),
]


@pytest.mark.parametrize(("answer", "lack"), NEVER_RETRIED)
def test_never_retries(answer: Answer, lack: Lack) -> None:
    with MessagesServer([answer, FIX]) as server:
        model = a_model(server)
        no = refused(model)

    assert (no.shortfall.lack, len(server.requests)) == (lack, 1)
    assert no.cost == Cost()
    assert model.purse.spent == 0


@pytest.mark.parametrize(
    ("status", "said"),
    [(401, "the key was refused: 401"), (403, "the key was refused: 403"), (404, "the model's service refuses: 404")],
)
def test_says_whether_it_is_the_key_that_was_refused(status: int, said: str) -> None:
    with MessagesServer([fails(status)]) as server:
        assert refused(a_model(server)).shortfall.message.startswith(said)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_retries(status: int) -> None:
    waits = Waits()
    with MessagesServer([fails(status), fails(status), FIX]) as server:
        model = a_model(server, sleep=waits)
        reply = asked(model)

    assert waits == [0.5, 1.0]
    assert reply.cost.calls == 1
    assert model.purse.spent == reply.cost.usd


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "0.25"}, 0.25),
        ({"retry_after_ms": "1500"}, 1.5),
        ({"retry_after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
        ({"retry_after": "soon"}, 0.5),
        ({"retry_after": "-3"}, 0.5),
        ({"retry_after": "nan"}, 0.5),
        ({"retry_after": "1e999"}, 0.5),
        ({}, 0.5),
    ],
)
def test_waits_as_long_as_the_server_asks(headers: dict[str, str], wait: float) -> None:
    waits = Waits()
    with MessagesServer([fails(429, **headers), FIX]) as server:
        asked(a_model(server, sleep=waits))

    assert waits == [wait]


def test_gives_up_at_once_when_the_server_asks_for_more_time_than_is_left() -> None:
    waits = Waits()
    with MessagesServer([fails(429, retry_after="61"), FIX]) as server:
        no = refused(a_model(server, sleep=waits))

    assert (no.shortfall.lack, waits, len(server.requests)) == (Lack.SERVICE, [], 1)


def test_gives_up_after_five_retries() -> None:
    with MessagesServer([fails(529)] * 9) as server:
        no = refused(a_model(server))

    assert (no.shortfall.lack, len(server.requests)) == (Lack.SERVICE, 1 + MOST_RETRIES)


def test_without_time_nothing_is_sent() -> None:
    with MessagesServer([FIX]) as server:
        no = refused(a_model(server, left=0.0))

    assert (no.shortfall.lack, server.requests) == (Lack.TIME, [])


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(replace(FIX, cut=40), id="cut body"),
        pytest.param(Answer(reset=True), id="reset"),
        pytest.param(replace(FIX, delay=9.0), id="late"),
        pytest.param(replace(FIX, trickle=0.05), id="trickle"),
        pytest.param(raw(b" " * (3 << 20)), id="3 MB"),
    ],
)
def test_a_lost_answer_is_asked_for_again_and_its_reservation_stays_spent(answer: Answer) -> None:
    with MessagesServer([answer, FIX]) as server:
        model = a_model(server, left=1.0, sleep=Waits())
        reply = asked(model)

    assert reply.ending is Ending.ANSWERED
    assert reply.cost.calls == 2
    assert reply.cost.usd > 0.004 + 8000 * 10 / 1e6
    assert model.purse.spent == pytest.approx(reply.cost.usd)


def test_a_server_that_is_not_there_costs_nothing() -> None:
    with MessagesServer([]) as server:
        pass
    model = a_model(server)

    no = refused(model)

    assert (no.shortfall.lack, no.cost, model.purse.spent) == (Lack.SERVICE, Cost(), 0)


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://x", "http://x:port"])
def test_an_address_that_is_none_is_not_tried_again(url: str) -> None:
    waits = Waits()
    with MessagesServer([]) as server:
        model = replace(a_model(server, sleep=waits), base_url=url)

        no = refused(model)

    assert (no.shortfall.lack, waits) == (Lack.REFUSED_KEY, [])


def test_a_reply_after_lost_answers_until_the_money_is_gone_never_overspends() -> None:
    with MessagesServer([Answer(reset=True)] * 9) as server:
        model = a_model(server, cap=0.2)
        no = refused(model)

    assert no.shortfall.lack is Lack.MONEY
    assert "--max-cost-usd" in no.shortfall.message
    assert 0 < model.purse.spent <= 0.2
    assert no.cost.calls == len(server.requests) == 2


@pytest.mark.parametrize(
    ("answer", "ending"),
    [
        pytest.param(message([], stop_reason="refusal", stop_details={"type": "refusal", "category": "cyber"}), Ending.REFUSED, id="refusal"),
        pytest.param(message([], stop_reason="refusal", stop_details=None), Ending.REFUSED, id="refusal without a reason"),
        pytest.param(proposes(a_fix("a", "b", "c"), ) , Ending.ANSWERED, id="tool"),
        pytest.param(message([{"type": "text", "text": "x"}], stop_reason="max_tokens"), Ending.CUT_OFF, id="max_tokens"),
        pytest.param(message([], stop_reason="pause_turn"), Ending.PAUSED, id="pause"),
        pytest.param(message([], stop_reason="model_context_window_exceeded"), Ending.TOO_LONG, id="context"),
        pytest.param(message([], stop_reason=None), Ending.UNREADABLE, id="no reason"),
        pytest.param(message([], stop_reason="boredom"), Ending.UNREADABLE, id="unknown reason"),
        pytest.param(message([{"type": "tool_use", "id": "t", "name": "bash", "input": {}}]), Ending.UNREADABLE, id="other tool"),
        pytest.param(fails(413, "request_too_large"), Ending.TOO_LONG, id="413"),
        pytest.param(fails(400, "invalid_request_error", text="prompt is too long: 1 tokens > 0 maximum"), Ending.TOO_LONG, id="400"),
    ],
)  # fmt: skip
def test_every_end_of_an_answer_has_a_name(answer: Answer, ending: Ending) -> None:
    with MessagesServer([answer]) as server:
        reply = asked(a_model(server))

    assert (reply.ending, len(server.requests)) == (ending, 1)


BROKEN = [
    pytest.param(raw(b"nonsense"), id="no JSON"),
    pytest.param(raw(b""), id="empty"),
    pytest.param(raw(b"{}"), id="nothing in it"),
    pytest.param(raw(FIX.body[:-30]), id="truncated"),
    pytest.param(raw(FIX.body.replace(b'"path"', b'"path": "b", "path"')), id="a key twice"),
    pytest.param(raw(FIX.body.replace(b"1000", b"NaN")), id="NaN"),
    pytest.param(raw(FIX.body.replace(b"1000", b"9" * 5000)), id="huge number"),
    pytest.param(raw(FIX.body.replace(b"1000", b"-1")), id="negative tokens"),
    pytest.param(raw(FIX.body.replace(b'"old_str": "x"', b'"old_str": ' + b"[" * 90_000)), id="deep"),
    pytest.param(raw(FIX.body.replace(b'"x"', b'"\\ud800"')), id="lone surrogate"),
    pytest.param(raw(b"\xff\xfe" + FIX.body), id="no UTF-8"),
    pytest.param(Answer(200, b"<html>welcome</html>", {"content-type": "text/html"}), id="a page"),
    pytest.param(raw(b'{"content": 7, "usage": {"input_tokens": 1, "output_tokens": 1}}'), id="wrong shape"),
]


@pytest.mark.parametrize("answer", BROKEN)
def test_an_answer_that_cannot_be_read_is_paid_in_full(answer: Answer) -> None:
    with MessagesServer([answer]) as server:
        model = a_model(server)
        reply = asked(model)

    assert reply.ending is Ending.UNREADABLE
    assert reply.text
    assert reply.cost.usd == pytest.approx(model.purse.spent)
    assert reply.cost.usd > 8000 * 10 / 1e6


def test_counts_what_was_read_from_the_cache_apart() -> None:
    usage = {"input_tokens": 10, "output_tokens": 5, "cache_creation_input_tokens": 100, "cache_read_input_tokens": 1000}
    with MessagesServer([declines("cannot_fix", usage=usage)]) as server:
        reply = asked(a_model(server))

    assert reply.cost == Cost(1, 110, 5, 1000, (10 * 2 + 100 * 2.5 + 1000 * 0.1 + 5 * 10) / 1e6)


@pytest.mark.parametrize("text", ["x", "é" * 100, "🦀" * 100, '"\\\n' * 100, "ㅤ" * 50])
def test_reserves_for_one_token_a_byte(text: str) -> None:
    body = request(replace(TALK, volatile=text), model="m", max_output=1)

    assert most_tokens(body) >= len(text.encode()) + len(json.dumps(body["tools"])) + RESERVED


def test_importing_the_client_does_not_import_anthropic() -> None:
    import subprocess  # noqa: PLC0415
    import sys  # noqa: PLC0415

    code = (
        "import sys, selfheal_ci.remedies.model.client, selfheal_ci.remedies.model.remedy; print('anthropic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"


def test_a_trickle_ends_with_the_time_that_is_left() -> None:
    began = time.monotonic()
    with MessagesServer([replace(FIX, trickle=0.05)] * 2) as server:
        model = a_model(server, left=0.3)
        refused(model)

    assert time.monotonic() - began < 10  # the whole trickle takes far longer
