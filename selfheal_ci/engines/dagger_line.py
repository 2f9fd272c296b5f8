"""A line to a Dagger engine: when the engine is lost, the line leads to the next one, and what was asked is asked again."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from selfheal_ci.engines.dagger_session import Session
from selfheal_ci.engines.dagger_words import LOST, LostError
from selfheal_ci.errors import EngineError

log = logging.getLogger(__name__)

Ready = TypeVar("Ready")
Answer = TypeVar("Answer")
RECONNECTING = 29.0  # seconds for an engine to be there again: whoever waits hears of it within 30
PAUSE = 0.5  # seconds between two looks
REPEATS = 2  # times that one question is asked again: a run that takes its engine down each time ends


@dataclass(frozen=True)
class Place:
    """Where an engine is, and how to open a session with it within so many seconds."""

    name: str
    open: Callable[[float], AbstractContextManager[Session]]


@dataclass
class Line(Generic[Ready]):
    """Questions to one engine at a time, from any thread."""

    places: Sequence[Place]  # tried in order
    begin: Callable[[Session], Ready]  # what every new session starts with
    warn: Callable[[str], None] = log.warning
    stack: ExitStack = field(default_factory=ExitStack)
    lock: threading.Lock = field(default_factory=threading.Lock)
    halted: threading.Event = field(default_factory=threading.Event)
    session: Session | None = None
    ready: Ready | None = None
    place: int = 0
    over: EngineError | None = None  # nothing came back

    @contextmanager
    def opened(self, patience: float) -> Iterator[Line[Ready]]:
        """Connect to the first engine that answers within its time, and let go of it in the end. Raises EngineError."""
        try:
            self._open_first(patience)
            yield self
        finally:
            self.stack.close()

    def ask(self, question: Callable[[Ready], Answer]) -> Answer:
        """The answer; asked again where the engine was lost meanwhile. Raises EngineError when none comes back in time."""
        for repeat in range(REPEATS + 1):
            try:
                return question(ready := self._now())
            except LostError as lost:
                if repeat == REPEATS or self.halted.is_set():
                    raise
                self._renew(ready, lost)
        raise AssertionError

    def stop(self) -> None:
        """Withdraw all that is asked; nobody waits for a lost engine any more either."""
        self.halted.set()
        if self.session:
            self.session.stop()

    def _now(self) -> Ready:
        if self.over:
            raise self.over
        assert self.ready is not None  # noqa: S101  the line is open
        return self.ready

    def _open_first(self, patience: float) -> None:
        told: list[tuple[Place, EngineError]] = []
        for number, place in enumerate(self.places):
            try:
                return self._enter(number, patience)
            except LostError as lost:
                if self.session:  # it was there, and went while the tree was prepared
                    return self._search(lost)
                told.append((place, lost))
            except EngineError as error:
                told.append((place, error))
        if len(told) == 1:
            raise told[0][1]
        said = "".join(f"\n  {place.name}: {error.message}" for place, error in told)
        raise EngineError(f"none of {len(told)} Dagger engines can be used:{said}", hint=told[-1][1].hint)

    def _renew(self, ready: Ready, lost: LostError) -> None:
        """Another session than the one that was lost, unless another thread was faster."""
        with self.lock:
            if self.over or self.ready is not ready:
                return
            self.warn(f"{lost.message}; connecting again")
            assert self.session  # noqa: S101  it was lost
            self.session.lost.set()
            self.session.stop()
            self.stack.close()
            self._search(lost)

    def _search(self, lost: LostError) -> None:
        """Try every place, from the one that was lost on, until one answers or the time is over."""
        deadline, why = time.monotonic() + RECONNECTING, lost.message
        number = self.place
        while (left := deadline - time.monotonic()) > 0 and not self.halted.is_set():
            try:
                return self._enter(number, left)
            except EngineError as error:
                why = error.message
            number = (number + 1) % len(self.places)
            self.halted.wait(PAUSE)
        said = f"the Dagger engine was lost and did not come back within {RECONNECTING:.0f} s: {why}"
        self.over = EngineError(said, hint=LOST)
        raise self.over from lost

    def _enter(self, number: int, patience: float) -> None:
        with ExitStack() as stack:
            session = stack.enter_context(self.places[number].open(patience))
            self.session = session  # stop() finds it while it begins
            try:
                self.ready = self.begin(session)
            except LostError:
                session.lost.set()
                raise
            self.place, self.stack = number, stack.pop_all()
