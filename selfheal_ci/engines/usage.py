"""What the processes of a run use, read from /proc: memory and threads of every process below its launcher."""

from __future__ import annotations

import os
import re
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from selfheal_ci import shell
from selfheal_ci.errors import ToolError

PAGE = os.sysconf("SC_PAGE_SIZE")
SHARED_OUT = re.compile(rb"^Pss: +(\d+) kB", re.MULTILINE)
IN_FILES = re.compile(rb"^(?:Pss_)?Shmem: +(\d+) kB", re.MULTILINE)  # of one process, or of the whole machine


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


def memory_closely(launcher: int) -> int:
    """Bytes that all descendants take, where those that have a page share it; slower than `usage`.

    What lies in memory without a name in any folder counts even where no process has it mapped.
    """
    processes = descendants(launcher)
    resident = list(map(_shared_out, processes))
    mapped = sum(in_files for _, in_files in resident)
    nameless = _memfds(processes) + _segments(processes)  # which may be mapped, too
    return sum(all_of_it for all_of_it, _ in resident) - mapped + max(mapped, nameless)


def memory_in_files() -> int:
    """Bytes of the whole machine that lie in files in memory, named or not: what `usage` may not see is among them."""
    found = IN_FILES.search(_read("/proc/meminfo"))
    return int(found[1]) * 1024 if found else 0


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


def _shared_out(process: int) -> tuple[int, int]:
    """The process's share of what it has resident, and how much of that is in files in memory."""
    said = _read(f"/proc/{process}/smaps_rollup")
    in_files = IN_FILES.search(said)
    if found := SHARED_OUT.search(said):
        return int(found[1]) * 1024, int(in_files[1]) * 1024 if in_files else 0
    fields = _stat(process)  # an old kernel, or not ours to look into
    return (int(fields[21]) * PAGE if fields else 0), 0


def _memfds(processes: Sequence[int]) -> int:
    """The bytes in files without a folder (memfd_create) that they have open, each file once."""
    found: dict[int, int] = {}
    for process in processes:
        with suppress(OSError):
            for descriptor in os.listdir(f"/proc/{process}/fd"):
                with suppress(OSError):
                    place = f"/proc/{process}/fd/{descriptor}"
                    if os.readlink(place).startswith("/memfd:"):
                        about = os.stat(place)
                        found[about.st_ino] = about.st_blocks * 512
    return sum(found.values())


def _segments(processes: Sequence[int]) -> int:
    """The bytes in System V shared memory of their namespaces, not of our own."""
    outermost = _namespaces(processes, "user")[:1]
    return sum(_segments_seen(top, each) for top in outermost for each in _namespaces(processes, "ipc"))


def _namespaces(processes: Sequence[int], kind: str) -> list[int]:
    """The first process in each namespace that is not ours."""
    found: dict[int, int] = {}
    for process in processes:
        with suppress(OSError):
            found.setdefault(os.stat(f"/proc/{process}/ns/{kind}").st_ino, process)
    found.pop(os.stat(f"/proc/self/ns/{kind}").st_ino, None)
    return list(found.values())


def _segments_seen(outermost: int, process: int) -> int:
    """Those of a process's namespace, which may be looked at from a namespace of users around it."""
    enter = ("nsenter", f"--user=/proc/{outermost}/ns/user", f"--ipc=/proc/{process}/ns/ipc", "--preserve-credentials")
    try:
        said = shell.run([*enter, "cat", "/proc/sysvipc/shm"], env={"PATH": shell.PATH}, timeout=5).stdout
    except ToolError:
        return 0
    return sum(int(line.split()[14]) for line in said.splitlines()[1:])  # its column "rss"


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
