"""What a reply amounts to: a fix, an honest "don't", an edit that does not apply, or nothing."""

from __future__ import annotations

from dataclasses import dataclass

from selfheal_ci.lab import Lab
from selfheal_ci.remedies.model.conversation import Ending, Reply
from selfheal_ci.remedies.model.edits import EditFlaw, Unredact, apply, unsound
from selfheal_ci.remedies.model.proposal import Proposal, ProposalError, read_input, read_text
from selfheal_ci.values import Changes


@dataclass(frozen=True)
class Fix:
    """Edits that apply."""

    proposal: Proposal
    changes: Changes


@dataclass(frozen=True)
class Declined:
    """The model says that there is nothing to mend here, or that it cannot."""

    proposal: Proposal


@dataclass(frozen=True)
class Misfit:
    """Edits of which one does not apply, or which leave a file that nobody could mean."""

    proposal: Proposal
    flaw: EditFlaw


@dataclass(frozen=True)
class Nothing:
    """No proposal."""

    ending: Ending
    why: str


Answer = Fix | Declined | Misfit | Nothing

WITHOUT_PROPOSAL = {
    Ending.CUT_OFF: "the answer was cut off at its greatest length",
    Ending.TOO_LONG: "what the model was told is too long for it",
    Ending.REFUSED: "the model refused to answer",
    Ending.PAUSED: "the model paused in the middle of its answer",
    Ending.UNREADABLE: "the answer cannot be read",
}


def read(reply: Reply, lab: Lab, unredact: Unredact) -> Answer:
    """What a reply amounts to. Only a complete one is looked at."""
    if reply.ending is not Ending.ANSWERED:
        more = f": {reply.text}" if reply.text and reply.ending in {Ending.REFUSED, Ending.UNREADABLE} else ""
        return Nothing(reply.ending, WITHOUT_PROPOSAL[reply.ending] + more)
    try:
        proposal = read_text(reply.text) if reply.proposal is None else read_input(reply.proposal)
    except ProposalError as none:
        return Nothing(reply.ending, str(none))
    if proposal.verdict != "fix":
        return Declined(proposal)
    return (
        _fix(proposal, lab, unredact)
        if proposal.edits
        else Nothing(reply.ending, "the verdict is fix, but there is no edit")
    )


def _fix(proposal: Proposal, lab: Lab, unredact: Unredact) -> Answer:
    applied = apply(proposal.edits, lab, unredact)
    if isinstance(applied, EditFlaw):
        return Misfit(proposal, applied)
    if wrong := unsound(applied, lab):
        return Misfit(proposal, wrong)
    return Fix(proposal, applied) if applied else Nothing(Ending.ANSWERED, "the edits change nothing")


def proposed(answer: Answer) -> str:
    """What was proposed, in one line for the next model."""
    match answer:
        case Fix(proposal) | Misfit(proposal):
            paths = ", ".join(dict.fromkeys(edit.path for edit in proposal.edits))
            return f"to change {paths}, because: {proposal.root_cause}"
        case Declined(proposal):
            return f"{proposal.verdict}, because: {proposal.root_cause}"
        case Nothing():
            return "nothing"


def flaw(answer: Answer) -> str | None:
    """Why there is nothing to judge; None when there is."""
    match answer:
        case Fix():
            return None
        case Declined(proposal):
            return f"the model says {proposal.verdict}: {proposal.root_cause}"
        case Misfit(flaw=misfit):
            return misfit.reason
        case Nothing():
            return answer.why
