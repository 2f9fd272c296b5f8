"""Tells the story on a terminal or in a job's log, line by line, on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING, TextIO

from selfheal_ci.events import Event
from selfheal_ci.observers.story import Storyteller, Tone
from selfheal_ci.words import log_lines, printable

if TYPE_CHECKING:
    import rich.console

STYLES = {
    Tone.PLAIN: "",
    Tone.DETAIL: "dim",
    Tone.GOOD: "green",
    Tone.BAD: "red",
    Tone.WARNING: "yellow",
    Tone.RESULT: "bold",
}


class Verbosity(IntEnum):
    QUIET = 0  # warnings and the end
    NORMAL = 1
    VERBOSE = 2  # every run


class Look(IntEnum):
    PLAIN = 0  # lines for a log: no control sequence, no workflow command
    BARE = 1  # a terminal without colour
    RICH = 2


HEARD = {
    Verbosity.QUIET: {Tone.WARNING, Tone.RESULT},
    Verbosity.NORMAL: set(Tone) - {Tone.DETAIL},
    Verbosity.VERBOSE: set(Tone),
}


class Console:
    """An observer that writes lines; `live` shows on a terminal that it is still at work."""

    def __init__(
        self,
        stream: TextIO,
        *,
        redact: Callable[[str], str],
        output: str = "selfheal-out",
        verbosity: Verbosity = Verbosity.NORMAL,
        look: Look = Look.PLAIN,
    ) -> None:
        self.stream = stream
        self.verbosity = verbosity
        self.look = look
        self.redact = redact
        self.storyteller = Storyteller(output, redact)

    def __call__(self, event: Event) -> None:
        for line in self.storyteller.tell(event):
            if line.tone in HEARD[self.verbosity]:
                self._write(self.redact(line.text), line.tone)  # the story is redacted; this is the last door

    @contextmanager
    def live(self) -> Iterator[None]:
        """Show that something is going on, where that can be seen."""
        if self.look is not Look.RICH or self.verbosity is Verbosity.QUIET:
            yield
            return
        with self._rich.status("healing", spinner="dots"):
            yield

    def _write(self, text: str, tone: Tone) -> None:
        if self.look is Look.RICH:
            self._rich.print(printable(text), style=STYLES[tone], markup=False, emoji=False, highlight=False, soft_wrap=True)
        else:
            print(log_lines(text) if self.look is Look.PLAIN else printable(text), file=self.stream, flush=True)

    @cached_property
    def _rich(self) -> rich.console.Console:
        from rich.console import Console as RichConsole  # noqa: PLC0415  heavy, and often not needed

        return RichConsole(file=self.stream)


def look_of(stream: TextIO, environ: Mapping[str, str]) -> Look:
    """How to write to a stream: plain lines in CI and into files, no colour where NO_COLOR asks for none."""
    if environ.get("CI") or not stream.isatty():
        return Look.PLAIN
    return Look.BARE if environ.get("NO_COLOR") or environ.get("TERM") == "dumb" else Look.RICH
