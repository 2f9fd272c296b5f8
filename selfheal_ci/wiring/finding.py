"""What would be configured, found out from the files of a tree, where nobody configured anything."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

from selfheal_ci import shell
from selfheal_ci.config import Configuration
from selfheal_ci.discover import Files, Found, Machine, discover
from selfheal_ci.errors import ToolError
from selfheal_ci.store import Store
from selfheal_ci.values import Step, Tree

MINORS = range(8, 16)  # of the Pythons that are looked for beside `python3`
PATIENCE = 5.0  # seconds for a program to say its version


def found_in(tree: Tree, store: Store, environ: Mapping[str, str]) -> Found:
    """The steps and what prepares them, as the tree's own files say. Nothing of the tree is run."""
    files = Files(tree.entries.keys(), lambda path: store.read(tree.entries[path]))
    return discover(files, machine(environ))


def completed(configuration: Configuration, found: Found) -> Configuration:
    """The configuration with the steps that were found, and what prepares them."""
    steps = tuple(Step(step.name, step.line.run, build=step.build, fix=step.fix) for step in found.steps)
    setup = tuple(line.run for line in found.setup)
    settings = replace(configuration.settings, setup=setup, image=found.image or configuration.settings.image)
    return replace(configuration, steps=steps, settings=settings)


def told(found: Found, steps: Sequence[Step]) -> str:
    """Which steps were taken, and where they come from."""
    places = {step.name: step.line.origin for step in found.steps}
    return ", ".join(f"{step.name} ({places[step.name]})" for step in steps if step.name in places)


def needed(setup: Sequence[str], found: Found, steps: Sequence[Step]) -> tuple[str, ...]:
    """Those lines of setup that these steps need."""
    names = {step.name for step in steps}
    wanted = {run for step in found.steps if step.name in names for run in step.needs}
    return tuple(run for run in setup if run in wanted)


def machine(environ: Mapping[str, str]) -> Machine:
    """What this machine has."""
    plain = tuple((name, environ[name]) for name in ("PATH", "HOME", "PYENV_ROOT") if name in environ)
    found = [_version(name, plain) for name in ("python3", *(f"python3.{minor}" for minor in MINORS))]
    first, *others = dict.fromkeys(version for version in found if version) or [Machine().python]
    return Machine(first, tuple(others))


@cache
def _version(name: str, environ: tuple[tuple[str, str], ...]) -> str | None:
    """What a Python says of itself."""
    program = shutil.which(name, path=dict(environ).get("PATH", ""))
    try:
        said = shell.run([program, "-I", "--version"], env=dict(environ), timeout=PATIENCE) if program else None
    except ToolError:
        return None
    match = re.match(rb"Python (\d+\.\d+)", said.stdout) if said else None
    return match[1].decode() if match else None
