"""Tells whether a repository beside the checkout would run programs of its own when it is fetched from or pushed to."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

# Where git looks when it is given a folder, all of which it may find.
SUFFIXES = ("/.git", "", ".git/.git", ".git")
_HEAD = re.compile(r'\s*\[([A-Za-z0-9-]+)(?: "([^"\\]*)")?\]\s*')
_SETTING = re.compile(r"\s*([A-Za-z][A-Za-z0-9-]*)\s*=[^\\]*")
_NOTHING = re.compile(r"\s*(?:[#;].*)?")
# Settings of a repository that name no program, and lead to no file that could. All others count as if they did.
_HARMLESS = re.compile(
    r"core\.(?:repositoryformatversion|filemode|bare|ignorecase|precomposeunicode|logallrefupdates|sharedrepository|symlinks)"
    r"|extensions\.objectformat|remote\..*\.(?:url|fetch|mirror|tagopt)|branch\..*\.(?:remote|merge|rebase)|user\.(?:name|email)"
    r"|receive\.(?:denydeletes|denynonfastforwards|fsckobjects)|gc\.auto|pack\.threads"
)


def runs(folder: Path) -> str | None:
    """What it would run, or what could say so, in words; None when it runs nothing."""
    return next((why for suffix in SUFFIXES for why in _of(Path(f"{folder}{suffix}"))), None)


def _of(place: Path) -> Iterator[str]:
    if place.is_file():
        yield f"{place.name} leads elsewhere"
    if not os.path.lexists(place / "HEAD"):
        return
    if any(os.path.lexists(place / name) for name in ("commondir", "gitdir")):
        yield "it is a part of another repository"
    yield from (f"the hook {name}" for name in _hooks(place / "hooks"))
    yield from _settings(place / "config")


def _hooks(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".sample" and os.access(path, os.X_OK))


def _settings(file: Path) -> Iterator[str]:
    """Each setting that may run something; a line that is not as git itself writes it is one, too."""
    if file.is_symlink() or not file.is_file():
        yield "a configuration that is no file"
        return
    section = ""
    for line in file.read_bytes().decode("utf-8", "replace").split("\n"):
        if head := _HEAD.fullmatch(line):
            section = head[1].lower() + (f".{head[2]}" if head[2] is not None else "")
        elif setting := _SETTING.fullmatch(line):
            name = f"{section}.{setting[1].lower()}"
            if not _HARMLESS.fullmatch(name):
                yield f"the setting {name}"
        elif not _NOTHING.fullmatch(line):
            yield f"a line of its configuration that is not plain: {line}"
