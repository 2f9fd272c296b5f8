"""Files below a folder, reached step by step without following a link."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NEW = ".selfheal-new-"  # how a file is called until it is whole, with a digest: its name may be as long as names can be


@contextmanager
def parent(root: Path, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
    """The opened folder that holds a path, and the name in it. Raises OSError at a link, ValueError at a strange path."""
    *parents, name = path.split("/")
    if any(part in {"", ".", ".."} for part in (*parents, name)) or "\0" in path:
        raise ValueError(f"{path!r} is no path below a folder")
    opened = os.open(root, os.O_DIRECTORY | os.O_PATH)
    try:
        for part in parents:
            if make:
                _make(part, opened)
            deeper = os.open(part, os.O_DIRECTORY | os.O_NOFOLLOW | os.O_PATH, dir_fd=opened)
            os.close(opened)
            opened = deeper
        yield opened, name
    finally:
        os.close(opened)


def read(root: Path, path: str) -> bytes | None:
    """The bytes of a regular file; None when there is nothing. Raises OSError for anything else."""
    try:
        with parent(root, path) as (folder, name):
            opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except FileNotFoundError:
        return None
    with os.fdopen(opened, "rb") as file:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise OSError(f"{path} is no regular file")
        return file.read()


def stage(root: Path, path: str, data: bytes) -> None:
    """Write the new bytes of a file beside it, with its mode and owner (a new one: its folder's). Raises OSError."""
    with parent(root, path, make=True) as (folder, name):
        try:
            like = os.stat(name, dir_fd=folder, follow_symlinks=False)
            mode = stat.S_IMODE(like.st_mode)
        except FileNotFoundError:
            like, mode = os.fstat(folder), 0o644
        new = _staged(name)
        with suppress(FileNotFoundError):
            os.unlink(new, dir_fd=folder)
        with os.fdopen(
            os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode, dir_fd=folder), "wb"
        ) as file:
            with suppress(OSError):  # not everyone may give files away
                os.fchown(file.fileno(), like.st_uid, like.st_gid)
            os.fchmod(file.fileno(), mode)
            file.write(data)


def settle(root: Path, path: str) -> None:
    """Give a file the bytes that were staged, at once. Raises OSError."""
    with parent(root, path) as (folder, name):
        os.rename(_staged(name), name, src_dir_fd=folder, dst_dir_fd=folder)


def unstage(root: Path, path: str) -> None:
    """Forget what was staged, if anything was."""
    with suppress(OSError), parent(root, path) as (folder, name):
        os.unlink(_staged(name), dir_fd=folder)


def delete(root: Path, path: str) -> None:
    """Remove a file. Raises OSError."""
    with parent(root, path) as (folder, name):
        os.unlink(name, dir_fd=folder)


def _staged(name: str) -> str:
    return NEW + hashlib.sha256(os.fsencode(name)).hexdigest()[:16]


def _make(part: str, opened: int) -> None:
    """Make a folder that belongs to whom the one around it belongs to, where we may."""
    with suppress(FileExistsError):
        os.mkdir(part, dir_fd=opened)
        around = os.fstat(opened)
        with suppress(OSError):
            os.chown(part, around.st_uid, around.st_gid, dir_fd=opened, follow_symlinks=False)
