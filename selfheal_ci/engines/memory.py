"""How much memory a run uses: the resident pages of every process below its launcher, read from /proc."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")


def resident(launcher: int) -> int:
    """Bytes resident in all descendants of a process. Shared pages count once for each of them."""
    children: dict[int, list[int]] = defaultdict(list)
    pages: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (seen := _stat(int(name))):
            parent, pages[int(name)] = seen
            children[parent].append(int(name))
    total, waiting = 0, list(children[launcher])
    while waiting:
        process = waiting.pop()
        total += pages[process]
        waiting += children[process]
    return total * PAGE


def _stat(process: int) -> tuple[int, int] | None:
    """Parent and resident pages of a process; None when it is gone."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name in parentheses may hold anything
    return int(fields[1]), int(fields[21])
