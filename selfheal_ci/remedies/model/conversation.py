"""What is said to a model and what comes back, whoever the model is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from selfheal_ci.values import Cost, Lack, Shortfall

MAX_OUTPUT = 8_000  # tokens, thinking included
CHARACTERS_PER_TOKEN = 3.5
FREE = Cost()


def tokens(text: str) -> int:
    """About how many tokens a text is, code rather than prose."""
    return int(len(text) / CHARACTERS_PER_TOKEN) + 1


class Ending(StrEnum):
    """How a reply ended. Only what was ANSWERED is used."""

    ANSWERED = "answered"
    CUT_OFF = "cut off"  # more output than was allowed
    TOO_LONG = "too long"  # more input than the model takes
    REFUSED = "refused"
    PAUSED = "paused"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Reply:
    """What a model answered."""

    ending: Ending
    text: str = ""  # what it said beside the tool; what went wrong where it did not answer
    proposal: str | None = None  # the input of `propose_fix`, JSON
    blocks: str = "[]"  # all of it, JSON, to be sent back as it came
    cost: Cost = FREE

    @property
    def record(self) -> str:
        """The reply for people who look up what was said."""
        return "\n\n".join(part for part in (self.text, self.proposal) if part) or f"({self.ending})"


@dataclass(frozen=True)
class Turn:
    """A reply and what we said to it."""

    reply: Reply
    answer: str


@dataclass(frozen=True)
class Conversation:
    """All that a model is told. What comes first changes least: the service can keep what stands before each mark."""

    system: str
    project: str  # the same for the whole healing, a mark behind it
    case: str  # the same for every attempt at a group of failures, a mark behind it
    volatile: str
    turns: tuple[Turn, ...] = ()

    def then(self, reply: Reply, answer: str) -> Conversation:
        """The conversation after this reply, and what we say to it."""
        return replace(self, turns=(*self.turns, Turn(reply, answer)))

    @property
    def record(self) -> str:
        """The conversation for people who look up what was sent."""
        said = [f"# system\n\n{self.system}", f"# user\n\n{self.project}\n\n{self.case}\n\n{self.volatile}"]
        for turn in self.turns:
            said += [f"# assistant\n\n{turn.reply.record}", f"# user\n\n{turn.answer}"]
        return "\n\n".join(said)


class NoAnswerError(Exception):
    """There is no reply. What may have been billed nonetheless is the cost."""

    def __init__(self, lack: Lack, message: str, cost: Cost = FREE) -> None:
        super().__init__(message)
        self.shortfall = Shortfall(lack, message)
        self.cost = cost


class Model(Protocol):
    """Someone who answers."""

    def ask(self, conversation: Conversation, *, model: str, max_output: int = MAX_OUTPUT) -> Reply:
        """Ask the model of this name. Money is reserved before anything is sent. Raises NoAnswerError."""
