"""What happened, in short clear sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from selfheal_ci.deliver import tally
from selfheal_ci.events import Asked, Diagnosed, Event, Executed, Finished, Judged, Prepared, Ran, Warned
from selfheal_ci.values import (
    Attempt,
    Culprit,
    Finding,
    Green,
    Healing,
    Red,
    Refused,
    Rejected,
    Result,
    Status,
    Stop,
    Unclear,
    Unusable,
    Verified,
)
from selfheal_ci.words import counted, one_line

SHOWN = 5  # failures
MODEL = "model"
CORRECTION = ", correction"  # one more reply, and no attempt
TOO_LONG = "too long"  # the reply to a prompt that is then made shorter
ENDINGS = {
    Status.HEALTHY: "the step passes, there is nothing to heal",
    Status.HEALED: "{output}/fix.patch",
    Status.NOT_HEALED: "{why}; {output}/report.md says what was tried",
    Status.FLAKY: "it passes unchanged; nothing was patched",
    Status.ENVIRONMENT: "the code is not at fault; nothing was patched",
    Status.REFUSED: "a fix works but breaks the policy: {output}/suggestion.patch",
    Status.OVER_BUDGET: "{why}; {output}/report.md says what was tried",
    Status.SKIPPED: "nothing was tried",
    Status.ERROR: "{why}; {output}/report.md says what was tried",
}

WHY = {
    Status.NOT_HEALED: "no fix was proven",
    Status.OVER_BUDGET: "time or money is used up",
    Status.ERROR: "something that we need broke",
}


class Tone(StrEnum):
    PLAIN = "plain"
    DETAIL = "detail"  # for those who want to hear more
    GOOD = "good"
    BAD = "bad"
    WARNING = "warning"
    RESULT = "result"  # for those who want to hear the end alone


@dataclass(frozen=True)
class Line:
    tone: Tone
    text: str


@dataclass
class Storyteller:
    """Turns events into lines; remembers only what has been told."""

    output: str  # the output folder, as the reader would write it
    redact: Callable[[str], str]
    step_told: bool = False
    tries: Counter[str] = field(default_factory=Counter)
    asked: Asked | None = None  # the model, last
    attempt: str = "attempt 1"  # of the model

    def tell(self, event: Event) -> Iterator[Line]:
        """The lines for one event."""
        match event:
            case Prepared(files, seconds):
                yield Line(Tone.DETAIL, f"prepared {counted(files, 'file')} ({seconds:.1f} s)")
            case Ran(what, result):
                yield from self._ran(what, result)
            case Executed(run):
                ended = f"exit code {run.exit_code}" if run.stop is Stop.EXITED else run.stop.value
                yield Line(Tone.DETAIL, f"ran {self.say(run.shell)}: {ended} ({run.seconds:.1f} s)")
            case Diagnosed(finding):
                yield from self._diagnosed(finding)
            case Judged(attempt):
                yield self._judged(attempt)
            case Asked():
                yield self._asked(event)
            case Warned(text):
                yield Line(Tone.WARNING, f"warning: {self.say(text, 500)}")
            case Finished(healing):
                yield self._finished(healing)

    def _ran(self, what: str, result: Result) -> Iterator[Line]:
        first, self.step_told = not self.step_told, True
        if not first:
            yield Line(Tone.DETAIL, f"{self.say(what)}: {self.say(_outcome(result))} ({result.run.seconds:.1f} s)")
            return
        # That it passes is what the end says.
        yield Line(Tone.DETAIL if isinstance(result, Green) else Tone.BAD, f"the step {self.say(_told(result))}")
        if isinstance(result, Red):
            yield from self._failures(result)
        if left_out := result.run.output.left_out:
            where = "in the middle of its output are left out (limits.output, --max-output)"
            yield Line(Tone.DETAIL if isinstance(result, Green) else Tone.PLAIN, f"  {left_out:,} bytes {where}")

    def _failures(self, red: Red) -> Iterator[Line]:
        for failure in red.failures[:SHOWN]:
            yield Line(Tone.PLAIN, f"  {self.say(failure.id)}: {self.say(failure.message)}")
        if len(red.failures) > SHOWN:
            yield Line(Tone.PLAIN, f"  and {len(red.failures) - SHOWN:,} more")

    def say(self, text: str, limit: int = 300) -> str:
        """One line of it; redacted before it is cut, half a secret cannot be recognised."""
        return one_line(self.redact(text), limit)

    def _diagnosed(self, finding: Finding) -> Iterator[Line]:
        if len(set(finding.kinds.values())) > 1:
            yield Line(Tone.PLAIN, tally.by_kind(finding.kinds.values()))
        yield Line(Tone.PLAIN, f"{finding.kind.value.replace('_', ' ')}: {self.say(finding.summary)}")
        if finding.instead:
            yield from self._failures(finding.instead)
        if finding.culprit:
            yield Line(Tone.PLAIN, f"culprit: {self._culprit(finding.culprit)}")
        if finding.model_verdict:
            yield Line(Tone.PLAIN, f"the model declined: {self.say(finding.model_verdict)}")

    def _culprit(self, culprit: Culprit) -> str:
        first, last = culprit.hunk.lines
        lines = f"{first}" if first == last else f"{first}-{last}"
        commit = f" ({culprit.commit[:7]})" if culprit.commit else ""
        return f"{self.say(culprit.hunk.path)}:{lines}{commit}, {self.say(culprit.how)}"

    def _asked(self, asked: Asked) -> Line:
        corrects = not self.attempt.endswith(CORRECTION) and _goes_on(self.asked, asked)
        self.asked, self.attempt = asked, f"attempt {asked.attempt}{CORRECTION * corrects}"
        cost = asked.cost
        price = tally.price(cost, at_most=tally.is_upper_bound(cost))
        known = cost.input_tokens + cost.cached_tokens + cost.output_tokens or not cost.usd
        tokens = f"{cost.input_tokens + cost.cached_tokens:,} tokens in, {cost.output_tokens:,} out"
        tokens = tokens if known else "nobody said how many tokens"
        return Line(Tone.PLAIN, f"asked {self.say(asked.model)}, {self.attempt} ({tokens}, {price})")

    def _judged(self, attempt: Attempt) -> Line:
        remedy = attempt.candidate.remedy
        self.tries[remedy] += 1
        which = self.attempt if remedy == MODEL and self.asked else f"attempt {self.tries[remedy]}"
        who = f"{self.say(remedy)} {which}"
        match attempt.verdict:
            case Verified():
                return Line(Tone.GOOD, f"{who}: verified, {self.say(attempt.candidate.why)}")
            case Refused(reason, works):
                also = ", though it works" if works else ""
                return Line(Tone.BAD, f"{who}: refused{also}, because {self.say(reason)}")
            case Rejected(reason):
                return Line(Tone.BAD, f"{who}: rejected, because {self.say(reason)}")
            case Unusable(reason):
                return Line(Tone.BAD, f"{who}: unusable, because {self.say(reason)}")

    def _finished(self, healing: Healing) -> Line:
        status, lack = healing.status.value.replace("_", " "), self.say(tally.decisive(healing))
        usual = WHY.get(healing.status, "")
        why = f"{usual}, {lack}" if lack and healing.status is Status.NOT_HEALED else lack or usual
        text = ENDINGS[healing.status].format(output=self.output, why=why)
        if tally.is_partial(healing):
            part = f"{tally.part(healing)}; the patch is in {self.output}/partial.patch, for a person"
            whole = healing.status is not Status.NOT_HEALED
            status, text = (status, f"{text}; healed in part: {part}") if whole else ("healed in part", part)
        spent = f"{healing.seconds:.1f} s" + (f", {tally.spent(healing)}" if healing.cost.calls else "")
        return Line(Tone.RESULT, f"{status}: {text} ({spent})")


def _goes_on(before: Asked | None, asked: Asked) -> bool:
    """Whether the same attempt is asked again, of the same failures: a correction."""
    if before is None or before.attempt != asked.attempt:
        return False
    return asked.prompt.startswith(before.prompt) or before.reply == f"({TOO_LONG})"


def _told(result: Result) -> str:
    match result:
        case Green(run):
            return f"passes ({run.seconds:.1f} s)"
        case Red(run, _, failures):
            return f"fails: {counted(len(failures), 'failure')} ({run.seconds:.1f} s)"
        case Unclear(run, why):
            return f"gave no answer: {why} ({run.seconds:.1f} s)"


def _outcome(result: Result) -> str:
    match result:
        case Green():
            return "green"
        case Red(_, _, failures):
            return f"red, {counted(len(failures), 'failure')}"
        case Unclear(_, why):
            return f"no answer, {why}"
