"""Which steps are healed: those that are asked for or configured, else those that the project's own files have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from selfheal_ci import config
from selfheal_ci.ci import Ci
from selfheal_ci.config import Configuration
from selfheal_ci.discover import Found
from selfheal_ci.store import Store
from selfheal_ci.values import Source, Step
from selfheal_ci.wiring.builder import read_token
from selfheal_ci.wiring.failed import failed_jobs, failed_step
from selfheal_ci.wiring.finding import completed, found_in, needed, told
from selfheal_ci.wiring.reading import choose_steps, trusted


def chosen(
    configuration: Configuration,
    command: Sequence[str],
    source: Source,
    store: Store,
    *,
    ci: Ci | None,
    environ: Mapping[str, str],
    warn: Callable[[str], None],
) -> tuple[Configuration, Sequence[Step]]:
    """The steps to heal, in CI the one that failed alone, and the configuration with what prepares them.

    What nobody configured is said aloud. Raises UsageError when there is no step.
    """
    takes = _takes_what_is_found(configuration, command, source, environ)
    jobs = failed_jobs(ci, environ, read_token(environ)) if ci and not command and not configuration.settings.step else None
    found = _described(store, source, ci, environ) if takes or jobs else Found()
    if takes and found.steps:
        configuration = completed(configuration, found)
    steps, usual = choose_steps(configuration, command, source)
    if jobs and len(steps) > 1:
        failed = failed_step(jobs, steps, found, environ, warn)
        steps = [failed] if failed else steps
    if usual:
        warn(f"no steps are configured: taking the usual command, {steps[0].run}")
    elif takes:
        warn(f"nothing is configured: taking {told(found, steps)}; `selfheal init` writes it down")
        setup = needed(configuration.settings.setup, found, steps)
        configuration = replace(configuration, settings=replace(configuration.settings, setup=setup))
    return configuration, steps


def _takes_what_is_found(
    configuration: Configuration, command: Sequence[str], source: Source, environ: Mapping[str, str]
) -> bool:
    """Whether the project's own files are asked for steps: nobody says any, and no environment is there for the usual."""
    if command or configuration.steps or configuration.origin != config.NOWHERE:
        return False
    there = config.usual_environment(source.tree.environment) or environ.get("VIRTUAL_ENV")
    return not (there and config.usual_steps(list(source.tree.entries), source.tree.environment))


def _described(store: Store, source: Source, ci: Ci | None, environ: Mapping[str, str]) -> Found:
    """What the project's own files say of its steps: in CI those of the trusted revision, which no test can have written."""
    return found_in(store.tree(trusted(store, ci)) if ci else source.tree, store, environ)
