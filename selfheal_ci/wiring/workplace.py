"""A private folder for one healing, gone afterwards; those of healings that were killed go with the next one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selfheal_ci.engines.holding import new_folder, remove_unheld
from selfheal_ci.engines.host import remove

PREFIX = "selfheal-work-"
SHARED = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108  our own folder in it is private


@contextmanager
def workplace() -> Iterator[Path]:
    """The folder. It is removed whatever runs left in it, and by the next healing where we are killed before that."""
    parent = _open_folder(_usual_folder())
    sweep(parent)
    with new_folder(parent, PREFIX) as folder:
        try:
            yield folder
        finally:
            remove(folder)


def sweep(parent: Path) -> None:
    """Remove the folders of ours that nobody holds any more."""
    for folder in parent.glob(f"{PREFIX}*"):
        remove_unheld(folder)


def _usual_folder() -> Path:
    """What TMPDIR names, or the system's. Python's own search leaves a file there when it is killed in the middle of it."""
    named = [Path(os.environ["TMPDIR"]).absolute()] if os.environ.get("TMPDIR") else []
    folders = (*named, *SHARED)
    return next((folder for folder in folders if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)), folders[0])


def _open_folder(usual: Path) -> Path:
    """A temporary folder that the uid reaches which root drops to for runs."""
    return next((folder for folder in (usual, *SHARED) if _is_open(folder)), usual)


def _is_open(folder: Path) -> bool:
    return all(place.stat().st_mode & 0o001 for place in (folder, *folder.parents))
