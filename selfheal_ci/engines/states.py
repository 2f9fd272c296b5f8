"""Prepared states on disk: made for one healing, kept for the next ones, up to a size."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import shutil
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from selfheal_ci.engines.holding import LOCK, hold, new_folder, remove_unheld
from selfheal_ci.engines.host import remove
from selfheal_ci.engines.made import stamp, text_of
from selfheal_ci.engines.toolchains import Host
from selfheal_ci.engines.usage import bytes_below
from selfheal_ci.errors import UsageError
from selfheal_ci.values import Entry, Recipe, Tree

log = logging.getLogger(__name__)

LAYOUT = 2  # of a state's folder and of the key; another one is not read
RECORD, ENTRIES = "state.json", "entries.json"
KEPT, NEW = "state-", "new-"  # how folders begin
PARTS = ("tree", "home", "git")  # folders of each state
LEAST_ROOM = 1 << 20  # bytes without which a disk is full
SETUP_AGE = 24 * 3600.0  # seconds for which what setup fetched is taken for what it would fetch now
PROGRAMS = ("python3", "node", "go", "java", "cargo", "ruby", "gcc", "make")  # another one of these: another machine


@dataclass(frozen=True)
class Record:
    """What a kept state was made from."""

    tree: str  # identity of the tree
    prepared: float  # seconds since the epoch, when setup had ended
    size: int  # bytes
    made: Sequence[str]  # by setup, of the tree's own sources, some of it; such a state is of no use to another tree
    layout: int = LAYOUT


KINDS: Mapping[str, type | tuple[type, ...]] = {
    "tree": str,
    "prepared": (int, float),
    "size": int,
    "made": list,
}  # as JSON has them


@dataclass
class State:
    """A folder for a prepared `tree`, `home` and `git`, held until the healing ends."""

    folder: Path
    record: Record | None = None  # None: it is to be filled
    files: Mapping[str, Sequence[Any]] = field(default_factory=dict)  # of a kept one: path → mode, blob, stamp
    kept: bool = False  # for later healings as well

    @property
    def entries(self) -> Mapping[str, Entry]:
        """What the tree of a kept state was made from."""
        return {path: Entry(mode, blob) for path, (mode, blob, _) in self.files.items()}


@dataclass(frozen=True)
class States:
    """The folder of all states. max_size: bytes of all that is kept; 0 keeps nothing."""

    folder: Path
    max_size: int = 0

    @contextmanager
    def take(self, key: str, tree: str, *, age: float) -> Iterator[State]:
        """The state kept under a key that serves this tree and is younger than `age` seconds, else an empty one."""
        place = self._place(key)
        with hold(place) as held:
            state = _whole(place) if held else None
            record = state.record if state else None
            if state and record and time.time() - record.prepared < age and (record.tree == tree or not record.made):
                os.utime(place / LOCK)
                yield state
                return
        remove_unheld(place)  # of no use any more
        self._sweep()
        with new_folder(self.folder, NEW) as folder:
            state = State(folder)
            try:
                yield state
            finally:
                if not state.kept:
                    remove(folder)

    def keep(self, state: State, key: str, record: Record, entries: Mapping[str, Entry]) -> None:
        """Take a state for filled, and keep it for later healings where there is room; old ones may have to go."""
        state.record = record
        if record.size > self.max_size or not self.max_size:
            return
        tree = state.folder / "tree"
        told = {path: (entry.mode, entry.blob, stamp(f"{tree}/{path}")) for path, entry in entries.items()}
        _write(state.folder / ENTRIES, told)
        _write(state.folder / RECORD, asdict(record))
        with suppress(OSError):  # another healing has just kept the same
            state.folder.rename(self._place(key))
            state.folder, state.kept = self._place(key), True
        self.shrink(self.max_size)

    def shrink(self, most: int) -> tuple[int, int]:
        """Remove what was left half-made, then the states not used for longest, until the rest has at most so many bytes.

        The bytes that went and the states that stay because they are in use.
        """
        swept, used = self._sweep()
        kept = {folder: _size(folder) for folder in sorted(self.folder.glob(f"{KEPT}*"), key=_last_used)}
        total, gone = sum(kept.values()), 0
        for folder, size in kept.items():
            if total - gone <= most:
                break
            if remove_unheld(folder):
                gone += size
            else:
                used += 1
        return swept + gone, used

    def usage(self) -> tuple[int, int]:
        """How many states there are, those too that are being made or were left half-made, and their bytes."""
        sizes = [_size(folder) for name in (KEPT, NEW) for folder in self.folder.glob(f"{name}*")]
        return len(sizes), sum(sizes)

    def _sweep(self) -> tuple[int, int]:
        """Remove what was left half-made: the bytes that went, and how many are still being made."""
        gone, used = 0, 0
        for folder in self.folder.glob(f"{NEW}*"):
            size = bytes_below(folder)
            if remove_unheld(folder):
                gone += size
            else:
                used += 1
        return gone, used

    def _place(self, key: str) -> Path:
        return self.folder / f"{KEPT}{key}"


def open_folder(folder: Path) -> Path:
    """Make the folder for kept states, which git ignores.

    Raises UsageError where others could write into it, OSError where it cannot be, or cannot be written.
    """
    own_folder(folder)
    if not (folder / ".gitignore").exists():
        (folder / ".gitignore").write_text("*\n")
    try_room(folder)
    return folder


def own_folder(folder: Path) -> Path:
    """Make the folder if need be. Raises UsageError where others could write into it, OSError where it cannot be."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    about = folder.stat()
    if about.st_uid != os.geteuid() or about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        hint = "name a folder that is yours alone with --cache-dir"
        raise UsageError(f"others can write into {folder}: no prepared state is safe there", hint=hint)
    return folder


def try_room(folder: Path) -> None:
    """Raises OSError where a folder cannot be written, or its disk is full."""
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(LEAST_ROOM))


def unkept(why: str) -> str:
    """What a person is told where there is no folder for kept states."""
    return f"nothing is kept for the next healing: {why}; name another folder with --cache-dir, or mend this one"


def key_of(tree: Tree, recipe: Recipe, host: Host, *, uid: int, scope: str) -> str:
    """What must be the same for a state to serve: setup, build files, environment, machine, and the scope."""
    environ = {name: value for name, value in host.env.items() if name not in {"LANG", "LC_ALL", "LC_CTYPE", "TZ"}}
    parts = {
        "layout": LAYOUT, "scope": scope, "root": str(tree.root), "uid": uid, "setup": recipe.setup,
        "setup_env": dict(recipe.setup_env),
        "build": [(path, tree.entries[path].blob) for path in sorted(recipe.build_files) if path in tree.entries],
        "environment": _stamp(tree.root, tree.environment),
        "machine": [platform.machine(), text_of("/etc/os-release"), environ, [str(root) for root in host.roots]],
        "programs": [_look(shutil.which(name, path=host.env["PATH"])) for name in PROGRAMS],
    }  # fmt: skip
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def identity(tree: Tree) -> str:
    """The same for trees of the same files: one git tree can have several forms in working trees."""
    total = hashlib.sha256(tree.id.encode())
    for path, entry in sorted(tree.entries.items()):
        total.update(f"\0{path}\0{entry.mode}\0{entry.blob}".encode("utf-8", "surrogateescape"))
    return total.hexdigest()


def _stamp(root: Path, paths: Iterable[str]) -> str:
    """Changes when anything below these paths does, as far as times and sizes tell."""
    total = hashlib.sha256()
    for path in paths:
        for parent, folders, files in os.walk(root / path):
            folders[:] = sorted(name for name in folders if name != "__pycache__")
            for name in sorted(files):
                total.update(f"{parent}/{name}{_look(f'{parent}/{name}')}".encode("utf-8", "surrogateescape"))
        total.update(f"{path}{_look(str(root / path))}".encode("utf-8", "surrogateescape"))
    return total.hexdigest()


def _look(path: str | None) -> tuple[int, int, int] | None:
    try:
        about = os.stat(path) if path else None  # noqa: PTH116  hot
    except OSError:
        return None
    return (about.st_mode, about.st_size, about.st_mtime_ns) if about else None


def _whole(folder: Path) -> State | None:
    """A kept state, if its parts are there and the tree's files are as they were when it was kept."""
    record = _read(folder)
    try:
        told = json.loads((folder / ENTRIES).read_text())
        changed = [path for path, (_, _, about) in told.items() if stamp(f"{folder}/tree/{path}") != about]
        lost = [part for part in PARTS if not stat.S_ISDIR((folder / part).lstat().st_mode)]
    except (OSError, ValueError, TypeError, AttributeError) as broken:
        log.info("%s is no state that we can use: %s", folder, broken)
        return None
    if changed or lost:
        log.info("%s is no state that we can use: %s was changed", folder, (*lost, *changed)[0])
        return None
    return State(folder, record, told, kept=True) if record and record.layout == LAYOUT else None


def _read(folder: Path) -> Record | None:
    try:
        record = Record(**json.loads((folder / RECORD).read_text()))
        sound = all(isinstance(getattr(record, name), kind) for name, kind in KINDS.items())
    except (OSError, ValueError, TypeError) as broken:
        log.info("%s is no state that we can use: %s", folder, broken)
        return None
    return record if sound else None


def _write(path: Path, told: object) -> None:
    """Write a file that is on disk before the state gets its name."""
    with path.open("w") as file:
        file.write(json.dumps(told))
        file.flush()
        os.fsync(file.fileno())


def _size(folder: Path) -> int:
    record = _read(folder)
    return record.size if record else bytes_below(folder)


def _last_used(folder: Path) -> float:
    try:
        return (folder / LOCK).stat().st_mtime
    except OSError:
        return 0.0
