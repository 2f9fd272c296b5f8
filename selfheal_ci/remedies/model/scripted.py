"""A model that says what a file tells it to say, in order: for demos, drills and tests."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from selfheal_ci.errors import UsageError
from selfheal_ci.remedies.model import strict_json
from selfheal_ci.remedies.model.conversation import MAX_OUTPUT, Conversation, Ending, NoAnswerError, Reply
from selfheal_ci.remedies.model.prices import UNUSED, Price, Prices, Usage, read_price
from selfheal_ci.remedies.model.proposal import Proposal
from selfheal_ci.remedies.model.purse import NotReservedError, Purse
from selfheal_ci.words import one_line

NAME = "scripted"
PREFIX = f"{NAME}:"  # of `--model scripted:FILE`
DEFAULTS: dict[str, Any] = {"root_cause": "", "edits": [], "risk": "low", "expected_tests": []}
LAST = {"verdict": "cannot_fix", **DEFAULTS, "root_cause": "the script has no more replies"}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Usage(_Strict):
    input_tokens: int = Field(default=0, ge=0)
    output_tokens: int = Field(default=0, ge=0)


class _Text(_Strict):
    text: str


@dataclass(frozen=True)
class Line:
    """One reply of a script."""

    text: str = ""
    proposal: str | None = None
    usage: Usage = UNUSED


@dataclass(frozen=True)
class Script:
    """The replies, and what their tokens cost."""

    lines: tuple[Line, ...]
    prices: Prices


@dataclass
class ScriptedModel:
    """Replays a script; after its end it cannot fix anything."""

    script: Script
    purse: Purse
    said: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, conversation: Conversation, *, model: str = NAME, max_output: int = MAX_OUTPUT) -> Reply:
        """See Model."""
        with self.lock:
            line = self.script.lines[self.said] if self.said < len(self.script.lines) else Line(proposal=json.dumps(LAST))
            try:
                reservation = self.purse.reserve(NAME, line.usage.input, line.usage.output)
            except NotReservedError as spent:
                raise NoAnswerError(spent.lack, str(spent)) from spent
            self.said += 1
        cost = self.purse.settle(reservation, line.usage)
        return Reply(Ending.ANSWERED, line.text, line.proposal, cost=cost)


def read_script(file: Path) -> Script:
    """A list of replies, or `{"replies": […], "prices": [input, output]}`. Raises UsageError that names the file."""
    try:
        data = strict_json.loads(file.read_bytes())
    except OSError as missing:
        raise UsageError(f"the script {file} cannot be read: {missing.strerror}", hint="--model scripted:FILE") from missing
    except strict_json.JsonError as broken:
        raise UsageError(f"the script {file} is broken: {broken}", hint=SHAPE) from broken
    table = {"replies": data} if isinstance(data, list) else data
    if not isinstance(table, dict) or not isinstance(table.get("replies"), list) or table.keys() - {"replies", "prices"}:
        raise UsageError(f"the script {file} is no script", hint=SHAPE)
    price = read_price(table["prices"], f"prices in {file}") if "prices" in table else Price(0, 0, 0, 0)
    lines = tuple(_line(reply, f"reply {number} of {file}") for number, reply in enumerate(table["replies"], 1))
    return Script(lines, Prices({NAME: price}))


SHAPE = 'it wants {"replies": [{"verdict": "fix", "edits": [{"path": …, "old_str": …, "new_str": …}]}, {"text": …}]}'


def _line(reply: object, where: str) -> Line:
    if not isinstance(reply, dict):
        raise UsageError(f"{where} is no object", hint=SHAPE)
    said = {key: value for key, value in reply.items() if key != "usage"}
    try:
        used = _Usage.model_validate(reply.get("usage", {}))
        usage = Usage(used.input_tokens, used.output_tokens)
        if "text" in said:
            return Line(_Text.model_validate(said).text, usage=usage)
        return Line(proposal=Proposal.model_validate(DEFAULTS | said).model_dump_json(), usage=usage)
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_input=False)[0]
        at = ".".join(str(part) for part in first["loc"])
        raise UsageError(one_line(f"{where} is wrong at {at}: {first['msg']}"), hint=SHAPE) from wrong
