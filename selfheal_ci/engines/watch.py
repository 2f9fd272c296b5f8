"""Watches a run: keeps what it prints, stops it at its limits, and leaves nothing of it alive."""

from __future__ import annotations

import os
import re
import selectors
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedReader

from selfheal_ci import shell
from selfheal_ci.engines.capture import Capture
from selfheal_ci.engines.usage import usage
from selfheal_ci.errors import EngineError
from selfheal_ci.values import Limits, Stop

PACKING = 60.0  # seconds after the run's end to hand over what it left behind
NO_FORK = re.compile(rb"Cannot fork|fork: .{0,20}Resource temporarily unavailable|can't start new thread")
WEIGHING = 0.2  # seconds between two looks at what it uses


class Live:
    """The processes of one sandbox that run now, whichever thread waits for them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    @contextmanager
    def start(self, line: Sequence[str]) -> Iterator[tuple[subprocess.Popen[bytes], BufferedReader]]:
        """Start one whose standard input is a pipe that it writes to; here is our end. Raises EngineError after `stop`."""
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb") as archive:
            try:
                process = self._start(line, writing)
            finally:
                os.close(writing)
            try:
                yield process, archive
            finally:
                with self._lock:
                    self._processes.discard(process)

    def _start(self, line: Sequence[str], writing: int) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._stopped:
                raise EngineError("the sandbox was stopped", hint="run again")
            process = shell.start(line, env={"PATH": shell.PATH}, stdin=writing)
            self._processes.add(process)
        return process

    def stop(self) -> None:
        """Kill each of them with its group; no other starts."""
        with self._lock:
            self._stopped = True
            for process in self._processes:
                shell.kill_group(process)


@dataclass
class Watch:
    """One run under its limits. `packing` is set by whoever sees it hand over its leftovers: then the command is done."""

    limits: Limits
    timeout: float  # seconds
    packing: threading.Event = field(default_factory=threading.Event)
    most_threads: int = 0

    def __post_init__(self) -> None:
        self.capture = Capture(self.limits.output)

    def follow(self, process: subprocess.Popen[bytes]) -> Stop:
        """Read what it prints until it ends or a limit stops it; nothing of it is alive afterwards."""
        assert process.stdout is not None  # noqa: S101  shell.start pipes it
        try:
            with selectors.DefaultSelector() as waiting:
                waiting.register(process.stdout, selectors.EVENT_READ)
                return self._watch(process, waiting)
        finally:
            shell.kill_group(process)
            process.stdout.close()

    def _watch(self, process: subprocess.Popen[bytes], waiting: selectors.DefaultSelector) -> Stop:
        end, extended = time.monotonic() + self.timeout, False
        weighed = time.monotonic()
        while process.poll() is None or waiting.get_map():
            now = time.monotonic()
            if now >= end:
                if extended or not self.packing.is_set():
                    return Stop.TIMEOUT
                end, extended = end + PACKING, True
            if now - weighed >= WEIGHING:
                weighed = now
                if self._weigh(process.pid):
                    return Stop.MEMORY
            if not waiting.get_map():
                time.sleep(0.01)  # it closed its output and goes on
            else:
                self._read(waiting, min(max(end - now, 0.0), WEIGHING))
        return Stop.EXITED

    def _read(self, waiting: selectors.DefaultSelector, patience: float) -> None:
        for key, _ in waiting.select(patience):
            chunk = os.read(key.fd, 1 << 16)
            self.capture.feed(chunk)
            if not chunk:
                waiting.unregister(key.fileobj)

    def _weigh(self, launcher: int) -> bool:
        """Whether it uses more memory than it may."""
        now = usage(launcher)
        self.most_threads = max(self.most_threads, now.threads)
        return now.memory > self.limits.memory

    @property
    def crowded(self) -> bool:
        """Whether it came to its limit of processes: seen when weighed, or told by what could not start another."""
        output = self.capture.output
        return self.most_threads >= self.limits.processes * 0.95 or bool(NO_FORK.search(output.tail or output.head))
