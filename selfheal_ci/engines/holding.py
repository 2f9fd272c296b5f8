"""Folders that a process holds while it needs them: others remove only those that nobody holds."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selfheal_ci.engines.host import remove

LOCK, UNHELD = "in-use", "in-use.new"
FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
YOUNG = 3600.0  # seconds in which a folder without a lock may still get one


@contextmanager
def hold(folder: Path, *, new: bool = False) -> Iterator[bool]:
    """Keep others from removing a folder; False when it is gone, or somebody is about to remove it. new: we made it."""
    try:
        lock = os.open(folder / (UNHELD if new else LOCK), FLAGS | (os.O_CREAT if new else 0), 0o600)
    except OSError:
        yield False
        return
    try:
        held = _lock(lock, fcntl.LOCK_SH)
        if new:
            (folder / UNHELD).rename(folder / LOCK)  # nobody sees it before it is held
        yield held and _is(folder / LOCK, lock)
    finally:
        os.close(lock)


def remove_unheld(folder: Path) -> bool:
    """Remove a folder of ours unless somebody holds it; whether it is gone."""
    try:
        about = folder.lstat()
        if about.st_uid != os.geteuid() or folder.is_symlink():
            return False
        lock = os.open(folder / LOCK, FLAGS)
    except FileNotFoundError:
        if not folder.exists() or time.time() - about.st_mtime < YOUNG:
            return not folder.exists()
        remove(folder)
        return True
    except OSError:
        return False
    try:
        if _lock(lock, fcntl.LOCK_EX) and _is(folder / LOCK, lock):
            remove(folder)
            return True
        return False
    finally:
        os.close(lock)


def _lock(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is(path: Path, opened: int) -> bool:
    """Whether the path still leads to what was opened: between the two it can have been removed."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(opened))
    except OSError:
        return False
