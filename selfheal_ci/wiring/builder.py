"""Names → objects: every adapter and remedy is built here, from the settings and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
from selfheal_ci.ports import Engine, Forge, Observer, Remedy
from selfheal_ci.redact import Redactor
from selfheal_ci.remedies.fixer import Fixer
from selfheal_ci.remedies.revert import Revert
from selfheal_ci.store import Store

if TYPE_CHECKING:
    from selfheal_ci.engines.dagger_session import Given
    from selfheal_ci.remedies.model.conversation import Model

JOB_TOKENS = ("GITHUB_TOKEN", "GITLAB_TOKEN")
GIVEN = ("DAGGER_SESSION_PORT", "_EXPERIMENTAL_DAGGER_RUNNER_HOST")  # a Dagger engine is there already
SCRIPTED = "scripted:"


@dataclass(frozen=True)
class Builder:
    """Builds what one command needs. Secrets are read from `environ` when the part that needs one is built."""

    settings: Settings
    environ: Mapping[str, str]
    redactor: Redactor

    def engine(self, store: Store, work: Path, given: Given | None) -> Engine:
        """The engine that was asked for; `auto` takes Dagger where one is given and setup says how to fill it."""
        settings = self.settings
        is_given = given or any(self.environ.get(name) for name in GIVEN)
        limits, concurrency = config.limits(settings), settings.concurrency or os.cpu_count() or 1
        if settings.engine == "dagger" or (settings.engine == "auto" and is_given and settings.setup):
            from selfheal_ci.engines.dagger import DaggerEngine

            if not settings.setup:
                hint = 'write setup = ["pip install …"]; environment folders such as .venv are not sent into containers'
                raise UsageError("the Dagger engine needs `setup`, and there is none", hint=hint)
            return DaggerEngine(store.export, work, settings.image, limits, self.environ, concurrency, given)
        from selfheal_ci.engines.local import LocalEngine

        return LocalEngine(store.export, work, limits, self.environ, concurrency)

    def gate(self) -> Gate:
        """The judge, who knows the project's own rules and this machine's secrets."""
        return Gate(self.policy(), self.redactor.introduces)

    def policy(self) -> Policy:
        """The built-in rules and the project's own."""
        return Policy(self.settings.protected, self.settings.max_files, self.settings.max_lines)

    def ladder(self, meter: Meter, tell: Observer) -> list[Remedy]:
        """The remedies that were asked for, in order."""
        known: Mapping[str, Callable[[], Remedy]] = {
            "fixer": Fixer,
            "model": partial(self._model, meter, tell),
            "revert": Revert,
        }
        for name in self.settings.ladder:
            if name not in known:
                raise UsageError(f"there is no remedy {name!r}", hint=config.did_you_mean(name, known))
        return [known[name]() for name in self.settings.ladder if name != "model" or not self.settings.no_model]

    def forge(self, store: Store) -> Forge:
        """Where the fix goes; the write token is read here, when nothing of the project runs any more."""
        from selfheal_ci.forges.git import GitForge

        return GitForge(store, self.settings.remote, write_token(self.environ), self.environ)

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

    def _script(self) -> tuple[Model, str, str]:
        from selfheal_ci.remedies.model.purse import Purse
        from selfheal_ci.remedies.model.scripted import NAME, ScriptedModel, read_script

        script = read_script(Path(self.settings.model.removeprefix(SCRIPTED)))
        return ScriptedModel(script, Purse(self.settings.max_cost_usd, script.prices)), NAME, NAME

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
            Purse(settings.max_cost_usd, table),
            meter.left,
            base_url=self.environ.get("ANTHROPIC_BASE_URL"),
            effort=settings.effort,
        )
        return service, settings.model, settings.escalate_to


def write_token(environ: Mapping[str, str]) -> str | None:
    """The token that may push; only `publish` asks for it."""
    return next((environ[name] for name in ("SELFHEAL_TOKEN", *JOB_TOKENS) if environ.get(name)), None)


def read_token(environ: Mapping[str, str]) -> str | None:
    """The job's own token, which may read where the job was given no more; never the one that is there to write."""
    return next((environ[name] for name in JOB_TOKENS if environ.get(name)), None)
