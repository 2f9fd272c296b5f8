"""All that can be told of a folder, to be compared."""

from __future__ import annotations

from pathlib import Path


def seen(folder: Path) -> dict[str, tuple[object, ...]]:
    """Everything below a folder, and itself: bytes, and what stat tells but for the time of the last look."""
    found: dict[str, tuple[object, ...]] = {}
    for path in (folder, *sorted(folder.rglob("*"))):
        now = path.lstat()
        stat = (now.st_ino, now.st_mode, now.st_nlink, now.st_uid, now.st_gid, now.st_size, now.st_mtime_ns, now.st_ctime_ns)
        found[str(path)] = (*stat, path.read_bytes() if path.is_file() and not path.is_symlink() else b"")
    return found
