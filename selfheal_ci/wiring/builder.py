"""Names → objects: every adapter and remedy is built here, from the settings and nothing else."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from selfheal_ci import config
from selfheal_ci.config import Settings
from selfheal_ci.errors import UsageError
from selfheal_ci.gate.policy import Policy
from selfheal_ci.gate.verify import Gate
from selfheal_ci.lab import Meter
from selfheal_ci.paths import untouchable
from selfheal_ci.ports import Day, Engine, Forge, History, Observer, Remedy
from selfheal_ci.redact import Redactor
from selfheal_ci.remedies.fixer import Fixer
from selfheal_ci.remedies.mutation.remedy import Mutation
from selfheal_ci.remedies.own_changes import OwnChanges
from selfheal_ci.remedies.recall import Recall
from selfheal_ci.remedies.revert import Revert
from selfheal_ci.remedies.shrunk_revert import ShrunkRevert
from selfheal_ci.store import Store
from selfheal_ci.store.remote import Address
from selfheal_ci.wiring.engine_choice import choose

if TYPE_CHECKING:
    from selfheal_ci.engines.dagger_session import Given
    from selfheal_ci.engines.local import LocalEngine
    from selfheal_ci.engines.states import States
    from selfheal_ci.memory.sql import Ledger
    from selfheal_ci.remedies.model.conversation import Model

log = logging.getLogger(__name__)

TokenFor = Callable[[Address], str | None]
SCRIPTED = "scripted:"


@dataclass(frozen=True)
class Builder:
    """Builds what one command needs. Secrets are read from `environ` when the part that needs one is built."""

    settings: Settings
    environ: Mapping[str, str]
    redactor: Redactor
    warn: Callable[[str], None] = log.warning
    ledger: Ledger | None = None

    def engine(self, store: Store, work: Path, branch: str | None, given: Given | None) -> Engine:
        """The engine that was asked for, or the one that `auto` takes here."""
        local, settings = self.local(store, work, branch), self.settings
        choice = choose(settings, self.environ, local.obstacle, inside=given is not None)
        log.info("engine %s: %s", choice.engine, choice.why)
        if choice.engine == "local":
            return local
        from selfheal_ci.engines.dagger import DaggerEngine

        limits, concurrency = config.limits(settings), settings.concurrency or os.cpu_count() or 1
        return DaggerEngine(
            store.export, work, settings.image, limits, self.environ, concurrency, given,
            hosts=settings.dagger_hosts, archives=store.checkout.folder, warn=self.warn,
        )  # fmt: skip

    def local(self, store: Store, work: Path, branch: str | None) -> LocalEngine:
        """The engine of this machine. What one branch's setup made is of no use to another: it need not be trusted."""
        from selfheal_ci.engines.local import LocalEngine

        concurrency = self.settings.concurrency or os.cpu_count() or 1
        scope = f"{store.checkout.repository}\n{branch}\n{store.tag}"
        limits = config.limits(self.settings)
        return LocalEngine(store.export, work, limits, self.environ, concurrency, self._states(), scope, warn=self.warn)

    def _states(self) -> States | None:
        """Where prepared states are kept, if there is a place."""
        from selfheal_ci.engines.states import States, open_folder, unkept

        folder = config.cache_folder(self.settings.cache_dir, self.environ)
        try:
            return States(open_folder(folder), config.size_of(self.settings.cache_max_size)) if folder else None
        except UsageError as unsafe:
            self.warn(unkept(unsafe.message))
        except OSError as closed:
            self.warn(unkept(f"{folder}: {closed.strerror}"))
        return None

    def gate(self) -> Gate:
        """The judge, who knows the project's own rules, this machine's secrets, and what earlier healings saw."""
        gate = Gate(self.policy(), self.redactor.introduces)
        return replace(gate, flaky=self.ledger.past.flaky) if self.ledger else gate

    def policy(self) -> Policy:
        """The built-in rules and the project's own."""
        return Policy(self.settings.protected, self.settings.max_files, self.settings.max_lines)

    def ladder(self, meter: Meter, tell: Observer, history: History) -> list[Remedy]:
        """The remedies that were asked for, in order."""
        known: Mapping[str, Callable[[], Remedy]] = {
            "fixer": Fixer,
            "model": partial(self._model, meter, tell),
            "mutation": Mutation,
            "own-changes": OwnChanges,
            "recall": partial(Recall, history),
            "revert": Revert,
            "shrunk-revert": ShrunkRevert,
        }
        for name in self.settings.ladder:
            if name not in known:
                raise UsageError(f"there is no remedy {name!r}", hint=config.did_you_mean(name, known))
        return [known[name]() for name in self.settings.ladder if name != "model" or not self.settings.no_model]

    def forge(self, store: Store) -> Forge:
        """Where the fix goes; the write token is read here, when nothing of the project runs any more."""
        from selfheal_ci.wiring.forging import forge_for

        return forge_for(store, self.settings, self.environ)

    def _model(self, meter: Meter, tell: Observer) -> Remedy:
        from selfheal_ci.remedies.model.remedy import ModelRemedy

        scripted = self.settings.model.startswith(SCRIPTED)
        model, usual, stronger = self._script() if scripted else self._service(meter)
        return ModelRemedy(
            model,
            usual,
            stronger,
            tell,
            protected=untouchable(self.settings.protected),
            redact=self.redactor.text,
            unredact=self.redactor.restore,
            never_send=self.settings.never_send,
            max_attempts=self.settings.max_attempts,
        )

    @property
    def _day(self) -> Day | None:
        return self.ledger.day if self.ledger else None

    def _script(self) -> tuple[Model, str, str]:
        from selfheal_ci.remedies.model.purse import Purse
        from selfheal_ci.remedies.model.scripted import NAME, ScriptedModel, read_script

        script = read_script(Path(self.settings.model.removeprefix(SCRIPTED)))
        return ScriptedModel(script, Purse(self.settings.max_cost_usd, script.prices, self._day)), NAME, NAME

    def _service(self, meter: Meter) -> tuple[Model, str, str]:
        from pydantic import SecretStr

        from selfheal_ci.remedies.model.client import AnthropicModel
        from selfheal_ci.remedies.model.prices import prices
        from selfheal_ci.remedies.model.purse import Purse

        settings = self.settings
        table = prices(settings.prices)
        for name in (settings.model, settings.escalate_to):
            table.of(name)  # an unknown price is an error now, not after two attempts
        key = self.environ.get("ANTHROPIC_API_KEY")
        service = AnthropicModel(
            SecretStr(key) if key else None,
            Purse(settings.max_cost_usd, table, self._day),
            meter.left,
            base_url=self.environ.get("ANTHROPIC_BASE_URL"),
            effort=settings.effort,
            warn=self.warn,
        )
        return service, settings.model, settings.escalate_to


def write_token(environ: Mapping[str, str]) -> TokenFor:
    """The token that may push to an address; only `publish` asks for it."""

    def token(to: Address) -> str | None:
        given = environ.get("SELFHEAL_TOKEN")
        ours = to.host in _forges(environ).values() or to.asked
        return given if given and to.host and ours else read_token(environ)(to)

    return token


def read_token(environ: Mapping[str, str]) -> TokenFor:
    """The job's own token, which may read where the job was given no more; never the one that is there to write.

    It is sent to the forge that made it and nowhere else, whatever address .git/config names.
    """

    def token(to: Address) -> str | None:
        known = _forges(environ).items()
        return next((environ[name] for name, host in known if environ.get(name) and host and host == to.host), None)

    return token


def _forges(environ: Mapping[str, str]) -> Mapping[str, str | None]:
    """The job's tokens, and the host and port of the forge that each is for."""
    github = Address(environ.get("GITHUB_SERVER_URL") or "https://github.com", asked=True)
    name, port = environ.get("CI_SERVER_HOST"), environ.get("CI_SERVER_PORT")
    gitlab = Address(f"https://{name}:{port or 443}" if name else "https://gitlab.com", asked=True)
    return {"GITHUB_TOKEN": github.host, "GITLAB_TOKEN": gitlab.host}
