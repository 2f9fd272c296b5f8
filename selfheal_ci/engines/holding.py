"""Folders that a process holds while it needs them: others remove only those that nobody holds."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from selfheal_ci.engines.host import remove

LOCK, UNHELD = "in-use", "in-use.new"
FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
YOUNG = 3600.0  # seconds in which a folder with something in it, and no lock, may be one that is just being removed


@contextmanager
def hold(folder: Path) -> Iterator[bool]:
    """Keep others from removing a folder; False when it is gone, or somebody is about to remove it."""
    try:
        lock = os.open(folder / LOCK, FLAGS)
    except OSError:
        yield False
        return
    try:
        yield _lock(lock, fcntl.LOCK_SH) and _is(folder / LOCK, lock)
    finally:
        os.close(lock)


@contextmanager
def new_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A private folder, held until this ends. Whoever is killed on the way to it leaves nothing that would stay."""
    with ExitStack() as stack:
        while True:
            folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
            if _take(folder, stack):
                break
        yield folder


def _take(folder: Path, stack: ExitStack) -> bool:
    """Hold a folder that was just made; False when another one has taken it for left behind."""
    try:
        lock = os.open(folder / UNHELD, FLAGS | os.O_CREAT, 0o600)
        stack.callback(os.close, lock)
        if not _lock(lock, fcntl.LOCK_SH):
            return False
        (folder / UNHELD).rename(folder / LOCK)  # under its name it is held
    except FileNotFoundError:
        return False
    return True


def remove_unheld(folder: Path) -> bool:
    """Remove a folder of ours unless somebody holds it; whether it is gone."""
    try:
        about = folder.lstat()
    except FileNotFoundError:
        return True
    if about.st_uid != os.geteuid() or folder.is_symlink():
        return False
    try:
        lock = os.open(folder / LOCK, FLAGS)
    except FileNotFoundError:
        return _remove_new(folder, about.st_mtime)
    except OSError:
        return False
    return _remove_locked(folder, LOCK, lock)


def _remove_new(folder: Path, made: float) -> bool:
    """Remove a folder that has no lock yet. Whoever is about to get it makes another one."""
    try:
        folder.rmdir()
        return True
    except OSError:  # it is gone, or there is something in it
        pass
    try:
        return _remove_locked(folder, UNHELD, os.open(folder / UNHELD, FLAGS))
    except OSError:
        pass
    if folder.exists() and time.time() - made >= YOUNG:
        remove(folder)
    return not folder.exists()


def _remove_locked(folder: Path, name: str, lock: int) -> bool:
    """Remove a folder whose lock was opened, if nobody else has locked it; lets go of the lock."""
    try:
        free = _lock(lock, fcntl.LOCK_EX) and _is(folder / name, lock)
        if free:
            remove(folder)
        return free
    finally:
        os.close(lock)


def _lock(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # where a file system knows no locks, all may use a folder, and nobody may remove it
        return kind == fcntl.LOCK_SH
    return True


def _is(path: Path, opened: int) -> bool:
    """Whether the path still leads to what was opened: between the two it can have been removed."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(opened))
    except OSError:
        return False
