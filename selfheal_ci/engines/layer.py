"""Writes changes into a folder of their own, to be laid over the frozen tree: never through a link, never outside."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from selfheal_ci.errors import EngineError
from selfheal_ci.values import Changes, Content


def write_layer(changes: Changes, into: Path, *, newer_than: float) -> None:
    """Write each change below the empty folder `into`; deletions become overlay whiteouts. Raises EngineError.

    Files get a time at least two seconds after `newer_than` (since the epoch): make and Python's bytecode compare whole
    seconds and would take the old ones.
    """
    moment = max(time.time(), newer_than + 2)
    root = os.open(into, os.O_DIRECTORY | os.O_PATH)
    try:
        for path, content in sorted(changes.files.items()):
            *parents, name = _parts(path)
            with _folder(root, parents) as folder:
                _write(folder, name, content, moment)
    except OSError as failed:
        raise EngineError(f"a change cannot be laid over the tree: {failed}", hint="see `selfheal doctor`") from failed
    finally:
        os.close(root)


def _parts(path: str) -> list[str]:
    parts = path.split("/")
    if any(part in {"", ".", ".."} for part in parts) or "\0" in path:
        raise EngineError(f"{path!r} is no path below the tree")
    return parts


@contextmanager
def _folder(root: int, parents: list[str]) -> Iterator[int]:
    opened = os.dup(root)
    try:
        for part in parents:
            with suppress(FileExistsError):
                os.mkdir(part, dir_fd=opened)
            deeper = os.open(part, os.O_DIRECTORY | os.O_NOFOLLOW | os.O_PATH, dir_fd=opened)
            os.close(opened)
            opened = deeper
        yield opened
    finally:
        os.close(opened)


def _write(folder: int, name: str, content: Content | None, moment: float) -> None:
    if content is None:
        os.mknod(name, stat.S_IFCHR, 0, dir_fd=folder)
    elif content.mode == "120000":
        os.symlink(content.data, os.fsencode(name), dir_fd=folder)
    else:
        mode = 0o755 if content.mode == "100755" else 0o644
        with os.fdopen(
            os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode, dir_fd=folder), "wb"
        ) as file:
            file.write(content.data)
            file.flush()
            os.utime(file.fileno(), (moment, moment))
