"""What is to be healed, read from the checkout: its configuration, its steps, its source."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Mapping, Sequence
from dataclasses import replace
from glob import glob
from pathlib import Path
from typing import Any

from selfheal_ci import config
from selfheal_ci.ci import Ci
from selfheal_ci.config import Configuration, Settings
from selfheal_ci.detect import read_reports, result
from selfheal_ci.errors import SelfhealError, UsageError
from selfheal_ci.ports import Engine
from selfheal_ci.store import Store
from selfheal_ci.store.remote import Remote, address
from selfheal_ci.values import Attested, Base, Failure, Output, Red, Run, Source, Step, Stop
from selfheal_ci.wiring.builder import TokenFor

HOW = "write .selfheal.toml (`selfheal init` begins one), or give the command: selfheal heal -- COMMAND"
MOST_REPORTS, LARGEST_REPORT = 100, 64 << 20  # that --report reads; bytes of one
DEPTH = 64  # commits: more than a guess of the green revision steps back


def checkout(asked: Mapping[str, Any]) -> Path:
    """The folder of --source. Raises UsageError when there is none."""
    folder = Path(asked.get("source") or Settings.source)
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder", hint="name the checkout with --source")
    return folder.resolve()


def complete(store: Store, environ: Mapping[str, str], token: TokenFor) -> str | None:
    """Fetch what a shallow clone lacks into our own store; why that was not possible, None when all is there."""
    if not store.checkout.shallow or store.checkout.commit is None:
        return None
    try:
        origin = address(store.checkout, "origin")
        Remote(store.git, origin, environ, token(origin)).deepen(store.checkout.commit, DEPTH)
    except SelfhealError as refused:
        return f"the checkout is shallow, and its history cannot be fetched ({refused.message}): use fetch-depth: 0"
    return None


def reported(checkout: Path, globs: Sequence[str], step: Step) -> tuple[Failure, ...]:
    """What the JUnit reports below these globs say has failed: written by whoever ran the tests, and read as such."""
    files = sorted({Path(name) for pattern in globs for name in glob(pattern, root_dir=checkout, recursive=True)})  # noqa: PTH207  an absolute one may be asked for
    found = {str(file): data for file in files[:MOST_REPORTS] if (data := _regular(checkout / file)) is not None}
    if globs and not found:
        raise UsageError(f"no report is at {', '.join(globs)}", hint="name one below the checkout with --report")
    run = Run("", Stop.EXITED, 1, Output(), 0.0)
    told = result(run, step, read_reports(found, str(checkout)))
    return tuple(failure for failure in told.failures if not failure.id.startswith("step:")) if isinstance(told, Red) else ()


def _regular(path: Path) -> bytes | None:
    """A file that is no link and not too large."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(opened, "rb") as file:
        about = os.fstat(opened)
        return file.read() if stat.S_ISREG(about.st_mode) and about.st_size <= LARGEST_REPORT else None


def read_configuration(store: Store, asked: Mapping[str, Any], ci: Ci | None) -> Configuration:
    """The configuration of --config, else of the trusted revision in CI, else of the checkout."""
    if name := asked.get("config"):
        try:
            return config.load({name: Path(name).read_bytes()}, asked)
        except OSError as missing:
            raise UsageError(f"{name}: {missing.strerror}", hint="name a file that exists with --config") from missing
    if ci:
        revision = trusted(store, ci)
        entries = store.tree(revision).entries
        texts = {name: store.read(entries[name]) for name in config.FILES if name in entries}
        return config.load(texts, asked, where=f"{revision[:12]}:")
    folder = checkout(asked)
    texts = {name: (folder / name).read_bytes() for name in config.FILES if (folder / name).is_file()}
    return config.load(texts, asked, trusted=False)


def trusted(store: Store, ci: Ci) -> str:
    """The commit whose configuration counts: the one before the change, else the default branch's, as it was fetched."""
    found = ci.trusted or store.default_commit(ci.default_branch)
    if found is None:
        raise UsageError(
            "no revision is known to be trusted: the CI names none, and the default branch was not fetched",
            hint="check out with fetch-depth: 0 (GitLab: GIT_DEPTH: 0), or name a file with --config FILE",
        )
    return found


def choose_steps(configuration: Configuration, command: Sequence[str], source: Source) -> tuple[Sequence[Step], bool]:
    """The ad-hoc command, the named step, all configured steps, or (then True) what is usual for the languages found."""
    wanted, steps = configuration.settings.step, configuration.steps
    if command and wanted:
        raise UsageError("both --step and a command after -- were given", hint="give one of them")
    if command:
        return [Step("command", shlex.join(command))], False
    if wanted and not steps:
        raise UsageError(f"there is no step {wanted!r}: no steps are configured", hint=HOW)
    if wanted:
        named = [step for step in steps if step.name == wanted]
        if not named:
            known = config.did_you_mean(wanted, [step.name for step in steps])
            raise UsageError(f"there is no step {wanted!r} in {configuration.origin}", hint=known)
        return named, False
    if steps:
        return steps, False
    usual = config.usual_steps(list(source.tree.entries), source.tree.environment)
    if not usual:
        raise UsageError("there is no step to heal: no steps are configured, and no usual command is known", hint=HOW)
    return usual, True


def check_services(steps: Sequence[Step], engine: Engine) -> None:
    """Raises UsageError where a step has services and the engine is not one that starts any."""
    served = next((step for step in steps if step.services), None)
    if served and engine.name != "dagger":
        said = f"steps.{served.name}.services: the {engine.name} engine starts no services"
        raise UsageError(said, hint="use --engine dagger, or start the service in the step")


def find_source(store: Store, settings: Settings, ci: Ci | None) -> Source:
    """The failing tree, the branch it is on, and the revision that is taken for green."""
    source = store.failing()
    if ci and ci.branch:
        source = replace(source, branch=ci.branch, on_default_branch=store.is_default(ci.branch))
    if settings.base:
        return replace(source, base=Base(store.resolve(settings.base), Attested.OPTION))
    return replace(source, base=store.guess(source))
