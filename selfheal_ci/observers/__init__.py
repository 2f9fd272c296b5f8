"""Those who are told what happens. None of them decides anything, and none that breaks stops a healing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from selfheal_ci.events import Event
from selfheal_ci.ports import Observer

logger = logging.getLogger(__name__)


def tell_all(observers: Sequence[Observer]) -> Observer:
    """One observer that tells them all, one event at a time, in the order of the sequence."""
    lock = threading.Lock()  # probes run side by side, and each of them tells
    warned: set[int] = set()

    def tell(event: Event) -> None:
        with lock:
            for number, observer in enumerate(observers):
                try:
                    observer(event)
                except Exception as broken:  # noqa: BLE001  the one broad catch around each observer
                    if number not in warned:
                        # The type alone: what it says may hold what must not be shown.
                        logger.warning("%s: %s on %s", _name(observer), type(broken).__name__, type(event).__name__)
                    warned.add(number)

    return tell


def _name(observer: Observer) -> str:
    return getattr(observer, "__name__", type(observer).__name__)
