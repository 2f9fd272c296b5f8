"""What linters, formatters, type checkers, compileall and pip complain of, read from what they print."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

from selfheal_ci.detect import forms
from selfheal_ci.detect.frames import Frame

Place = Callable[[str], str | None]  # a path as it is printed → below the tree; None for what is outside

FAR = 200  # the same for pip
AHEAD = 12  # lines in which a complaint comes to its end that is told in several


@dataclass(frozen=True)
class Diagnostic:
    """One complaint."""

    tool: str
    path: str  # below the tree; nothing where the tool names none
    rule: str
    message: str
    line: int | None = None
    text: str = ""  # as it was printed
    way: tuple[Frame, ...] = ()  # to where it was raised

    @property
    def stops(self) -> bool:
        """Whether the tool could not read the file, so that it says nothing else of it."""
        return self.rule in forms.UNREADABLE


@dataclass(frozen=True)
class Complaints:
    """All that was recognised."""

    diagnostics: tuple[Diagnostic, ...] = ()
    explained: frozenset[int] = frozenset()  # indexes of the lines that belong to it
    content: frozenset[str] = frozenset()  # tools that say that all is well
    partial: frozenset[str] = frozenset()  # tools that say that they did not come to their end


def complaints(lines: Sequence[str], named: Collection[str], place: Place) -> Complaints:
    """Read the lines of an output. `named` are the tools that the step's command names."""
    reader = _Reader(lines, frozenset(named), place)
    for index, line in enumerate(lines):
        if index not in reader.explained and forms.LIKELY.match(line):
            reader.take(index, line)
    return reader.complaints()


@dataclass
class _Reader:
    lines: Sequence[str]
    named: frozenset[str]
    place: Place
    found: list[Diagnostic] = field(default_factory=list)
    explained: set[int] = field(default_factory=set)
    content: set[str] = field(default_factory=set)
    partial: set[str] = field(default_factory=set)

    def take(self, index: int, line: str) -> None:
        """Read what begins at this line."""
        if any(read(index, line) for read in (self._long_ruff, self._compileall, self._pip, self._one_line)):
            return
        if forms.SUMMARIES.fullmatch(line):
            self.explained.add(index)
        self.content.update(tool for tool, pattern in forms.CONTENT.items() if pattern.fullmatch(line))
        self.partial.update(tool for tool, pattern in forms.PARTIAL.items() if pattern.fullmatch(line))

    def complaints(self) -> Complaints:
        """What was read, without what is outside of the tree."""
        tool = self._ruff_or_flake8()
        told = (replace(one, tool=tool) if one.tool == forms.RUFF_OR_FLAKE8 else one for one in self.found)
        inside = tuple(one for one in told if one.path or one.tool == "pip")
        return Complaints(inside, frozenset(self.explained), frozenset(self.content), frozenset(self.partial))

    def _add(self, lines: range, diagnostic: Diagnostic) -> bool:
        """Take in a complaint that is told in these lines."""
        self.explained.update(lines)
        path = self.place(diagnostic.path) if diagnostic.path else None
        text = "\n".join(self.lines[lines.start : lines.stop])
        self.found.append(replace(diagnostic, path=path or "", message=diagnostic.message.strip(), text=text))
        return True

    def _end(self, index: int) -> int:
        """Where the lines end that go on with what begins at this one."""
        end = index + 1
        while end < len(self.lines) and forms.GOES_ON.fullmatch(self.lines[end]):
            end += 1
        return end

    def _one_line(self, index: int, line: str) -> bool:
        for form in forms.FORMS:
            found = form.pattern.fullmatch(line) if form.tool in self.named or not form.named_only else None
            if found:
                return self._add_form(form, index, found.groupdict())
        return False

    def _add_form(self, form: forms.Form, index: int, said: dict[str, str | None]) -> bool:
        rule, message, end = said.get("rule") or form.rule, said.get("message") or form.message, self._end(index)
        if form.tool == "mypy" and not said["rule"]:
            rule, message, end = self._wrapped(rule, message, index, end)
        if form.tool == "pyflakes" and any(forms.CARET.fullmatch(line) for line in self.lines[index + 1 : index + 3]):
            rule, end = "syntax", index + 3
        return self._add(
            range(index, end), Diagnostic(form.tool, said["path"] or "", rule, message, _number(said.get("line")))
        )

    def _wrapped(self, rule: str, message: str, index: int, end: int) -> tuple[str, str, int]:
        """What mypy broke into several lines, put together."""
        for last in range(index + 1, min(index + AHEAD, len(self.lines))):
            if forms.LIKELY.match(self.lines[last]):
                break
            if closed := forms.MYPY_END.fullmatch(self.lines[last]):
                words = [message, *self.lines[index + 1 : last], closed["message"]]
                return closed["rule"], " ".join(" ".join(words).split()), self._end(last)
        return rule, message, end

    def _long_ruff(self, index: int, line: str) -> bool:
        place = forms.RUFF_PLACE.fullmatch(line)
        head = forms.RUFF_HEAD.fullmatch(self.lines[index - 1]) if place and index else None
        if not place or not head:
            return False
        tool, rule, message = "ruff", head["rule"], head["message"]
        if rule == "unformatted":
            tool, rule, message = "ruff-format", "format", "would reformat"
        elif "ruff-format" in self.named and "ruff" not in self.named:
            tool = "ruff-format"
        lines = range(index - 1, self._end(index))
        return self._add(lines, Diagnostic(tool, place["path"], rule, message, _number(place["line"])))

    def _compileall(self, index: int, line: str) -> bool:
        begun = forms.COMPILING.match(line)
        end = range(index + 1, min(index + AHEAD, len(self.lines))) if begun else range(0)
        last, raised = self._first(forms.COMPILE_ERROR, end)
        if not begun or not raised:
            return False
        _, at = self._first(forms.COMPILED_LINE, range(index, last))
        found = Diagnostic("compileall", begun["path"] or begun["file"], raised["rule"], raised["message"])
        return self._add(range(index, last + 1), replace(found, line=_number(at["line"] if at else None)))

    def _first(self, pattern: re.Pattern[str], lines: range) -> tuple[int, re.Match[str] | None]:
        """The first of these lines that begins with the pattern."""
        return next(((at, found) for at in lines if (found := pattern.match(self.lines[at]))), (lines.start, None))

    def _pip(self, index: int, line: str) -> bool:
        if nothing := forms.PIP_NOTHING.fullmatch(line):
            return self._add(range(index, index + 1), Diagnostic("pip", "", "not-found", nothing["message"]))
        conflict = forms.PIP_CONFLICT.fullmatch(line)
        if not conflict:
            return False
        lines = range(index, min(index + FAR, len(self.lines)))
        end = next((at for at in lines if self.lines[at].startswith(forms.PIP_END)), index)
        causes = sorted(cause[1] for at in range(index, end) if (cause := forms.PIP_CAUSE.fullmatch(self.lines[at])))
        file = forms.PIP_FILE.search(line)
        message = "; ".join(causes) or conflict["message"]
        return self._add(range(index, end + 1), Diagnostic("pip", file[1] if file else "", "conflict", message))

    def _ruff_or_flake8(self) -> str:
        """Which of the two printed the form that both have."""
        asked = self.named & {"ruff", "flake8"}
        if len(asked) == 1:
            return next(iter(asked))
        return "ruff" if any(line.startswith(("Found ", "[*] ")) for line in self.lines) else "flake8"


def _number(digits: str | None) -> int | None:
    return int(digits) if digits else None
