"""Keeps the head and the tail of what a run prints, in bounded memory."""

from __future__ import annotations

from collections import deque

from selfheal_ci.values import Output


class Capture:
    """Feed it everything; it keeps at most `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._room = limit // 2
        self._tail_size = limit - self._room
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._kept = 0
        self._dropped = 0

    def feed(self, chunk: bytes) -> None:
        """Add what was printed next."""
        if room := self._room - len(self._head):
            self._head += chunk[:room]
            chunk = chunk[room:]
        if chunk:
            self._tail.append(chunk)
            self._kept += len(chunk)
        while self._tail and self._kept - len(self._tail[0]) >= self._tail_size:
            gone = len(self._tail.popleft())
            self._kept -= gone
            self._dropped += gone

    @property
    def output(self) -> Output:
        """What is kept by now."""
        tail = b"".join(self._tail)
        over = max(0, len(tail) - self._tail_size)
        return Output(bytes(self._head), tail[over:], self._dropped + over)
