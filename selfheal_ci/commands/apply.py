"""Puts the verified patch into the working tree of a person who asks for it: all of it, or nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click

from selfheal_ci import beneath, paths
from selfheal_ci.deliver import artifact
from selfheal_ci.errors import NothingToPublishError, TargetMovedError, UsageError
from selfheal_ci.store import Store, open_store
from selfheal_ci.values import PatchedFile, Status, blob_id
from selfheal_ci.wiring.workplace import workplace
from selfheal_ci.words import one_line

UNCHANGED = "nothing was changed"


def run_apply(folder: Path, source: Path, *, environ: Mapping[str, str] = os.environ) -> int:
    """Check the output folder, then write each file that it patches. Raises SelfhealError before anything is written."""
    told = artifact.read(folder)
    if told.status is not Status.HEALED:
        raise NothingToPublishError(
            f"there is no verified patch: the status is {told.status}", hint=f"see {folder}/report.md"
        )
    files = check(told.patched, source, home=environ.get("HOME"))
    put(files, source)
    for file in files:
        click.echo(f"{'deleted' if file.content is None else 'wrote'} {one_line(file.path)}", err=True)
    return 0


def check(files: Sequence[PatchedFile], source: Path, *, home: str | None = None) -> Sequence[PatchedFile]:
    """The files as the working tree gets them, if every one is what it was when it was healed.

    Raises TargetMovedError or UsageError.
    """
    now = {file.path: _read(source, file.path) for file in files}
    if all(_is_before(file, now[file.path]) for file in files):
        return files
    with workplace() as work, open_store(source, work / "store", home=Path(home) if home else None) as store:
        return [_converted(file, now[file.path], folder=source, store=store) for file in files]


def _converted(file: PatchedFile, now: bytes | None, *, folder: Path, store: Store) -> PatchedFile:
    """The file with the line ends and the encoding that git gives it in this working tree."""
    if _is_before(file, now):
        return file
    conversion = store.conversions([file.path]).files.get(file.path)
    if now is not None and file.before and conversion:
        if conversion.filter:
            raise UsageError(
                f"{one_line(file.path)} is made by the filter {one_line(conversion.filter)}, which is not run here",
                hint=f"{UNCHANGED}; git runs it: `git apply` with the fix.patch of the output folder, in {folder}",
            )
        kept = conversion.to_git(now, lambda: store.committed(file.path))
        if _is_before(file, kept):
            content = file.content
            data = None if content is None else conversion.to_working_tree(content, now=now, kept=kept)
            return replace(file, content=data)
    hint = f"{UNCHANGED}; run `selfheal heal` on what is there now"
    raise TargetMovedError(f"{one_line(file.path)} is not what it was when it was healed", hint=hint)


def _is_before(file: PatchedFile, data: bytes | None) -> bool:
    return file.before == (None if data is None else blob_id(data, like=file.before or file.after or ""))


def _read(source: Path, path: str) -> bytes | None:
    if why := paths.malformed(path):
        raise UsageError(f"{one_line(path)} is not allowed: {why}", hint=UNCHANGED)
    try:
        return beneath.read(source, path)
    except (OSError, ValueError) as wrong:
        raise UsageError(f"{one_line(path)} cannot be patched: {wrong}", hint=UNCHANGED) from wrong


def put(files: Sequence[PatchedFile], source: Path) -> None:
    """Write and delete the files: beside their places first, so that none is changed where a folder or the disk forbids one.

    Raises UsageError.
    """
    hint = UNCHANGED
    try:
        for file in files:  # a deletion too: it needs the folder's leave as well
            beneath.stage(source, file.path, file.content or b"")
        hint = "what was written before stays; apply again when this is mended"
        for file in files:
            if file.content is None:
                beneath.delete(source, file.path)
            else:
                beneath.settle(source, file.path)
    except OSError as refused:
        raise UsageError(f"{one_line(file.path)} cannot be written: {refused.strerror}", hint=hint) from refused
    finally:
        for file in files:
            beneath.unstage(source, file.path)
