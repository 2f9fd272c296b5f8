"""What a command does with the parts that it needs: builds them, runs the story, lets go of everything."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from selfheal_ci import config, cycle
from selfheal_ci.ci import Ci, read_ci
from selfheal_ci.config import Settings
from selfheal_ci.credentials import known_secrets
from selfheal_ci.deliver import artifact
from selfheal_ci.errors import MachineError, SelfhealError, UsageError
from selfheal_ci.events import Finished, Warned
from selfheal_ci.lab import Meter, difference, open_labs
from selfheal_ci.observers import tell_all
from selfheal_ci.observers.ci import Sections, github, gitlab
from selfheal_ci.observers.console import Console, Verbosity, look_of
from selfheal_ci.observers.log import EventLog
from selfheal_ci.paths import is_build_file
from selfheal_ci.ports import Engine, Observer
from selfheal_ci.redact import Redactor
from selfheal_ci.runners import runner_for
from selfheal_ci.store import Store, open_store
from selfheal_ci.values import NOTHING, Healing, Lack, Source, Status, Step
from selfheal_ci.wiring.builder import Builder, read_token
from selfheal_ci.wiring.choosing import chosen
from selfheal_ci.wiring.handover import hand_over, hand_over_publication
from selfheal_ci.wiring.reading import check_services, checkout, complete, find_source, read_configuration, reported
from selfheal_ci.wiring.remembering import based, ledger_of
from selfheal_ci.wiring.workplace import workplace

if TYPE_CHECKING:
    from selfheal_ci.engines.dagger_session import Given

EXIT_CODES = {
    Status.HEALTHY: 0, Status.HEALED: 0, Status.NOT_HEALED: 1, Status.ERROR: 7, Status.FLAKY: 3, Status.ENVIRONMENT: 4,
    Status.REFUSED: 5, Status.OVER_BUDGET: 6, Status.SKIPPED: 6,
}  # fmt: skip


@dataclass(frozen=True)
class Delivered:
    """A healing, written to its folder."""

    healing: Healing
    folder: Path

    @property
    def exit_code(self) -> int:
        """As SURFACE section 2 has it."""
        refused = any(lack.lack is Lack.REFUSED_KEY for lack in self.healing.lacks)
        return 2 if self.healing.status is Status.ERROR and refused else EXIT_CODES[self.healing.status]


@dataclass(frozen=True)
class Saying:
    """How loud, and where. as_json: the result's file goes to standard output."""

    verbosity: Verbosity = Verbosity.NORMAL
    as_json: bool = False
    stream: TextIO = field(default_factory=lambda: sys.stderr)


def run_heal(asked: Mapping[str, Any], command: Sequence[str], *, environ: Mapping[str, str], **more: Any) -> int:
    """`selfheal heal` and `selfheal diagnose`; their exit code."""
    return deliver_healing(asked, command, environ=environ, **more).exit_code


def deliver_healing(
    asked: Mapping[str, Any],
    command: Sequence[str] = (),
    *,
    environ: Mapping[str, str],
    saying: Saying | None = None,
    only_diagnose: bool = False,
    given: Given | None = None,
) -> Delivered:
    """Heal a checkout and write the output folder, also when something breaks. Raises SelfhealError.

    `asked` maps fields of Settings to values, None where nothing was said; `given` is a Dagger session already open.
    """
    environ = _with_program(environ, checkout(asked), command)
    ci, saying = read_ci(environ), saying or Saying()
    redactor = Redactor(known_secrets(environ, checkout(asked), ledger=asked.get("ledger")))
    folder = Path(asked.get("output") or Settings.output)
    with (
        workplace() as work,
        open_store(checkout(asked), work / "store", home=_home(environ)) as store,
        artifact.claim(folder),
    ):
        artifact.prepare_folder(folder)
        tell = _observers(folder, redactor, environ, ci, saying)
        try:
            if lacking := complete(store, environ, read_token(environ)):
                tell(Warned(lacking))
            configuration = read_configuration(store, asked, ci)
            source = find_source(store, configuration.settings, ci)
            configuration, steps = chosen(
                configuration, command, source, store, ci=ci, environ=environ, warn=lambda said: tell(Warned(said))
            )
            settings = replace(configuration.settings, ladder=()) if only_diagnose else configuration.settings
            ledger = ledger_of(settings, store, redactor, lambda said: tell(Warned(said)))
            builder = Builder(settings, environ, redactor, warn=lambda said: tell(Warned(said)), ledger=ledger)
            engine = store.converting(builder.engine(store, work, source.branch, given))
            check_services(steps, engine)
            known_red = settings.failed or ci is not None or bool(settings.report)
            healing = _heal(source, steps, engine, builder, store, tell, known_red=known_red)
            _write(folder, healing, store, engine.name, redactor)
        except (SelfhealError, OSError) as error:
            told = error if isinstance(error, SelfhealError) else MachineError(error)
            with suppress(SelfhealError, OSError):  # what broke first is what counts
                artifact.write_error(folder, told, redactor=redactor)
                hand_over(folder, ci, checkout(asked), saying.stream)
            raise told from error
        tell(Finished(healing))
        hand_over(folder, ci, checkout(asked), saying.stream)
    if saying.as_json:
        sys.stdout.write((folder / "heal.json").read_text())
    return Delivered(healing, folder)


def _with_program(environ: Mapping[str, str], source: Path, command: Sequence[str]) -> Mapping[str, str]:
    """As if the folder of a program that is named by a path were on PATH: of what is not, a sandbox sees nothing."""
    program = Path(os.path.normpath(source / command[0])) if command and "/" in command[0] else None
    if program is None or not program.is_file():
        return environ
    return {**environ, "PATH": f"{environ.get('PATH', '/usr/bin:/bin')}:{program.parent}"}


def run_shell(asked: Mapping[str, Any], patch: Path | None, *, environ: Mapping[str, str]) -> int:
    """`selfheal shell`: a person looks around in the prepared sandbox; the exit code of their shell."""
    with workplace() as work, open_store(checkout(asked), work / "store", home=_home(environ)) as store:
        configuration = read_configuration(store, asked, read_ci(environ))
        settings = configuration.settings
        source = find_source(store, settings, None)
        changes = NOTHING
        if patch:
            try:
                patched = store.patched(source.tree, patch.read_bytes())
            except OSError as missing:
                raise UsageError(f"{patch}: {missing.strerror}", hint="name a patch with --with") from missing
            changes = difference(source.tree, patched, store.read)
        engine = Builder(settings, environ, Redactor({})).local(store, work, source.branch)
        recipe = config.recipe(settings, environ, frozenset())
        with engine.prepare(store.checked_out(source.tree), recipe) as sandbox:
            return sandbox.interact(store.forms.to_working_tree(changes))


def run_publish(
    asked: Mapping[str, Any],
    folder: str,
    *,
    environ: Mapping[str, str],
    saying: Saying | None = None,
    dry_run: bool = False,
) -> int:
    """`selfheal publish`: check the output folder again, make the fix branch. Raises SelfhealError."""
    from selfheal_ci import publish

    place, saying = Path(folder), saying or Saying()
    with (
        workplace() as work,
        open_store(checkout(asked), work / "store", home=_home(environ)) as store,
        artifact.claim(place, make=False),
    ):
        complete(store, environ, read_token(environ))
        ci = read_ci(environ)
        configuration = read_configuration(store, asked, ci)
        settings, steps = configuration.settings, configuration.steps
        redactor = Redactor(known_secrets(environ, checkout(asked)))
        builder = Builder(settings, environ, redactor)
        wishes = publish.Wishes(
            settings.target, settings.branch_prefix, settings.labels, draft=settings.draft, reviewers=settings.reviewers
        )
        repository = store.checkout.repository
        publication = publish.check(place, store, builder.policy(), wishes, repository=repository, steps=steps)
        if dry_run:
            names = ", ".join(file.path for file in publication.files)
            would = f"would push {publication.branch} for {publication.target}, changing {names}"
            print(redactor.text(would), file=saying.stream)
            return 0
        published = publish.publish(place, publication, builder.forge(store))
        hand_over_publication(place, ci)
    made = "pushed" if published.created else "was there already:"
    where = f": {published.url}" if published.url else ""
    print(redactor.text(f"{made} {published.branch} at {published.commit[:12]}{where}"), file=saying.stream)
    if saying.as_json:
        sys.stdout.write((place / "publish.json").read_text())
    return 0


def _heal(
    source: Source, steps: Sequence[Step], engine: Engine, builder: Builder, store: Store, tell: Observer, *, known_red: bool
) -> Healing:
    """Heal the first step that fails; the ones after it are not checked."""
    began, settings, ledger = time.monotonic(), builder.settings, builder.ledger
    meter = Meter(began + settings.max_minutes * 60)
    ladder, gate = builder.ladder(meter, tell, store), builder.gate()
    recipe = config.recipe(settings, builder.environ, frozenset(filter(is_build_file, source.tree.entries)))
    with open_labs(source.tree, engine=engine, recipe=recipe, files=store, meter=meter, tell=tell) as lab_for:
        for number, step in enumerate(steps, 1):
            lab, last = lab_for(step, runner_for(step)), number == len(steps)
            hint = reported(source.tree.root, settings.report, step)
            red = known_red and last
            here = based(source, step, ledger.past, store) if ledger else source
            healing = cycle.heal(here, lab, store, ladder, gate.judge, tell, known_red=red, reported=hint if last else ())
            if ledger:
                ledger.past.remember(healing)
            if healing.status is not Status.HEALTHY:
                break
    rest = tuple(f"step {later.name}" for later in steps[number:])
    if step.services:
        rest = (*rest, f"what step {step.name} reaches over the network, which it has because of its services")
    return replace(healing, seconds=time.monotonic() - began, not_checked=rest)


def _write(folder: Path, healing: Healing, store: Store, engine: str, redactor: Redactor) -> None:
    tree = healing.source.tree
    healed = store.write(tree, healing.changes) if healing.changes else None
    patch = store.patch(tree, healed) if healed else b""
    artifact.write(folder, healing, engine=engine, patch=patch, redactor=redactor, healed=healed)


def _observers(folder: Path, redactor: Redactor, environ: Mapping[str, str], ci: Ci | None, saying: Saying) -> Observer:
    look = look_of(saying.stream, environ)
    console: Observer = Console(
        saying.stream, redact=redactor.text, output=str(folder), verbosity=saying.verbosity, look=look
    )
    if ci:
        console = Sections(console, saying.stream, github if ci.name == "github" else gitlab)
    return tell_all([console, EventLog(folder, redactor)])


def _home(environ: Mapping[str, str]) -> Path | None:
    return Path(environ["HOME"]) if environ.get("HOME") else None
