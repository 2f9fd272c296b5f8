"""Speaks the CI's language while it heals: sections in the job's log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TextIO

from selfheal_ci.events import Diagnosed, Event, Finished
from selfheal_ci.ports import Observer

Markers = tuple[str, str]  # opens and closes a section
MarkersOf = Callable[[str, int], Markers]  # its name and number


def github(name: str, number: int) -> Markers:
    return f"::group::{name}", "::endgroup::"


def gitlab(name: str, number: int) -> Markers:
    now = int(time.time())
    section = f"selfheal_{number}"
    return f"\x1b[0Ksection_start:{now}:{section}\r\x1b[0K{name}", f"\x1b[0Ksection_end:{now}:{section}\r\x1b[0K"


def _chapters() -> Iterator[str]:
    yield "selfheal: running the step, finding out why it fails"
    yield "selfheal: trying remedies"


@dataclass
class Sections:
    """Lays what another observer writes into sections that can be folded; the end stands outside."""

    inner: Observer
    stream: TextIO
    markers: MarkersOf
    chapters: Iterator[str] = field(default_factory=_chapters)
    opened: int = 0
    closing: str = ""

    def __call__(self, event: Event) -> None:
        if not self.opened:
            self._open()
        if isinstance(event, Finished):
            self._close()
        self.inner(event)
        if isinstance(event, Diagnosed):
            self._close()
            self._open()

    def _open(self) -> None:
        name = next(self.chapters, None)
        if name:
            self.opened += 1
            opening, self.closing = self.markers(name, self.opened)
            print(opening, file=self.stream, flush=True)

    def _close(self) -> None:
        if self.closing:
            print(self.closing, file=self.stream, flush=True)
        self.closing = ""
