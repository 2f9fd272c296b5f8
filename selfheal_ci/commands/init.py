"""Writes `.selfheal.toml` from what the repository has, and says what could not be translated."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

import click

from selfheal_ci import beneath
from selfheal_ci.discover import NAME, Found, text_of
from selfheal_ci.errors import UsageError
from selfheal_ci.store import open_store
from selfheal_ci.wiring.finding import found_in
from selfheal_ci.wiring.workplace import workplace
from selfheal_ci.words import counted, one_line

HOW = "write [steps.tests] with run = …, or give the command: selfheal heal -- COMMAND"


def run_init(source: Path, *, environ: Mapping[str, str], show: bool = False, force: bool = False) -> int:
    """Write the file, or `show` it on standard output; say on standard error what is in it and what is not.

    Raises UsageError when there is a configuration already, unless it is to be replaced (`force`) or nothing is written.
    """
    if not source.is_dir():
        raise UsageError(f"{source} is no folder", hint="name the checkout with --source")
    if not show:
        _refuse(source, force=force)
    home = Path(environ["HOME"]) if environ.get("HOME") else None
    with workplace() as work, open_store(source, work / "store", home=home) as store:
        found = found_in(store.failing().tree, store, environ)
    if not found.steps:
        _tell(found)
        raise UsageError("no step was found: no CI file, and no language whose usual commands are known", hint=HOW)
    text = text_of(found)
    if show:
        click.echo(text, nl=False)
    else:
        _write(source, text)
    _tell(found)
    return 0


def _refuse(source: Path, *, force: bool) -> None:
    if os.path.lexists(source / NAME) and not force:
        hint = "see what would be written with `selfheal init --print`; --force replaces the file"
        raise UsageError(f"there is a {NAME} already", hint=hint)
    try:
        project = tomllib.loads((beneath.read(source, "pyproject.toml") or b"").decode("utf-8", "replace"))
    except (OSError, ValueError, RecursionError):
        return
    tool = project.get("tool")
    if isinstance(tool, dict) and "selfheal" in tool:
        hint = "remove it first: a configuration in two places is an error; `selfheal init --print` only shows"
        raise UsageError("[tool.selfheal] in pyproject.toml configures selfheal already", hint=hint)


def _write(source: Path, text: str) -> None:
    try:
        beneath.stage(source, NAME, text.encode())
        beneath.settle(source, NAME)
    except OSError as refused:
        raise UsageError(
            f"{NAME} cannot be written: {refused.strerror}", hint="`selfheal init --print` shows it"
        ) from refused
    finally:
        beneath.unstage(source, NAME)
    click.echo(f"wrote {source / NAME}", err=True)


def _tell(found: Found) -> None:
    for step in found.steps:
        click.echo(f"  step {step.name}: {one_line(step.said, 100)} ({step.line.origin})", err=True)
    if found.setup:
        click.echo(f"  setup: {counted(len(found.setup), 'line')}", err=True)
    if found.notes:
        click.echo("not translated:", err=True)
    for note in dict.fromkeys(found.notes):
        what = f"{one_line(note.what, 80)}: " if note.what != str(note.origin) else ""
        click.echo(f"  {one_line(str(note.origin))}: {what}{one_line(note.why, 160)}", err=True)
