"""Puts the verified patch into the working tree of a person who asks for it: all of it, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from selfheal_ci import beneath, paths
from selfheal_ci.deliver import artifact
from selfheal_ci.errors import NothingToPublishError, TargetMovedError, UsageError
from selfheal_ci.values import PatchedFile, Status, blob_id
from selfheal_ci.words import one_line


def run_apply(folder: Path, source: Path) -> int:
    """Check the output folder, then write each file that it patches. Raises SelfhealError before anything is written."""
    told = artifact.read(folder)
    if told.status is not Status.HEALED:
        raise NothingToPublishError(
            f"there is no verified patch: the status is {told.status}", hint=f"see {folder}/report.md"
        )
    check(told.patched, source)
    for file in told.patched:
        put(file, source)
        click.echo(f"{'deleted' if file.content is None else 'wrote'} {one_line(file.path)}", err=True)
    return 0


def check(files: Sequence[PatchedFile], source: Path) -> None:
    """Every file is what it was when it was healed. Raises TargetMovedError or UsageError."""
    for file in files:
        if why := paths.malformed(file.path):
            raise UsageError(f"{one_line(file.path)} is not allowed: {why}", hint="nothing was changed")
        try:
            data = beneath.read(source, file.path)
        except (OSError, ValueError) as wrong:
            raise UsageError(f"{one_line(file.path)} cannot be patched: {wrong}", hint="nothing was changed") from wrong
        if file.before != (None if data is None else blob_id(data, like=file.before or file.after or "")):
            hint = "nothing was changed; run `selfheal heal` on what is there now"
            raise TargetMovedError(f"{one_line(file.path)} is not what it was when it was healed", hint=hint)


def put(file: PatchedFile, source: Path) -> None:
    """Write or delete one file. Raises UsageError where the folder does not let us."""
    try:
        if file.content is None:
            beneath.delete(source, file.path)
        else:
            beneath.replace(source, file.path, file.content)
    except OSError as refused:
        hint = "what was written before stays; apply again when this is mended"
        raise UsageError(f"{one_line(file.path)} cannot be written: {refused.strerror}", hint=hint) from refused
