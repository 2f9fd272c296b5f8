"""Watches a run: keeps what it prints, stops it at its limits, and leaves nothing of it alive."""

from __future__ import annotations

import fcntl
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BufferedReader

from selfheal_ci import shell
from selfheal_ci.engines.capture import Capture
from selfheal_ci.engines.crowding import is_crowded
from selfheal_ci.engines.usage import Growth, descendants, is_alive, memory_closely, memory_in_files, usage
from selfheal_ci.errors import EngineError
from selfheal_ci.values import Limits, Stop

PACKING = 60.0  # seconds after the run's end to hand over what it left behind
DYING = 5.0  # seconds that the kernel gets to end what was killed
DRAINING = 1.0  # seconds to wait for more output when the launcher has ended
WEIGHING = 0.1  # seconds between two looks at what it uses
PIPE = 1 << 20  # bytes of output that may wait for us, where the kernel allows so many


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
        process = None
        with os.fdopen(reading, "rb") as archive:
            try:
                try:
                    with shell.uninterrupted():  # else it may live on, and nobody knows it
                        process = self._start(line, writing)
                finally:
                    os.close(writing)
                yield process, archive
            finally:
                if process is not None:
                    end(process)
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
        """End each of them with all below it; no other starts."""
        with self._lock:
            self._stopped = True
            for process in self._processes:
                end(process)


@dataclass
class Watch:
    """One run under its limits. `packing` is set by whoever sees it hand over its leftovers: then the command is done."""

    limits: Limits
    timeout: float  # seconds
    packing: threading.Event = field(default_factory=threading.Event)
    growth: Growth | None = None  # of what it writes on this machine's disk, where nothing else holds its limit
    most_threads: int = 0

    def __post_init__(self) -> None:
        self.capture = Capture(self.limits.output)

    def follow(self, process: subprocess.Popen[bytes]) -> Stop:
        """Read what it prints until it ends or a limit stops it; nothing of it is alive afterwards."""
        assert process.stdout is not None  # noqa: S101  shell.start pipes it
        with suppress(OSError):  # a user may have no more than so many pages in pipes
            fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, PIPE)
        try:
            with selectors.DefaultSelector() as waiting:
                waiting.register(process.stdout, selectors.EVENT_READ)
                return self._watch(process, waiting)
        finally:
            end(process)
            process.stdout.close()

    def _watch(self, process: subprocess.Popen[bytes], waiting: selectors.DefaultSelector) -> Stop:
        weighed = time.monotonic()
        limits = [weighed + self.timeout + PACKING, weighed + self.timeout]
        while process.poll() is None:
            now = time.monotonic()
            if now >= limits[-1]:
                limits.pop()
                if not limits or not self.packing.is_set():
                    return Stop.TIMEOUT
            if now - weighed >= WEIGHING:
                weighed = now
                if over := self._weigh(process.pid):
                    return over
            self._wait(process, waiting, min(max(limits[-1] - now, 0), WEIGHING))
        self._drain(waiting)
        return Stop.EXITED

    def _wait(self, process: subprocess.Popen[bytes], waiting: selectors.DefaultSelector, patience: float) -> None:
        """Until it prints or ends, but not longer than this."""
        if waiting.get_map():
            self._read(waiting, patience)
        else:  # it closed its output and goes on
            with suppress(subprocess.TimeoutExpired):
                process.wait(patience)

    def _drain(self, waiting: selectors.DefaultSelector) -> None:
        """Read what is left. The pipe ends with the last process that has it, and one may have survived the launcher."""
        limit = time.monotonic() + DRAINING
        while waiting.get_map() and (left := limit - time.monotonic()) > 0:
            self._read(waiting, left)

    def _read(self, waiting: selectors.DefaultSelector, patience: float) -> None:
        for key, _ in waiting.select(patience):
            chunk = os.read(key.fd, PIPE)
            self.capture.feed(chunk)
            if not chunk:
                waiting.unregister(key.fileobj)

    def _weigh(self, launcher: int) -> Stop | None:
        """Which limit it is over."""
        now = usage(launcher)
        self.most_threads = max(self.most_threads, now.threads)
        # Forked workers share most of what they have, and not all that lies in memory is theirs: only what seems too much
        # is worth the longer look.
        seems = now.memory + memory_in_files()
        if seems > self.limits.memory and memory_closely(launcher) > self.limits.memory:
            return Stop.MEMORY
        return Stop.DISK if self.growth and self.growth.is_over(self.limits.disk) else None

    def was_crowded(self, started: int) -> bool:
        """Whether it came to its limit of processes. started: how many there were, one after the other."""
        return is_crowded(self.capture.output, most=self.most_threads, started=started, limit=self.limits.processes)


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a launcher, its group and all below it, and wait until they have ended."""
    below = descendants(process.pid) if process.poll() is None else []
    for each in below:  # at once: a moment later its number may be another's
        with suppress(ProcessLookupError, PermissionError):
            os.kill(each, signal.SIGKILL)
    shell.kill_group(process)
    limit = time.monotonic() + DYING
    while any(map(is_alive, below)) and time.monotonic() < limit:
        time.sleep(0.005)
