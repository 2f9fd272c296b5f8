from __future__ import annotations

import json
from typing import Any

import pytest

from selfheal_ci.remedies.model.conversation import Ending
from selfheal_ci.values import Lack
from tests.messages_api import Answer, MessagesServer, fails, raw
from tests.unit.remedies.model.test_client import FIX, a_model, asked, refused

YES, NO = {"supported": True}, {"supported": False}


def told(**more: Any) -> Answer:
    info = {"id": "claude-sonnet-5-5", "type": "model", "display_name": "Sonnet", "lifecycle": "active", **more}
    return raw(json.dumps(info).encode())


def capable(**capabilities: Any) -> Answer:
    return told(capabilities=capabilities)


def sent(models: Answer, **more: Any) -> tuple[dict[str, Any], list[str]]:
    """The body of the request after the endpoint said this, and what was warned of."""
    warned: list[str] = []
    with MessagesServer([FIX, FIX], models) as server:
        model = a_model(server, warn=warned.append, **more)
        assert asked(model).ending is Ending.ANSWERED
        asked(model)
    assert server.asked_models == ["/v1/models/claude-sonnet-5-5"]  # once
    return server.requests[0].body, warned


def test_what_a_model_cannot_do_is_not_asked_of_it() -> None:
    can = capable(
        thinking={"supported": True, "types": {"adaptive": NO, "enabled": YES}},
        structured_outputs=NO,
        effort={"supported": True, "low": YES, "medium": YES, "high": NO, "xhigh": NO, "max": NO},
    )

    body, warned = sent(can, effort="max")

    assert "thinking" not in body
    assert "strict" not in body["tools"][0]
    assert body["output_config"] == {"effort": "medium"}
    assert warned == ["the model claude-sonnet-5-5 has no effort 'max': medium is asked for"]


def test_what_a_model_can_do_is_asked_of_it() -> None:
    levels = dict.fromkeys(("low", "medium", "high", "xhigh", "max"), YES)
    can = capable(
        thinking={"supported": True, "types": {"adaptive": YES}},
        structured_outputs=YES,
        effort={"supported": True, **levels},
    )

    body, warned = sent(can, effort="max")

    assert (body["thinking"], body["output_config"]) == ({"type": "adaptive"}, {"effort": "max"})
    assert body["tools"][0]["strict"] is True
    assert warned == []


@pytest.mark.parametrize(
    ("lifecycle", "words"),
    [("deprecated", "is deprecated, and will be retired on 2027-03-01"), ("retired", "was retired on 2027-03-01")],
)
def test_the_end_of_a_model_is_warned_of_once(lifecycle: str, words: str) -> None:
    _, warned = sent(told(lifecycle=lifecycle, retires_at="2027-03-01T00:00:00Z"))

    assert warned == [f"the model claude-sonnet-5-5 {words}: name another one (model.name, model.escalate-to)"]


def test_no_more_output_is_asked_for_than_the_model_has() -> None:
    assert sent(told(max_tokens=4096))[0]["max_tokens"] == 4096


def test_a_prompt_that_the_model_cannot_take_is_not_sent() -> None:
    with MessagesServer([], told(max_input_tokens=10)) as server:
        reply = asked(a_model(server))

    assert (reply.ending, reply.cost.calls, server.requests) == (Ending.TOO_LONG, 0, [])


@pytest.mark.parametrize(
    "models",
    [
        fails(404),
        fails(405),
        fails(500),
        fails(401, "authentication_error"),
        raw(b"<html>"),
        raw(b"[]"),
        raw(b'{"lifecycle": "odd", "max_tokens": -1}'),
        raw(b'{"max_tokens": 1, "max_tokens": 2}'),
        raw(b" " * (50 << 20)),
        raw(b'{"id": "x"', 200),
        Answer(reset=True),
        Answer(delay=30),
        Answer(302, b"", {"location": "http://127.0.0.1:9/"}),
    ],
    ids=["404", "405", "500", "401", "HTML", "a list", "odd", "twice", "50 MB", "cut", "reset", "slow", "elsewhere"],
)
def test_an_endpoint_that_does_not_tell_is_no_matter(models: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfheal_ci.remedies.model.client.ASKING", 0.5)

    body, warned = sent(models)

    assert (body["thinking"], body["max_tokens"], warned) == ({"type": "adaptive"}, 8000, [])


def test_a_refused_key_is_told_by_the_call_itself() -> None:
    with MessagesServer([fails(401, "authentication_error")], fails(401, "authentication_error")) as server:
        no = refused(a_model(server))

    assert no.shortfall.lack is Lack.REFUSED_KEY
