"""What the processes of a run use, read from /proc: memory and threads of every process below its launcher."""

from __future__ import annotations

import os
import re
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
SHARED_OUT = re.compile(rb"^Pss: +(\d+) kB", re.MULTILINE)


@dataclass(frozen=True)
class Usage:
    """At one moment."""

    memory: int  # bytes resident; a shared page counts once for each process that has it
    threads: int  # what the kernel's limit on processes counts


def usage(launcher: int) -> Usage:
    """What all descendants of a process use together."""
    pages = threads = 0
    for process in descendants(launcher):
        if fields := _stat(process):
            pages += int(fields[21])
            threads += int(fields[17])
    return Usage(pages * PAGE, threads)


class Growth:
    """How much what lies in some folders has grown since this was made."""

    def __init__(self, *folders: Path) -> None:
        self._folders = folders
        self._before = sum(map(bytes_below, folders))
        self._next = 0.0

    def is_over(self, most: int) -> bool:
        """Whether it is more than so many bytes. It is looked at anew when that does not take long against the pause."""
        began = time.monotonic()
        if began < self._next:
            return False
        grown = sum(map(bytes_below, self._folders)) - self._before
        ended = time.monotonic()
        self._next = ended + 10 * (ended - began)
        return grown > most


def bytes_below(folder: Path | str) -> int:
    """The bytes that a folder takes on disk, no link followed; what cannot be looked at counts nothing."""
    return sum(bytes_of(f"{parent}/{name}") for parent, _, files in os.walk(folder) for name in files)


def bytes_of(path: str) -> int:
    """The bytes that one file takes on disk."""
    try:
        return os.lstat(path).st_blocks * 512
    except OSError:
        return 0


def memory_shared_out(launcher: int) -> int:
    """Bytes resident in all descendants, where those that have a page share it; slower than `usage`."""
    return sum(_shared_out(process) for process in descendants(launcher))


def descendants(process: int) -> list[int]:
    """Every process below another one."""
    children = _children if are_listed() else _scanned()
    found: dict[int, None] = {}
    waiting = [process]
    while waiting:
        new = [child for child in children(waiting.pop()) if child not in found]
        found.update(dict.fromkeys(new))
        waiting += new
    return list(found)


def is_alive(process: int) -> bool:
    """Whether it still runs: one that ended and was not waited for does not."""
    fields = _stat(process)
    return fields is not None and fields[0] not in {b"Z", b"X"}


@cache
def are_listed() -> bool:
    """Whether this kernel lists the children of a process."""
    return os.path.exists(f"/proc/{os.getpid()}/task/{os.getpid()}/children")


def _children(process: int) -> list[int]:
    """As the kernel lists them, for each thread its own."""
    try:
        threads = os.listdir(f"/proc/{process}/task")
    except OSError:
        return []
    return [int(child) for thread in threads for child in _read(f"/proc/{process}/task/{thread}/children").split()]


def _scanned() -> Callable[[int], Sequence[int]]:
    """The same for a kernel that keeps no such lists: each process of the machine names its parent."""
    children: dict[int, list[int]] = defaultdict(list)
    for name in os.listdir("/proc"):
        if name.isdigit() and (fields := _stat(int(name))):
            children[int(fields[1])].append(int(name))
    return lambda process: children.get(process, ())


def _shared_out(process: int) -> int:
    found = SHARED_OUT.search(_read(f"/proc/{process}/smaps_rollup"))
    if found:
        return int(found[1]) * 1024
    fields = _stat(process)  # an old kernel, or not ours to look into
    return int(fields[21]) * PAGE if fields else 0


def _stat(process: int) -> list[bytes] | None:
    """The fields behind a process's name; None when it is gone."""
    return _read(f"/proc/{process}/stat").rpartition(b")")[2].split() or None  # the name in parentheses may hold anything


def _read(path: str) -> bytes:
    """A file of /proc; nothing when its process is gone."""
    try:
        with open(path, "rb", buffering=0) as file:
            return file.readall()
    except OSError:
        return b""
