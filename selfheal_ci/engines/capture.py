"""Keeps the head and the tail of what a run prints, in bounded memory."""

from __future__ import annotations

from collections import deque

from selfheal_ci.values import Output

BLOCK = 1 << 16  # bytes, up to which small pieces are put together: each would take more memory than it has bytes


class Capture:
    """Feed it everything; it keeps at most `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._room = limit // 2
        self._tail_size = limit - self._room
        self._head = bytearray()
        self._tail: deque[bytearray] = deque()
        self._kept = 0
        self._dropped = 0

    def feed(self, chunk: bytes) -> None:
        """Add what was printed next."""
        if room := self._room - len(self._head):
            self._head += chunk[:room]
            chunk = chunk[room:]
        self._append(chunk)
        while (over := self._kept - self._tail_size) > 0:
            self._drop(over)

    def _append(self, chunk: bytes) -> None:
        self._kept += len(chunk)
        if self._tail and len(self._tail[-1]) + len(chunk) <= BLOCK:
            self._tail[-1] += chunk
        else:
            self._tail.append(bytearray(chunk))

    def _drop(self, most: int) -> None:
        gone = min(most, len(self._tail[0]))
        if gone == len(self._tail[0]):
            self._tail.popleft()
        else:
            del self._tail[0][:gone]
        self._kept -= gone
        self._dropped += gone

    @property
    def output(self) -> Output:
        """What is kept by now."""
        return Output(bytes(self._head), b"".join(self._tail), self._dropped)
