"""The line of shell that runs a step, and where it ran."""

from __future__ import annotations

from collections.abc import Mapping

from selfheal_ci.values import REPORTS, Step

ROOT_FILE = "selfheal-root"

# Where the step begins is the tree's root: tools may start elsewhere, and traces name absolute paths.
_PREFIX = f'SELFHEAL_ROOT="$(pwd -P)"; export SELFHEAL_ROOT; printf %s "$SELFHEAL_ROOT" >{REPORTS}/{ROOT_FILE}'


def step_line(step: Step) -> str:
    """Build, then run; the exit code is the run's, or that of the build that failed."""
    builds = [f"{{\n{build}\n}} || exit" for build in step.build]
    return "\n".join([_PREFIX, *builds, step.run])


def root_of(reports: Mapping[str, bytes]) -> str:
    """The tree's absolute path, as the run saw it."""
    return reports.get(ROOT_FILE, b"").decode("utf-8", "surrogateescape")
