"""Which places of the project a trace names: Python's own tracebacks, and pytest's long and short form."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

LINE = 8192  # characters of a line that are looked at
FOREIGN = frozenset({"site-packages", "dist-packages", ".venv", "venv", ".tox", ".nox", "node_modules"})

# "cart.py:41: KeyError", "cart.py:41: in total", "cart.py:41: " – but not what a linter says: "cart.py:41: error: no"
_LOCATION = re.compile(r"(?P<path>[^\s:<>\"'][^:<>\"]*\.\w+):(?P<line>\d{1,9}): ?(?:in (?P<function>\S.*)|[\w.]*)")
_FILE = re.compile(r'(?:E\s)?\s*File "(?P<path>[^"<>]+)", line (?P<line>\d{1,9})(?:, in (?P<function>\S.*))?')
_DEFINITION = re.compile(r"[> ]\s*(?:async )?def (\w+)")


@dataclass(frozen=True)
class Frame:
    """One place on the way to the failure."""

    path: str  # relative to the tree
    line: int
    function: str


@lru_cache(maxsize=1000)  # thousands of failures name the same files
def relative(path: str, root: str = "", folder: str = "") -> str | None:
    """The path below the tree's root; None for what is not the project's. Relative ones begin in `folder` of the tree."""
    plain = path.replace("\\", "/")
    if plain.startswith("/"):
        if not root or not plain.startswith(root.rstrip("/") + "/"):
            return None
        plain = plain[len(root.rstrip("/")) + 1 :]
    else:
        plain = posixpath.join(folder, plain)
    plain = posixpath.normpath(plain)
    parts = plain.split("/")
    return None if not path or plain == "." or parts[0] == ".." or FOREIGN.intersection(parts) else plain


def frames(text: str, root: str = "", folder: str = "") -> tuple[Frame, ...]:
    """The project's frames in a trace, the innermost last."""
    return tuple(in_lines(text.split("\n"), root, folder))


def in_lines(lines: Iterable[str], root: str = "", folder: str = "") -> Iterator[Frame]:
    """The same of text that is split already."""
    function = None  # whose source pytest's long form is showing
    for line in lines:
        cut = line[:LINE].rstrip()
        if function is None and (shown := _DEFINITION.match(cut)):
            function = shown[1]
        found = _LOCATION.fullmatch(cut) or _FILE.fullmatch(cut)
        if not found:
            continue
        if path := relative(found["path"], root, folder):
            yield Frame(path, int(found["line"]), found["function"] or function or "<module>")
        function = None
