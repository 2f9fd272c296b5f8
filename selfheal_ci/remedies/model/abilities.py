"""What a model can do, as its service says before the first call, and what follows for a request."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

EFFORTS = ("low", "medium", "high", "xhigh", "max")


@dataclass(frozen=True)
class Abilities:
    """What is known of a model; without a word from its service it is taken for one that can do everything."""

    end: str = ""  # of its life, in words; empty while it has none
    max_input: int | None = None  # tokens
    max_output: int | None = None
    thinks: bool = True  # takes adaptive thinking
    is_strict: bool = True  # takes strict tools
    efforts: frozenset[str] | None = None

    def effort(self, asked: str | None) -> str | None:
        """The level that is sent: the one asked for, else the next lower one, else none."""
        if asked is None or self.efforts is None or asked in self.efforts:
            return asked
        lower = EFFORTS[: EFFORTS.index(asked)] if asked in EFFORTS else ()
        return next((level for level in reversed(lower) if level in self.efforts), None)


UNKNOWN = Abilities()


def read(data: object) -> Abilities:
    """The abilities that an answer of the models endpoint tells; unknown where it is not such an answer."""
    try:
        info = _Info.model_validate(data)
    except ValidationError:
        return UNKNOWN
    can = info.capabilities
    return Abilities(
        end=_end(info),
        max_input=info.max_input_tokens,
        max_output=info.max_tokens,
        thinks=can is None or can.thinking is None or can.thinking.types.adaptive.supported,
        is_strict=can is None or can.structured_outputs is None or can.structured_outputs.supported,
        efforts=_efforts(can.effort) if can and can.effort else None,
    )


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Support(_Lenient):
    supported: bool


class _ThinkingTypes(_Lenient):
    adaptive: _Support


class _Thinking(_Lenient):
    types: _ThinkingTypes


class _Capabilities(_Lenient):
    thinking: _Thinking | None = None
    structured_outputs: _Support | None = None
    effort: dict[str, Any] | None = None


Tokens = Annotated[int, Field(ge=1, le=1_000_000_000)]


class _Info(_Lenient):
    lifecycle: Literal["active", "deprecated", "retired"] = "active"
    retires_at: datetime | None = None
    max_input_tokens: Tokens | None = None
    max_tokens: Tokens | None = None
    capabilities: _Capabilities | None = None


def _end(info: _Info) -> str:
    day = info.retires_at.date().isoformat() if info.retires_at else ""
    match info.lifecycle:
        case "active":
            return ""
        case "deprecated":
            return f"is deprecated, and will be retired on {day}" if day else "is deprecated"
        case "retired":
            return f"was retired on {day}" if day else "is retired"


def _efforts(told: dict[str, Any]) -> frozenset[str]:
    """Each level is named with whether it is supported; all of them may be at once."""
    if told.get("supported") is False:
        return frozenset()
    return frozenset(level for level in EFFORTS if (told.get(level) or {}) == {"supported": True})
