"""What a model is told: our words, and the repository's and the failures' as data, the most stable first."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from selfheal_ci.lab import Lab
from selfheal_ci.remedies.model import context, traces
from selfheal_ci.remedies.model.conversation import Conversation
from selfheal_ci.remedies.model.edits import EditFlaw
from selfheal_ci.remedies.model.excerpt import Excerpt, fitting
from selfheal_ci.remedies.model.feedback import outcome
from selfheal_ci.remedies.model.held_back import held_back
from selfheal_ci.remedies.model.lines import bodies
from selfheal_ci.remedies.model.withheld import may_be_sent, withheld
from selfheal_ci.values import Case, Failure, Hunk, Refused, Rejected, Unusable
from selfheal_ci.words import counted, one_line, printable

CAP = 24_000  # tokens of a whole prompt
# Characters of JSON for each part: what it may take where it must, of the 84,000 that the cap allows with our own words…
MOST = {
    "facts": 2_000,
    "source": 33_000,
    "tests": 12_000,
    "culprit": 8_000,
    "changes": 8_000,
    "failures": 12_000,
    "tries": 5_000,
}
# … and what it takes when all that matters is told: more facts make answers worse.
USUAL = {"source": 8_000, "tests": 2_500, "changes": 1_500}

GROUPS = 5  # failures told, one for each fingerprint
HEAD, TAIL = 10, 20  # lines of each but the first
SAME = 20  # ids named of failures like one that is told
HUNK = 80  # lines of one hunk, on each side
HUNK_BYTES = 100_000  # of it looked at
NEAR_FILES = 30  # names of files beside those that are shown


@dataclass(frozen=True)
class Try:
    """An earlier attempt in two lines."""

    proposed: str
    result: str


@dataclass(frozen=True)
class Prompts:
    """Writes all that is said to the model during one healing."""

    mark: str  # random, and the same for the whole healing: what was said before can be read from the service's cache
    protected: str  # which paths no fix may touch, in words
    redact: Callable[[str], str]
    never_send: tuple[str, ...] = ()

    def opening(self, case: Case, lab: Lab, tries: Sequence[Try] = (), *, scale: float = 1.0) -> Conversation:
        """A fresh conversation. A scale below 1 says it in less room."""
        most, usual = _scaled(MOST, scale), _scaled(USUAL, scale)
        first = [group[0] for group in context.told(case, GROUPS)]
        sources = context.sources(case, lab, first, self.never_send)
        tests = context.tests(case, lab, first, self.never_send)
        project = [f"MARK is {self.mark}.", *self._section("The project", "", [self._facts(case, lab, most["facts"])])]
        stable = [
            *self._files("The source", sources, usual["source"], most["source"]),
            *self._files("The failing tests", tests, usual["tests"], most["tests"]),
            *self._changes(case, usual["changes"], most),
        ]
        volatile = [*self._failures(case, lab, most["failures"]), *self._tries(tries, most["tries"]), QUESTION]
        return Conversation(self._system, "\n\n".join(project), "\n\n".join(stable), "\n\n".join(volatile))

    def correction(self, flaw: EditFlaw) -> str:
        """What to say when an edit did not apply."""
        said = [f"Nothing was changed, because an edit does not apply:\n\n{self.block(flaw.reason)}"]
        if flaw.nearest and may_be_sent(flaw.path, self.never_send):
            said.append(f"These lines of the file are the most like it:\n\n{self.block(flaw.nearest)}")
        return "\n\n".join([*said, AGAIN])

    def feedback(self, verdict: Rejected | Refused | Unusable, case: Case, lab: Lab) -> str:
        """What to say about edits that were judged: what to change."""
        match verdict:
            case Rejected():
                said = "The edits were applied, and the step was run with them. It does not pass:"
            case Refused(works=True):
                said = "The failing tests pass with the edits, but this project forbids them. Find a fix without this:"
            case Refused():
                said = "This project forbids the edits, and the failing tests do not pass with them either:"
            case Unusable():
                said = "There was nothing to run:"
        hidden = withheld(lab, self.never_send, self.redact)
        told = traces.without(self.redact(outcome(verdict, case)), hidden)
        return f"{said}\n\n{self._cut(told, MOST['failures'])}\n\n{AGAIN}"

    def block(self, text: str) -> str:
        """Words of others, as data."""
        return f"<data {self.mark}>\n{_json(self.redact(text))}\n</data {self.mark}>"

    @cached_property
    def _system(self) -> str:
        rules = Path(__file__).with_name("rules.md").read_text(encoding="utf-8")
        return rules.replace("{protected}", self.redact(self.protected)).strip()

    def _section(self, title: str, words: str, blocks: Sequence[str]) -> list[str]:
        return ["\n\n".join(part for part in (f"# {title}", words, *blocks) if part)] if blocks else []

    def _facts(self, case: Case, lab: Lab, room: int) -> str:
        kinds = Counter(Path(path).suffix for path in case.tree.entries)
        common = ", ".join(f"{count} {suffix or 'without suffix'}" for suffix, count in kinds.most_common(6))
        tests = {id_.partition("::")[0] for id_ in case.finding.kinds or case.targets}
        named = (tests | {hunk.path for hunk in case.finding.hunks or case.hunks}) & case.tree.entries.keys()
        folders = {path.rpartition("/")[0] for path in named}
        near = [path for path in sorted(case.tree.entries) if path.rpartition("/")[0] in folders][:NEAR_FILES]
        lines = [f"The step {case.step.name} runs: {case.step.run}", f"Files: {common}", f"Among them: {', '.join(near)}"]
        return self._cut("\n".join(lines), room)

    def _files(self, title: str, excerpts: Sequence[Excerpt], usual: int, most: int) -> list[str]:
        masked = [excerpt.masked(self.redact) for excerpt in excerpts]
        return self._section(title, "", [self.block(excerpt.text) for excerpt in fitting(masked, usual, most)])

    def _changes(self, case: Case, usual: int, most: Mapping[str, int]) -> list[str]:
        culprit = case.finding.culprit
        blocks: list[str] = []
        for number, hunk in enumerate(culprit.hunks if culprit else (), 1):
            how = f"This made the step fail: {culprit.how}.\n\n" if culprit and number == 1 else ""
            blocks.append(how + self._hunk(hunk, most["culprit"] // len(culprit.hunks if culprit else ())))
        hunks = [hunk for hunk in case.hunks if not culprit or hunk not in culprit.hunks]
        room, told = usual if culprit else most["changes"], 0
        for block in (self._hunk(hunk, room) for hunk in hunks):
            if len(block) > room:
                break
            blocks.append(f"What changed besides, the likeliest first:\n\n{block}" if culprit and not told else block)
            room, told = room - len(block), told + 1
        if left := len(hunks) - told:
            blocks.append(f"And {counted(left, 'more change')} of source files.")
        words = "Lines with - were there when the step was green; lines with + are there now."
        return self._section("What changed since the step was green", words, blocks)

    def _hunk(self, hunk: Hunk, room: int) -> str:
        if not may_be_sent(hunk.path, self.never_send):
            return self.block(f"{hunk.path}: a change that may not be shown")
        return self._cut(_hunk_text(hunk, self.redact), room)

    def _failures(self, case: Case, lab: Lab, room: int) -> list[str]:
        hidden = withheld(lab, self.never_send, self.redact)
        groups = context.told(case, GROUPS)
        texts = []
        for number, group in enumerate(groups):
            text = traces.without(self.redact(traces.text_of(group[0])), hidden)
            texts.append((traces.shortened(text) if number == 0 else traces.shortened(text, HEAD, TAIL)) + _alike(group[1:]))
        told = len(case.failures)
        words = f"{counted(told, 'failure')} of the step {'are' if told > 1 else 'is'} to be mended."
        if held := len(held_back(case.failures)):
            words += (
                f" {counted(held, 'case')} of the same tests, with other values, {'is' if held == 1 else 'are'} not shown."
            )
        return self._section("The failures", words, [self._cut(text, room // len(texts)) for text in texts])

    def _tries(self, tries: Sequence[Try], room: int) -> list[str]:
        lines: list[str] = []
        for number, tried in enumerate(tries, 1):
            lines.append(f"Try {number} proposed: {one_line(self.redact(tried.proposed), 400)}")
            lines.append(f"Its result: {one_line(self.redact(tried.result), 700)}")
        words = "None of it is in the files that you see. Look for another cause, or another place."
        return self._section("What was tried before, in vain", words, [self._cut("\n".join(lines), room)] if lines else [])

    def _cut(self, text: str, room: int) -> str:
        """Words of others as data, cut in their middle to so many characters. Masked first: half a secret is not known."""
        masked = printable(self.redact(text))
        size, allowed = len(_json(masked)), room - len(self.block(""))
        if size > allowed:
            half = max(0, int(len(masked) * allowed / size) // 2 - 20)
            masked = f"{masked[:half]}\n… left out …\n{masked[len(masked) - half :]}"
        return self.block(masked)


QUESTION = "# Now\n\nWhat is the root cause, and which edits mend it? Call `propose_fix`."
AGAIN = (
    "The files are again as they were shown at first. Call `propose_fix` with all the edits of the fix, "
    "or with an honest verdict if there is none."
)


def _json(text: str) -> str:
    """One JSON string in which everything that is there can be seen."""
    return re.sub(r"[^ -~]", lambda match: _visible(match[0]), json.dumps(text, ensure_ascii=False))


@lru_cache(maxsize=4096)
def _visible(letter: str) -> str:
    return letter if letter.isprintable() and printable(letter) == letter else json.dumps(letter)[1:-1]


def _hunk_text(hunk: Hunk, mask: Callable[[str], str]) -> str:
    before = hunk.before.data if hunk.before else b"".join(hunk.old)
    after = hunk.after.data if hunk.after else b"".join(hunk.new)
    what = "" if not hunk.whole else " (new file)" if not hunk.before else " (deleted)" if not hunk.after else " (rewritten)"
    old, new = (bodies(mask(_begin(data).decode("utf-8", "replace"))) for data in (before, after))
    lines = [*(f"-{line}" for line in old[:HUNK]), *(f"+{line}" for line in new[:HUNK])]
    cut = max(0, len(old) - HUNK) + max(0, len(new) - HUNK)
    more = [f"… and {counted(cut, 'line')} more"] if cut else []
    return "\n".join([f"{hunk.path}, line {hunk.lines[0]}{what}", *(line[: traces.LONGEST_LINE] for line in lines), *more])


def _begin(data: bytes) -> bytes:
    """Whole lines from the beginning: half a line could be half a secret."""
    return data if len(data) <= HUNK_BYTES else data[:HUNK_BYTES].rpartition(b"\n")[0]


def _alike(failures: Sequence[Failure]) -> str:
    more = [f"and {len(failures) - SAME} more"] if len(failures) > SAME else []
    named = [one_line(failure.id) for failure in failures[:SAME]]
    return f"\nJust so fail: {', '.join([*named, *more])}" if failures else ""


def _scaled(room: Mapping[str, int], scale: float) -> dict[str, int]:
    return {part: int(characters * scale) for part, characters in room.items()}
