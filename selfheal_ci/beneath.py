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
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=opened)
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


def replace(root: Path, path: str, data: bytes) -> None:
    """Give a file new bytes at once, its mode kept; make it where it is missing. Raises OSError."""
    with parent(root, path, make=True) as (folder, name):
        try:
            mode = stat.S_IMODE(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
        except FileNotFoundError:
            mode = 0o644
        new = NEW + hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
        with suppress(FileNotFoundError):
            os.unlink(new, dir_fd=folder)
        with os.fdopen(
            os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode, dir_fd=folder), "wb"
        ) as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
        os.rename(new, name, src_dir_fd=folder, dst_dir_fd=folder)


def delete(root: Path, path: str) -> None:
    """Remove a file. Raises OSError."""
    with parent(root, path) as (folder, name):
        os.unlink(name, dir_fd=folder)
