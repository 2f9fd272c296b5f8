"""Writes changes into a folder of their own, to be laid over the frozen tree: never through a link, never outside."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

from selfheal_ci import beneath
from selfheal_ci.errors import EngineError
from selfheal_ci.values import Changes, Content


def write_layer(changes: Changes, into: Path, *, newer_than: float) -> None:
    """Write each change below the empty folder `into`; deletions become overlay whiteouts. Raises EngineError.

    Files get a time at least two seconds after `newer_than` (since the epoch): make and Python's bytecode compare whole
    seconds and would take the old ones.
    """
    moment = max(time.time(), newer_than + 2)
    try:
        for path, content in sorted(changes.files.items()):
            with beneath.parent(into, path, make=True) as (folder, name):
                _write(folder, name, content, moment)
    except ValueError as strange:
        raise EngineError(f"{path!r} is no path below the tree") from strange
    except OSError as failed:
        raise EngineError(f"a change cannot be laid over the tree: {failed}", hint="see `selfheal doctor`") from failed


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
