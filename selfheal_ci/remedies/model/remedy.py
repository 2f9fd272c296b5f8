"""Asks a model: up to three attempts, each told what the one before got wrong, and one correction of an edit."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise

from selfheal_ci.events import Asked
from selfheal_ci.lab import Lab
from selfheal_ci.ports import Observer
from selfheal_ci.remedies.model.answers import Answer, Declined, Fix, Misfit, Nothing, flaw, proposed, read
from selfheal_ci.remedies.model.conversation import MAX_OUTPUT, Conversation, Ending, Model, NoAnswerError, Reply
from selfheal_ci.remedies.model.edits import Unredact
from selfheal_ci.remedies.model.feedback import in_a_line
from selfheal_ci.remedies.model.prompt import Prompts, Try
from selfheal_ci.values import NOTHING, Candidate, Case, Finding, Rejected, Shortfall, Verdict, Verified
from selfheal_ci.words import one_line

ESCALATED = 3  # this attempt and later ones: a fresh conversation with the stronger model
GIVE_UP = 2  # attempts in a row that each break more than the one before
SMALLER = 0.5  # how much of a prompt is left that was too long

Candidates = Generator[Candidate, Verdict, Finding | Shortfall | None]


@dataclass(frozen=True)
class _Said:
    """An attempt, and the conversation that may go on after it."""

    answer: Answer
    verdict: Verdict
    conversation: Conversation | None


@dataclass(frozen=True)
class ModelRemedy:
    """Asks the model `usual`, at last `stronger`, for edits."""

    model: Model
    usual: str
    stronger: str
    tell: Observer
    protected: str  # which paths no fix may touch, in words
    redact: Callable[[str], str]
    unredact: Unredact
    never_send: tuple[str, ...] = ()
    max_attempts: int = 3
    mark: str = field(default_factory=lambda: secrets.token_hex(16))
    name: str = "model"

    def candidates(self, case: Case, lab: Lab) -> Candidates:
        """See Remedy. Every reply is a candidate, with a flaw where there is nothing to judge."""
        try:
            return (yield from self._attempts(case, lab))
        except NoAnswerError as silence:
            if silence.cost.calls:  # it may have been billed: the cost needs a place
                yield Candidate(self.name, NOTHING, "no answer", flaw=silence.shortfall.message, cost=silence.cost)
            return silence.shortfall

    def _attempts(self, case: Case, lab: Lab) -> Candidates:
        earlier: list[_Said] = []
        for number in range(1, self.max_attempts + 1):
            goes_on = earlier[-1].conversation if earlier and number < ESCALATED else None
            said = yield from self._attempt(number, goes_on or self._opening(case, lab, earlier), earlier, case, lab)
            match said.answer:
                case Declined(proposal) if proposal.verdict != "cannot_fix":
                    return replace(case.finding, model_verdict=proposal.verdict)
                case Declined():
                    return None
                case Fix() if _is_known(said.answer, earlier):
                    return None
                case Fix() | Misfit() | Nothing():
                    earlier.append(said)
            if _grows(earlier):
                return None
        return None

    def _attempt(
        self, number: int, conversation: Conversation, earlier: Sequence[_Said], case: Case, lab: Lab
    ) -> Generator[Candidate, Verdict, _Said]:
        """Ask once, and once more where the answer was nearly one."""
        max_output = MAX_OUTPUT
        for is_last in (False, True):
            reply = self._ask(number, conversation, max_output)
            answer = read(reply, lab, self.unredact)
            verdict = yield self._candidate(answer, reply, earlier)
            match answer:
                case Misfit() if not is_last:
                    conversation = conversation.then(reply, self._prompts.correction(answer.flaw))
                case Nothing(ending=Ending.CUT_OFF) if not is_last:
                    max_output *= 2
                case Nothing(ending=Ending.TOO_LONG) if not is_last:
                    conversation = self._opening(case, lab, earlier, scale=SMALLER)
                case _:
                    break
        return _Said(answer, verdict, self._after(conversation, reply, answer, verdict, case, lab))

    def _ask(self, number: int, conversation: Conversation, max_output: int) -> Reply:
        name = self.stronger if number >= ESCALATED else self.usual
        try:
            reply = self.model.ask(conversation, model=name, max_output=max_output)
        except NoAnswerError as silence:
            if silence.cost.calls:  # it was sent, and may have been billed
                said = f"({silence.shortfall.message})"
                self.tell(Asked(number, name, silence.cost, conversation.record, said))
            raise
        self.tell(Asked(number, name, reply.cost, conversation.record, reply.record))
        return reply

    def _candidate(self, answer: Answer, reply: Reply, earlier: Sequence[_Said]) -> Candidate:
        if not isinstance(answer, Fix):
            return Candidate(self.name, NOTHING, "no fix", flaw=flaw(answer), cost=reply.cost)
        again = "the model proposed the same patch again" if _is_known(answer, earlier) else None
        why = one_line(answer.proposal.root_cause) or "proposed by the model"
        return Candidate(self.name, answer.changes, why, flaw=again, cost=reply.cost)

    def _opening(self, case: Case, lab: Lab, earlier: Sequence[_Said], *, scale: float = 1.0) -> Conversation:
        tries = [Try(proposed(said.answer), in_a_line(said.verdict, case)) for said in earlier]
        return self._prompts.opening(case, lab, tries, scale=scale)

    def _after(
        self, conversation: Conversation, reply: Reply, answer: Answer, verdict: Verdict, case: Case, lab: Lab
    ) -> Conversation | None:
        """How the conversation goes on; not at all after a reply that may not be sent back, such as a refusal."""
        if isinstance(verdict, Verified) or (isinstance(answer, Nothing) and answer.ending is not Ending.ANSWERED):
            return None
        return conversation.then(reply, self._prompts.feedback(verdict, case, lab))

    @cached_property
    def _prompts(self) -> Prompts:
        return Prompts(self.mark, self.protected, self.redact, self.never_send)


def _grows(earlier: Sequence[_Said]) -> bool:
    """Whether the last two attempts each broke more than what there was before them: no more of this is wanted."""
    broken = [0, *(_broken(said.verdict) for said in earlier)]
    return len(broken) > GIVE_UP and all(before < after for before, after in pairwise(broken[-GIVE_UP - 1 :]))


def _broken(verdict: Verdict) -> int:
    """How many tests that passed fail with a candidate."""
    return len(verdict.evidence.green_to_red) if isinstance(verdict, Rejected) else 0


def _is_known(fix: Fix, earlier: Sequence[_Said]) -> bool:
    return any(isinstance(said.answer, Fix) and said.answer.changes.digest == fix.changes.digest for said in earlier)
