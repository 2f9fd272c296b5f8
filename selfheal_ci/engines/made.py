"""What setup made of a tree's own sources: edits do not reach it, and it is of no use to another tree."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from selfheal_ci.engines.usage import bytes_below
from selfheal_ci.values import Entry, Tree, blob_id

MOST = 3  # paths that are named
ENVIRONMENTS = frozenset({".venv", "venv", "node_modules", ".tox", ".nox", "vendor", ".bundle"})  # hold what was fetched
# What says nothing of the sources: caches, links to them, and versions, which come from tags.
HARMLESS = re.compile(
    r"__pycache__|.*\.py[co]|.*\.egg-(?:info|link)|\.eggs|_version\.py|\.(?:pytest|mypy|ruff)_cache|\.DS_Store"
)
LOCKS = frozenset({"uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "package-lock.json", "pnpm-lock.yaml", "yarn.lock"})
INSTALLED = "lib/python3*/site-packages/*.dist-info/direct_url.json"


@dataclass(frozen=True)
class Survey:
    """What lies in a prepared tree."""

    size: int  # bytes
    made: tuple[str, ...]  # by setup, of the sources; the first few


def survey(folder: Path, tree: Tree, *, fixed: Collection[str], began: float) -> Survey:
    """Look at all that setup, which began then, left in the folder of a tree; it may do with `fixed` files what it likes."""
    size, made = 0, [path for path in tree.entries if path not in fixed and not os.path.lexists(f"{folder}/{path}")]
    for parent, folders, files in os.walk(folder):
        below = parent[len(str(folder)) + 1 :]
        parts, virtual = below.split("/"), "pyvenv.cfg" in files
        if virtual:
            made += [f"{below}/{path}" for path in copies(Path(parent), tree.root, began=began)]
        if virtual or parts[-1] == "node_modules":
            size += sum(bytes_below(f"{parent}/{name}") for name in folders)
            folders.clear()
        fetched = virtual or not ENVIRONMENTS.isdisjoint(parts)
        for name in files:
            about = os.lstat(f"{parent}/{name}")
            size += about.st_blocks * 512
            path = f"{below}/{name}" if below else name
            if about.st_ctime > began and not fetched and path not in fixed and tells(path):
                made += [path] * _is_made(f"{parent}/{name}", about, tree.entries.get(path))
    return Survey(size, tuple(sorted(made)[:MOST]))


def copies(environment: Path, root: Path, *, began: float) -> Iterator[str]:
    """What pip copied since then from a tree into a virtual environment, or below a prefix: paths in it."""
    for told in environment.glob(INSTALLED):
        with suppress(OSError, ValueError, AttributeError):
            said = json.loads(text_of(told))
            own = said.get("url", "").startswith(f"file://{root}") and not said.get("dir_info", {}).get("editable")
            if own and told.lstat().st_ctime > began:
                yield str(told.parent.relative_to(environment))


def stamp(path: str) -> list[int] | None:
    """Changes when a file is written, as far as size and time tell; in seconds, which every archive keeps."""
    try:
        about = os.lstat(path)
    except OSError:
        return None
    return [about.st_mode, about.st_size, int(about.st_mtime)]


def text_of(path: str | Path) -> str:
    """The beginning of a regular file that setup may have written; nothing where there is none."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(opened, errors="replace") as file:
            return file.read(1 << 16) if stat.S_ISREG(os.fstat(opened).st_mode) else ""
    except OSError:
        return ""


def tells(path: str) -> bool:
    """Whether a file with this path may say something of the sources."""
    *_, name = parts = path.split("/")
    return name not in LOCKS and not any(HARMLESS.fullmatch(part) for part in parts)


def _is_made(path: str, about: os.stat_result, entry: Entry | None) -> bool:
    """Whether a file that setup touched is another one than was exported. A link leads to what edits reach."""
    if entry is None:
        return stat.S_ISREG(about.st_mode)
    if stat.S_ISLNK(about.st_mode):
        return entry != Entry("120000", blob_id(os.fsencode(Path(path).readlink()), like=entry.blob))
    mode = "100755" if about.st_mode & stat.S_IXUSR else "100644"
    with suppress(OSError):
        return not stat.S_ISREG(about.st_mode) or entry != Entry(mode, blob_id(Path(path).read_bytes(), like=entry.blob))
    return True
