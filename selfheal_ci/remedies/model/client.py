"""Asks any server that speaks the Messages API, with one retry layer, and pays for it."""

from __future__ import annotations

import json
import logging
import math
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from selfheal_ci.remedies.model import abilities, strict_json
from selfheal_ci.remedies.model.abilities import UNKNOWN, Abilities
from selfheal_ci.remedies.model.conversation import FREE, MAX_OUTPUT, Conversation, Ending, NoAnswerError, Reply, tokens
from selfheal_ci.remedies.model.prices import Usage
from selfheal_ci.remedies.model.proposal import TOOL, tool
from selfheal_ci.remedies.model.purse import NotReservedError, Purse, Reservation
from selfheal_ci.values import Cost, Lack
from selfheal_ci.words import one_line

if TYPE_CHECKING:
    from selfheal_ci.remedies.model.wire import LostError, StatusError, Wire

log = logging.getLogger(__name__)

PUBLIC = "https://api.anthropic.com"
MOST_RETRIES = 5
TIMEOUT = 240.0  # seconds for one try: 16,000 tokens take their time
BACKOFF = 0.5  # seconds before the first retry, twice as many before each further one
LONGEST_BACKOFF = 30.0
ASKING = 5.0  # seconds for asking what a model can do
OVERHEAD = 3_000  # tokens that the service adds to a request with a tool
TOO_LONG = ("prompt is too long", "exceed context limit")  # of a 400

ENDINGS = {
    "end_turn": Ending.ANSWERED,
    "tool_use": Ending.ANSWERED,
    "max_tokens": Ending.CUT_OFF,
    "model_context_window_exceeded": Ending.TOO_LONG,
    "refusal": Ending.REFUSED,
    "pause_turn": Ending.PAUSED,
}


@dataclass(frozen=True)
class _Failed:
    """A try without a reply."""

    lack: Lack
    message: str
    retry: bool = False
    wait: float | None = None  # seconds the server asks for
    cost: Cost = FREE


@dataclass(frozen=True)
class AnthropicModel:
    """The `anthropic` client, imported when it is first asked."""

    key: SecretStr | None
    purse: Purse
    seconds_left: Callable[[], float]  # of the healing
    base_url: str | None = None  # empty, as CI passes a variable that is not set: the public one
    effort: str | None = None
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    lock: threading.Lock = field(default_factory=threading.Lock)
    wires: list[Wire] = field(default_factory=list)  # one, once it was needed
    known: dict[str, Abilities] = field(default_factory=dict)  # of the models that were asked
    warn: Callable[[str], None] = log.warning

    def ask(self, conversation: Conversation, *, model: str, max_output: int = MAX_OUTPUT) -> Reply:
        """See Model."""
        key = _checked(self.key)
        can = self._abilities(key, model)
        body = request(conversation, model=model, max_output=max_output, effort=self.effort, can=can)
        if can.max_input and tokens(json.dumps(body)) > can.max_input:
            return Reply(Ending.TOO_LONG)
        spent = FREE
        for retry in range(MOST_RETRIES + 1):
            outcome = self._once(key, body)
            spent += outcome.cost
            if isinstance(outcome, Reply):
                return replace(outcome, cost=spent)
            wait = self._backoff(retry) if outcome.wait is None else outcome.wait
            if not outcome.retry or retry == MOST_RETRIES or wait >= self.seconds_left():
                raise NoAnswerError(outcome.lack, outcome.message, spent)
            self.sleep(wait)
        raise AssertionError("the last try returns or raises")

    def _abilities(self, key: str, model: str) -> Abilities:
        """What the service says of a model, asked once. No answer is no matter: the call itself says what is wrong."""
        from selfheal_ci.remedies.model.wire import LostError  # noqa: PLC0415  takes a second

        allowed = min(ASKING, self.seconds_left())
        if allowed <= 0:
            return UNKNOWN
        if model not in self.known:
            try:
                can = abilities.read(strict_json.loads(self._wire(key).model(model, allowed) or b""))
            except (LostError, strict_json.JsonError):
                can = UNKNOWN
            self.known[model] = can
            if can.end:
                self.warn(f"the model {model} {can.end}: name another one (model.name, model.escalate-to)")
            if self.effort and can.effort(self.effort) != self.effort:
                self.warn(
                    f"the model {model} has no effort {self.effort!r}: {can.effort(self.effort) or 'none'} is asked for"
                )
        return self.known[model]

    def _once(self, key: str, body: Mapping[str, Any]) -> Reply | _Failed:
        from selfheal_ci.remedies.model.wire import LostError, StatusError  # noqa: PLC0415  takes a second

        allowed = min(TIMEOUT, self.seconds_left())
        if allowed <= 0:
            return _Failed(Lack.TIME, "there is no time left to ask the model")
        try:
            reservation = self.purse.reserve(body["model"], most_tokens(body), body["max_tokens"])
        except NotReservedError as spent:
            return _Failed(spent.lack, str(spent))
        try:
            return self._settled(reservation, self._wire(key).post(body, allowed))
        except StatusError as no:
            self.purse.release(reservation)  # a request that was answered by an error is not billed
            return Reply(Ending.TOO_LONG) if _is_too_long(no) else _refused(no)
        except LostError as lost:
            return self._lost(reservation, lost)

    def _lost(self, reservation: Reservation, lost: LostError) -> _Failed:
        message = one_line(f"the model's service does not answer: {lost}")
        if lost.may_be_billed:
            return _Failed(Lack.SERVICE, message, retry=True, cost=self.purse.keep(reservation))
        self.purse.release(reservation)
        lack = Lack.REFUSED_KEY if lost.is_configuration else Lack.SERVICE
        return _Failed(lack, message, retry=not lost.is_configuration)

    def _settled(self, reservation: Reservation, data: bytes) -> Reply:
        """What the answer says, and what it cost: all that was reserved where it does not say that."""
        try:
            message = _Message.model_validate(strict_json.loads(data))
        except (strict_json.JsonError, ValidationError) as broken:
            why = str(broken) if isinstance(broken, strict_json.JsonError) else "it is not what the Messages API answers"
            return Reply(Ending.UNREADABLE, text=why, cost=self.purse.keep(reservation))
        return _reply(message, self.purse.settle(reservation, message.usage.value))

    def _backoff(self, retry: int) -> float:
        return float(min(LONGEST_BACKOFF, BACKOFF * 2**retry) * (0.5 + self.jitter() / 2))

    def _wire(self, key: str) -> Wire:
        from selfheal_ci.remedies.model.wire import Wire  # noqa: PLC0415  takes a second

        with self.lock:
            if not self.wires:
                self.wires.append(Wire(key, self.base_url or PUBLIC))
            return self.wires[0]


def request(
    conversation: Conversation, *, model: str, max_output: int, effort: str | None = None, can: Abilities = UNKNOWN
) -> dict[str, Any]:
    """The body of a request, without what the model cannot do."""
    body: dict[str, Any] = {
        "model": model,
        "max_tokens": min(max_output, can.max_output or max_output),
        "system": [_text(conversation.system)],
        "messages": _messages(conversation),
        "tools": [tool() if can.is_strict else {name: value for name, value in tool().items() if name != "strict"}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    }
    if can.thinks:
        body["thinking"] = {"type": "adaptive"}
    level = can.effort(effort)
    return body | ({"output_config": {"effort": level}} if level else {})


def most_tokens(body: Mapping[str, Any]) -> int:
    """More tokens than the request can be: a token stands for one byte at least, most often for three or four."""
    return len(json.dumps(body, ensure_ascii=False).encode("utf-8", "backslashreplace")) + OVERHEAD


# ---------------------------------------------------------------------------------------------------------------------
# What is sent


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text.encode("utf-8", "backslashreplace").decode()}


def _messages(conversation: Conversation) -> list[dict[str, Any]]:
    kept = [_text(part) | {"cache_control": {"type": "ephemeral"}} for part in (conversation.project, conversation.case)]
    messages: list[dict[str, Any]] = [{"role": "user", "content": [*kept, _text(conversation.volatile)]}]
    for turn in conversation.turns:
        blocks = json.loads(turn.reply.blocks)
        calls = [block["id"] for block in blocks if block.get("type") == "tool_use"]
        if calls or turn.reply.text.strip():  # otherwise there is nothing that may be sent back
            messages.append({"role": "assistant", "content": blocks})
        content = [_result(call, turn.answer) for call in calls] or [_text(turn.answer)]
        messages.append({"role": "user", "content": content})
    return messages


def _result(call: str, answer: str) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call, "is_error": True, "content": [_text(answer)]}


# ---------------------------------------------------------------------------------------------------------------------
# What comes back

Count = Annotated[int, Field(ge=0, le=1_000_000_000)]


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class _Usage(_Lenient):
    input_tokens: Count
    output_tokens: Count
    cache_creation_input_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None

    @property
    def value(self) -> Usage:
        written, read = self.cache_creation_input_tokens or 0, self.cache_read_input_tokens or 0
        return Usage(self.input_tokens, self.output_tokens, written, read)


class _StopDetails(_Lenient):
    category: str | None = None


class _Message(_Lenient):
    content: list[dict[str, Any]]
    usage: _Usage
    stop_reason: str | None = None
    stop_details: _StopDetails | None = None


def _reply(message: _Message, cost: Cost) -> Reply:
    ending = ENDINGS.get(message.stop_reason or "", Ending.UNREADABLE)
    if ending is Ending.UNREADABLE:
        return Reply(ending, text=f"it ended by {message.stop_reason!r}", cost=cost)
    if ending is Ending.REFUSED:
        category = message.stop_details.category if message.stop_details else None
        return Reply(ending, text=category or "", cost=cost)
    texts = [
        block["text"] for block in message.content if block.get("type") == "text" and isinstance(block.get("text"), str)
    ]
    calls = [block for block in message.content if block.get("type") == "tool_use"]
    if not all(isinstance(call.get("id"), str) and call.get("name") == TOOL for call in calls) or len(calls) > 1:
        return Reply(Ending.UNREADABLE, text=f"it calls something else than {TOOL}, once", cost=cost)
    proposal = json.dumps(calls[0].get("input"), ensure_ascii=False) if calls else None
    return Reply(ending, "\n".join(texts), proposal, json.dumps(message.content, ensure_ascii=False), cost)


def _is_too_long(no: StatusError) -> bool:
    """Whether the prompt is more than the model or the service takes; only words tell that from other bad requests."""
    told = no.status == 400 and any(words in str(no).lower() for words in TOO_LONG)  # noqa: PLR2004
    return told or no.status == 413  # noqa: PLR2004


def _refused(no: StatusError) -> _Failed:
    """What an error status means. A reached spend limit comes under several statuses, and is never retried."""
    said = one_line(f"{no.status} {no.type}: {no}" if no.type else f"{no.status}: {no}")
    if no.status == 402 or no.type == "billing_error" or no.code.endswith("spend_limit_reached"):  # noqa: PLR2004
        return _Failed(Lack.MONEY, f"the model's account is spent: {said}")
    if no.status in {408, 409, 429} or no.status >= 500:  # noqa: PLR2004
        wait = _seconds(no.headers)
        return _Failed(
            Lack.SERVICE, f"the model's service does not answer: {said}", no.headers.get("x-should-retry") != "false", wait
        )
    what = "the key was refused" if no.status in {401, 403} else "the model's service refuses"
    return _Failed(Lack.REFUSED_KEY, f"{what}: {said}{_HINTS.get(no.status, '')}")


_HINTS = {
    401: " (check ANTHROPIC_API_KEY)",
    403: " (check what the key may do)",
    404: " (check model.name and ANTHROPIC_BASE_URL)",
    **dict.fromkeys((301, 302, 303, 307, 308), " (it points elsewhere, which is not followed: check ANTHROPIC_BASE_URL)"),
}


def _seconds(headers: Mapping[str, str]) -> float | None:
    """How long the server asks us to wait; None where it does not say, or not so that it could be."""
    try:
        if "retry-after-ms" in headers:
            seconds = float(headers["retry-after-ms"]) / 1000
        elif (said := headers.get("retry-after", "")).strip()[:1].isalpha():
            seconds = max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
        else:
            seconds = float(said)
    except (ValueError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _checked(key: SecretStr | None) -> str:
    """The key, without the line end that a secret store may have added."""
    plain = key.get_secret_value().strip() if key else ""
    if not plain:
        raise NoAnswerError(Lack.KEY, "no model was asked: ANTHROPIC_API_KEY is not set")
    if not all("!" <= letter <= "~" for letter in plain):
        raise NoAnswerError(Lack.REFUSED_KEY, "ANTHROPIC_API_KEY is no key: it has spaces or letters that no key has")
    return plain
