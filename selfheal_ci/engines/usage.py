"""What the processes of a run use, read from /proc: memory and threads of every process below its launcher."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Usage:
    """At one moment."""

    memory: int  # bytes resident; a shared page counts once for each process that has it
    threads: int  # what the kernel's limit on processes counts


def usage(launcher: int) -> Usage:
    """What all descendants of a process use together."""
    children: dict[int, list[int]] = defaultdict(list)
    seen: dict[int, tuple[int, int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (fields := _stat(int(name))):
            children[int(fields[1])].append(int(name))
            seen[int(name)] = (int(fields[21]), int(fields[17]))
    pages = threads = 0
    waiting = list(children[launcher])
    while waiting:
        process = waiting.pop()
        pages += seen[process][0]
        threads += seen[process][1]
        waiting += children[process]
    return Usage(pages * PAGE, threads)


def _stat(process: int) -> list[str] | None:
    """The fields behind a process's name; None when it is gone."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()  # the name in parentheses may hold anything
