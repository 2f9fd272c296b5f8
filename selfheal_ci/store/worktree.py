"""Reads a working tree and copies its environment: raw bytes, no filter, and never through a link."""

from __future__ import annotations

import logging
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from selfheal_ci.errors import UsageError
from selfheal_ci.values import Content

log = logging.getLogger(__name__)

OUTPUT = "selfheal-out"
# Ignored folders and files that tests need. The first ones are never anyone's source, ignored or not.
ALWAYS_ENVIRONMENT = (".venv", "venv", "node_modules", ".tox", ".nox")
ENVIRONMENT = frozenset({*ALWAYS_ENVIRONMENT, "target", "build", "vendor", "_version.py"})
BUILT = re.compile(r".*\.(?:so|pyd|egg-info)")
# What a folder without git and without .gitignore has besides its files.
JUNK = (".hg", ".svn", "__pycache__", "*.pyc", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".cache", ".DS_Store")
_GIT = re.compile(r"(?:\.git|git~1)[ .]*(?::.*)?", re.IGNORECASE)


@dataclass
class WorkTree:
    """The files below a folder."""

    root: Path
    keep_modes: bool = False  # the file system knows no executable files: the mode stays what it was

    def __post_init__(self) -> None:
        self._folders = {"": True}

    def look(self, path: str, mode: str | None) -> Content | None:
        """What is at a path that had this mode; None when no file and no link is."""
        if not self._is_folder(os.path.dirname(path)):  # noqa: PTH120  relative, and hot
            return None
        full = f"{self.root}/{path}"
        try:
            kind = os.lstat(full).st_mode
            if stat.S_ISLNK(kind):
                return Content(os.fsencode(os.readlink(full)), "120000")  # noqa: PTH115  hot
            if not stat.S_ISREG(kind):
                return None
            with open(full, "rb", buffering=0, opener=_no_link) as file:
                data = file.readall()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError as closed:
            raise UsageError(f"{full} cannot be read", hint=f"chmod u+r {full}") from closed
        if self.keep_modes:
            return Content(data, mode or "100644")
        return Content(data, "100755" if kind & stat.S_IXUSR else "100644")

    def _is_folder(self, path: str) -> bool:
        if path not in self._folders:
            parent = os.path.dirname(path)  # noqa: PTH120
            self._folders[path] = self._is_folder(parent) and _is_real_folder(f"{self.root}/{path}")
        return self._folders[path]


def is_environment(path: str) -> bool:
    """Whether an ignored path, as git lists it, is one that tests need."""
    return any(part in ENVIRONMENT or BUILT.fullmatch(part) for part in path.split("/"))


def outermost(paths: Iterable[str]) -> tuple[str, ...]:
    """The paths that are not below another one of them, in order."""
    kept: list[str] = []
    for path in sorted(paths, key=lambda path: f"{path}/"):
        if not kept or not path.startswith(f"{kept[-1]}/"):
            kept.append(path)
    return tuple(kept)


def is_gits_own(path: str) -> bool:
    """Whether a part of the path is a name that git keeps for itself on some system."""
    return any(_GIT.fullmatch(part) or part in {"", ".", ".."} for part in path.split("/"))


def copy_environment(root: Path, paths: Iterable[str], into: Path) -> None:
    """Copy files and folders with links as links; nothing that is there already is replaced, no .git comes along."""
    for path in paths:
        parents = path.split("/")[:-1]
        if all(_is_real_folder(root.joinpath(*parents[:count])) for count in range(1, len(parents) + 1)) and _make_folders(
            into, parents
        ):
            _copy(root / path, into / path)


def _make_folders(into: Path, parents: list[str]) -> bool:
    """Make the folders one in the other; False where something else is in the way."""
    for name in parents:
        into = into / name
        if not os.path.lexists(into):
            into.mkdir()
        elif not _is_real_folder(into):
            return False
    return True


def _copy(source: Path, target: Path) -> None:
    for entry, there in _walk(source, target):
        if entry.is_symlink():
            if not os.path.lexists(there):
                there.symlink_to(entry.readlink())
        elif entry.is_file() and not os.path.lexists(there):
            try:
                shutil.copy2(entry, there, follow_symlinks=False)
            except PermissionError:
                log.warning("%s cannot be read: runs do without it", entry)


def _walk(source: Path, target: Path) -> Iterator[tuple[Path, Path]]:
    """All that is no folder below a path, with where it goes; the folders are made on the way."""
    if not _is_real_folder(source):
        yield source, target
        return
    if not os.path.lexists(target):
        target.mkdir()
    elif not _is_real_folder(target):
        return
    for name in sorted(os.listdir(source)):  # noqa: PTH208  names are enough
        if not _GIT.fullmatch(name):
            yield from _walk(source / name, target / name)


def _is_real_folder(path: str | Path) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
