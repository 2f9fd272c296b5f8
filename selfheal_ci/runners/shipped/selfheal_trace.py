"""Which lines of the tree each test executes, by the interpreter's own trace function.

Runs under the project's own Python (3.6 and newer), and stands back where somebody else traces.
"""

import json
import os
import sys
import threading
from collections import defaultdict
from typing import Any, DefaultDict, Dict, List, Optional, Set, Tuple

from selfheal_report import REPORTS, ROOT, free_name  # type: ignore[import-not-found]

FOREIGN = {"site-packages", "dist-packages", ".venv", "venv", ".tox", ".nox", "node_modules"}
OPTIMIZED = 1  # the flag of a function's code; that of modules and classes has it not
LAST = 1 << 20  # line, the last that counts
ROOM = 24 << 20  # bytes of a report

Lines = DefaultDict[str, Set[int]]  # by the file name that the code has


class Tracer:
    """Keeps the lines of the test that runs, and those of imports, which count for all tests."""

    def __init__(self) -> None:
        self.places: Dict[str, str] = {}  # file name that the code has → path in the tree; "" for what is not ours
        self.imports: Lines = defaultdict(set)
        self.current = self.imports
        self.sets: Dict[Tuple[str, bytes], int] = {}
        self.tests: List[Tuple[str, List[int]]] = []
        self.room = ROOM
        self.hook = self.called
        self.process = os.getpid()

    def start(self) -> None:
        if sys.gettrace() is None:
            threading.settrace(self.hook)
            sys.settrace(self.hook)

    def stop(self) -> None:
        if sys.gettrace() is self.hook:
            threading.settrace(None)
            sys.settrace(None)

    def busy(self) -> bool:
        """Whether a test runs."""
        return self.current is not self.imports

    def begin(self) -> None:
        self.start()  # a test may have taken the trace function away
        self.current = defaultdict(set)

    def end(self, id_: str) -> None:
        lines, self.current = self.current, self.imports
        self.keep(id_, lines)

    def called(self, frame: Any, event: str, arg: object) -> Any:
        name = frame.f_code.co_filename
        place = self.places.get(name)
        if place is None:
            place = self.places[name] = place_of(name)
        if not place:
            return None
        return self.imported if imports(frame) else self.executed

    def executed(self, frame: Any, event: str, arg: object) -> Any:
        if event == "line":
            self.current[frame.f_code.co_filename].add(frame.f_lineno)
        return self.executed

    def imported(self, frame: Any, event: str, arg: object) -> Any:
        if event == "line":
            self.imports[frame.f_code.co_filename].add(frame.f_lineno)
        return self.imported

    def keep(self, id_: str, lines: Lines) -> None:
        """Keep the lines under an id, while there is room; the same lines of a file are kept once."""
        cost = len(json.dumps(id_)) + 8
        new: Dict[Tuple[str, bytes], int] = {}
        numbers = []
        for name, seen in sorted(lines.copy().items()):
            key = (self.places[name], bits(seen.copy()))
            number = self.sets.get(key, new.get(key))
            if number is None:
                number = new[key] = len(self.sets) + len(new)
                cost += len(json.dumps(key[0])) + 2 * len(key[1]) + 8
            numbers.append(number)
            cost += 8
        if cost <= self.room:
            self.room -= cost
            self.sets.update(new)
            self.tests.append((id_, numbers))

    def write(self) -> None:
        self.stop()
        if not os.path.isdir(REPORTS) or os.getpid() != self.process:  # a test forked, and its child came to the end
            return
        self.keep("", self.imports)
        if not self.sets:  # somebody else traces
            return
        sets = [[path, lines.hex()] for path, lines in self.sets]
        name = free_name("selfheal-trace-{:08d}".format(self.process), ".json")
        with open(name, "w", encoding="ascii") as file:
            json.dump({"sets": sets, "tests": self.tests}, file, separators=(",", ":"))


def imports(frame: Any) -> bool:
    """Whether this is a module's own code, or that of a class in it."""
    while frame is not None and not frame.f_code.co_flags & OPTIMIZED:
        if frame.f_code.co_name == "<module>":
            return True
        frame = frame.f_back
    return False


def place_of(name: str) -> str:
    """The path relative to the tree; nothing for what is not the project's."""
    try:
        whole = os.path.abspath(name)
        if not whole.startswith(ROOT + os.sep):
            whole = os.path.realpath(whole)
    except (OSError, ValueError):
        return ""
    if name.startswith("<") or not whole.startswith(ROOT + os.sep):
        return ""
    parts = whole[len(ROOT) + 1 :].split(os.sep)
    return "" if FOREIGN.intersection(parts) else "/".join(parts)


def bits(lines: Set[int]) -> bytes:
    """One bit a line."""
    known = [line for line in lines if line and line < LAST]
    field = bytearray(max(known, default=0) // 8 + 1)
    for line in known:
        field[line // 8] |= 1 << line % 8
    return bytes(field)


TRACER: Optional[Tracer] = Tracer() if os.environ.get("SELFHEAL_TRACE") else None
