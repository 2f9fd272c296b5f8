"""What a model is told: our words, and the repository's and the failures' as data, the most stable first."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from selfheal_ci.lab import Lab
from selfheal_ci.remedies.model import context
from selfheal_ci.remedies.model.context import Excerpt
from selfheal_ci.remedies.model.conversation import Conversation
from selfheal_ci.remedies.model.edits import EditFlaw
from selfheal_ci.remedies.model.lines import bodies
from selfheal_ci.values import Case, Failure, Hunk, Refused, Rejected, Unusable
from selfheal_ci.words import counted, one_line, printable

CHARACTERS_PER_TOKEN = 3.5
CAP = 24_000  # tokens of a whole prompt
# Characters for each part, of the 84,000 that the cap allows; the rules and our own words take the rest.
SHARES = {"facts": 2_500, "source": 33_000, "tests": 12_000, "changes": 12_000, "failures": 12_000, "tries": 5_000}

GROUPS = 5  # failures told in full, one for each fingerprint
HEAD, TAIL = 15, 45  # lines of a trace
LONGEST_LINE = 500  # characters of a line of a trace
SAME = 20  # ids named of failures like one that is told
HUNK = 80  # lines of one hunk, on each side
HUNK_BYTES = 100_000  # of it looked at
NEAR_FILES = 40  # names of files beside those that are shown


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
        room = {part: int(share * scale) for part, share in SHARES.items()}
        stable = [
            f"MARK is {self.mark}.",
            *self._section("The project", "", [self._facts(case, lab, room["facts"])]),
            *self._files("The source", context.sources(case, lab, self.never_send), room["source"]),
            *self._files("The failing tests", context.tests(case, lab, self.never_send), room["tests"]),
            *self._changes(case, room["changes"]),
        ]
        volatile = [*self._failures(case, lab, room["failures"]), *self._tries(tries, room["tries"]), QUESTION]
        return Conversation(self._system, "\n\n".join(stable), "\n\n".join(volatile))

    def correction(self, flaw: EditFlaw) -> str:
        """What to say when an edit did not apply."""
        said = [f"Nothing was changed, because an edit does not apply:\n\n{self.block(flaw.reason)}"]
        if flaw.nearest and context.may_be_sent(flaw.path, self.never_send):
            said.append(f"These lines of the file are the most like it:\n\n{self.block(flaw.nearest)}")
        return "\n\n".join([*said, AGAIN])

    def feedback(self, verdict: Rejected | Refused | Unusable) -> str:
        """What to say about edits that were judged: what to change."""
        match verdict:
            case Rejected():
                said = "The edits were applied, the step was run with them, and it does not pass. The first thing wrong is:"
            case Refused(works=True):
                said = "The failing tests pass with the edits, but this project forbids them. Find a fix without this:"
            case Refused():
                said = "This project forbids the edits, and the failing tests do not pass with them either:"
            case Unusable():
                said = "There was nothing to run:"
        return f"{said}\n\n{self.block(printable(verdict.reason))}\n\n{AGAIN}"

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
        folders = {path.rpartition("/")[0] for path in [*context.tests_of(case, lab), *(hunk.path for hunk in case.hunks)]}
        near = [path for path in sorted(case.tree.entries) if path.rpartition("/")[0] in folders][:NEAR_FILES]
        lines = [f"The step {case.step.name} runs: {case.step.run}", f"Files: {common}", f"Among them: {', '.join(near)}"]
        return self._cut("\n".join(lines), room)

    def _files(self, title: str, excerpts: Sequence[Excerpt], room: int) -> list[str]:
        blocks: list[str] = []
        for excerpt in excerpts:
            masked = excerpt.masked(self.redact)
            block = self.block(masked.text)
            if len(block) > room:
                fitting = masked.fitting(room - len(self.block(masked.path)) - 50)
                block = self.block(fitting.text) if fitting.lines else ""
            if 0 < len(block) <= room:
                blocks.append(block)
                room -= len(block)
        return self._section(title, "", blocks)

    def _changes(self, case: Case, room: int) -> list[str]:
        culprit = case.finding.culprit
        hunks = [hunk for hunk in case.hunks if not culprit or hunk != culprit.hunk]
        blocks: list[str] = []
        if culprit:
            blocks.append(f"This one made the step fail: {culprit.how}.\n\n{self._hunk(culprit.hunk, room // 2)}")
            room -= len(blocks[0])
        told = 0
        for block in (self._hunk(hunk, room) for hunk in hunks):
            if len(block) > room:
                break
            blocks.append(f"The others, the likeliest first:\n\n{block}" if culprit and not told else block)
            room, told = room - len(block), told + 1
        if left := len(hunks) - told:
            blocks.append(f"And {counted(left, 'more change')} of source files.")
        words = "Lines with - were there when the step was green; lines with + are there now."
        return self._section("What changed since the step was green", words, blocks)

    def _hunk(self, hunk: Hunk, room: int) -> str:
        if not context.may_be_sent(hunk.path, self.never_send):
            return self.block(f"{hunk.path}: a change that may not be shown")
        return self._cut(_hunk_text(hunk, self.redact), room)

    def _failures(self, case: Case, lab: Lab, room: int) -> list[str]:
        hidden = context.withheld(lab, self.never_send, self.redact)
        groups: dict[str, list[Failure]] = {}
        for failure in case.failures:
            groups.setdefault(failure.fingerprint, []).append(failure)
        told = list(groups.values())[:GROUPS]
        texts = [
            f"{_shortened(_without(self.redact(_failure_text(group[0])), hidden))}{_alike(group[1:])}" for group in told
        ]
        words = (
            f"{counted(len(case.failures), 'failure')} of the step {'are' if len(case.failures) > 1 else 'is'} to be mended."
        )
        return self._section("The failures", words, [self._cut(text, room // len(told)) for text in texts])

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


def tokens(text: str) -> int:
    """About how many tokens a text is, code rather than prose."""
    return int(len(text) / CHARACTERS_PER_TOKEN) + 1


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
    return "\n".join([f"{hunk.path}, line {hunk.lines[0]}{what}", *(line[:LONGEST_LINE] for line in lines), *more])


def _begin(data: bytes) -> bytes:
    """Whole lines from the beginning: half a line could be half a secret."""
    return data if len(data) <= HUNK_BYTES else data[:HUNK_BYTES].rpartition(b"\n")[0]


def _failure_text(failure: Failure) -> str:
    place = f"at {failure.path}:{failure.line}" if failure.path and failure.line else ""
    head = [failure.id, *(part for part in (f"{failure.type}: {failure.message}".removeprefix(": "), place) if part)]
    return "\n".join([*head, failure.text.strip("\n")])


def _alike(failures: Sequence[Failure]) -> str:
    more = [f"and {len(failures) - SAME} more"] if len(failures) > SAME else []
    named = [one_line(failure.id) for failure in failures[:SAME]]
    return f"\nJust so fail: {', '.join([*named, *more])}" if failures else ""


def _shortened(text: str) -> str:
    """The first lines of a trace and the last ones, none too long."""
    lines = [line[:LONGEST_LINE] for line in printable(text).split("\n")]
    if len(lines) <= HEAD + TAIL:
        return "\n".join(lines)
    return "\n".join([*lines[:HEAD], f"… {len(lines) - HEAD - TAIL} lines left out …", *lines[-TAIL:]])


def _without(text: str, hidden: frozenset[str]) -> str:
    """The text without the lines of files that may not be quoted."""
    lines = printable(text).split("\n") if hidden else [text]
    return "\n".join("(a line that may not be shown)" if _quoted(line) in hidden else line for line in lines)


def _quoted(line: str) -> str:
    """A line of code in a trace, without what pytest puts in front of it."""
    return re.sub(r"^(?:[>E]\s|\s*\d+\s*\|)?\s*", "", line).strip()
