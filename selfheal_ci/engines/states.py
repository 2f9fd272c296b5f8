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
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from selfheal_ci.engines.holding import LOCK, hold, remove_unheld
from selfheal_ci.engines.host import remove
from selfheal_ci.engines.toolchains import Host
from selfheal_ci.engines.usage import bytes_below, bytes_of
from selfheal_ci.errors import UsageError
from selfheal_ci.values import Entry, Recipe, Tree

log = logging.getLogger(__name__)

LAYOUT = 1  # of a state's folder and of the key; another one is not read
RECORD, ENTRIES = "state.json", "entries.json"
KEPT, NEW = "state-", "new-"  # how folders begin
SETUP_AGE = 24 * 3600.0  # seconds for which what setup fetched is taken for what it would fetch now
PROGRAMS = ("python3", "node", "go", "java", "cargo", "ruby", "gcc", "make")  # another one of these: another machine


@dataclass(frozen=True)
class Record:
    """What a kept state was made from."""

    tree: str  # identity of the tree
    prepared: float  # seconds since the epoch, when setup had ended
    size: int  # bytes
    exact: bool  # it holds things made from the tree's own sources: of no use to another tree
    layout: int = LAYOUT


@dataclass
class State:
    """A folder for a prepared `tree`, `home` and `git`, held until the healing ends."""

    folder: Path
    record: Record | None = None  # None: it is to be filled
    kept: bool = False  # for later healings as well

    @property
    def entries(self) -> Mapping[str, Entry]:
        """What the tree was made from. Raises OSError or ValueError where that cannot be read."""
        return {path: Entry(*entry) for path, entry in json.loads((self.folder / ENTRIES).read_text()).items()}


@dataclass(frozen=True)
class States:
    """The folder of all states. max_size: bytes of all that is kept; 0 keeps nothing."""

    folder: Path
    max_size: int = 0

    @contextmanager
    def take(self, key: str, tree: str, *, age: float) -> Iterator[State]:
        """The state kept under a key that serves this tree and is younger than `age` seconds, else an empty one."""
        with hold(self._place(key)) as held:
            record = _read(self._place(key)) if held else None
            if record and time.time() - record.prepared < age and (record.tree == tree or not record.exact):
                os.utime(self._place(key) / LOCK)
                yield State(self._place(key), record, kept=True)
                return
        if held:  # of no use any more
            remove_unheld(self._place(key))
        folder = Path(tempfile.mkdtemp(prefix=NEW, dir=self.folder))
        with hold(folder, new=True):
            state = State(folder)
            try:
                yield state
            finally:
                if not state.kept:
                    remove(folder)

    def keep(self, state: State, key: str, record: Record, entries: Mapping[str, Entry]) -> None:
        """Take a state for filled, and keep it for later healings where there is room; old ones may have to go."""
        state.record = record
        if record.size > self.max_size:
            return
        (state.folder / ENTRIES).write_text(json.dumps({path: (e.mode, e.blob) for path, e in entries.items()}))
        (state.folder / RECORD).write_text(json.dumps(asdict(record)))
        with suppress(OSError):  # another healing has just kept the same
            state.folder.rename(self._place(key))
            state.folder, state.kept = self._place(key), True
        self.shrink(self.max_size)

    def shrink(self, most: int) -> tuple[int, int]:
        """Remove what was left half-made, then the states not used for longest, until the rest has at most so many bytes.

        The bytes that went and the states that stay because they are in use.
        """
        for half_made in self.folder.glob(f"{NEW}*"):
            remove_unheld(half_made)
        kept = {folder: _size(folder) for folder in sorted(self.folder.glob(f"{KEPT}*"), key=_last_used)}
        total, gone, used = sum(kept.values()), 0, 0
        for folder, size in kept.items():
            if total - gone <= most:
                break
            if remove_unheld(folder):
                gone += size
            else:
                used += 1
        return gone, used

    def usage(self) -> tuple[int, int]:
        """How many states there are, and their bytes."""
        sizes = [_size(folder) for folder in self.folder.glob(f"{KEPT}*")]
        return len(sizes), sum(sizes)

    def _place(self, key: str) -> Path:
        return self.folder / f"{KEPT}{key}"


def open_folder(folder: Path) -> Path:
    """Make the folder for kept states. Raises UsageError where others could write into it, OSError where it cannot be."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    about = folder.stat()
    if about.st_uid != os.geteuid() or about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        hint = "name a folder that is yours alone with --cache-dir"
        raise UsageError(f"others can write into {folder}: no prepared state is safe there", hint=hint)
    return folder


def key_of(tree: Tree, recipe: Recipe, host: Host, *, uid: int, scope: str) -> str:
    """What must be the same for a state to serve: setup, build files, environment, machine, and the scope."""
    environ = {name: value for name, value in host.env.items() if name not in {"LANG", "LC_ALL", "LC_CTYPE", "TZ"}}
    parts = {
        "layout": LAYOUT, "scope": scope, "root": str(tree.root), "uid": uid, "setup": recipe.setup,
        "setup_env": dict(recipe.setup_env),
        "build": [(path, tree.entries[path].blob) for path in sorted(recipe.build_files) if path in tree.entries],
        "environment": _stamp(tree.root, tree.environment),
        "machine": [platform.machine(), _text("/etc/os-release"), environ, [str(root) for root in host.roots]],
        "programs": [_look(shutil.which(name, path=host.env["PATH"])) for name in PROGRAMS],
    }  # fmt: skip
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def identity(tree: Tree) -> str:
    """The same for trees of the same files: one git tree can have several forms in working trees."""
    total = hashlib.sha256(tree.id.encode())
    for path, entry in sorted(tree.entries.items()):
        total.update(f"\0{path}\0{entry.mode}\0{entry.blob}".encode("utf-8", "surrogateescape"))
    return total.hexdigest()


def survey(folder: Path, root: Path) -> tuple[int, bool]:
    """The bytes below the folder of a prepared tree, and whether setup made copies of the tree's own sources there.

    Copies are an installed package that is not editable, and compiled modules outside of the environments.
    """
    size, copies = 0, False
    for parent, folders, files in os.walk(folder):
        if "pyvenv.cfg" in files or parent.endswith("/node_modules"):
            copies = copies or _has_copy(Path(parent), root)
            size += sum(bytes_below(f"{parent}/{name}") for name in folders)
            folders.clear()
        size += sum(bytes_of(f"{parent}/{name}") for name in files)
        copies = copies or any(name.endswith((".so", ".pyd")) for name in files)
    return size, copies


def _has_copy(environment: Path, root: Path) -> bool:
    """Whether a virtual environment has a package that pip copied from the tree."""
    for told in environment.glob("lib/python3*/site-packages/*.dist-info/direct_url.json"):
        text = _text(told)
        with suppress(ValueError, AttributeError):
            said = json.loads(text)
            if said.get("url", "").startswith(f"file://{root}") and not said.get("dir_info", {}).get("editable"):
                return True
    return False


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


def _text(path: str | Path) -> str:
    """The beginning of a regular file that setup may have written; nothing where there is none."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(opened, errors="replace") as file:
            return file.read(1 << 16) if stat.S_ISREG(os.fstat(opened).st_mode) else ""
    except OSError:
        return ""


def _read(folder: Path) -> Record | None:
    try:
        record = Record(**json.loads((folder / RECORD).read_text()))
    except (OSError, ValueError, TypeError) as broken:
        log.info("%s is no state that we can use: %s", folder, broken)
        return None
    return record if record.layout == LAYOUT else None


def _size(folder: Path) -> int:
    record = _read(folder)
    return record.size if record else 0


def _last_used(folder: Path) -> float:
    try:
        return (folder / LOCK).stat().st_mtime
    except OSError:
        return 0.0
