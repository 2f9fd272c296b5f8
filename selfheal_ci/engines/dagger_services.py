"""Services beside a run: each run gets its own, so that none sees what another one left there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from selfheal_ci.engines import dockerfile
from selfheal_ci.engines.dagger_state import Ready
from selfheal_ci.engines.dagger_words import no_image, short
from selfheal_ci.errors import EngineError
from selfheal_ci.values import Service

if TYPE_CHECKING:
    import dagger

SERVICE_DIED = "service"  # the file by which run.sh says that one did not answer any more
STARTING = 120.0  # seconds for each to be pulled and ready


class ServiceError(EngineError):
    """A service did not start: another try may do better."""


def served(ready: Ready, services: Sequence[Service], changes: dagger.Directory, nonce: str) -> dagger.Container:
    """The frozen state after one run beside these services. A build reaches none, so this run has a network."""
    container = (
        ready.build(ready.dockerfile).with_user("0:0").with_mounted_directory("/.selfheal/changes", changes, read_only=True)
    )
    for service in services:
        container = container.with_service_binding(service.name, _started(ready, service, nonce))
    return container.with_env_variable("NONCE", nonce).with_exec(list(dockerfile.RUN))


def no_service(said: str, services: Sequence[Service]) -> EngineError | None:
    """Why a run with services could not be; None where it has none."""
    for service in services:
        if service.image in said and (unfit := no_image(said, service.image)):
            return unfit
    if not services:
        return None
    names = ", ".join(service.name for service in services)
    hint = "look at its image, env, ports and health in [steps.NAME.services]"
    return ServiceError(f"a service of the step ({names}) does not run: {short(said)}", hint=hint)


def _started(ready: Ready, service: Service, nonce: str) -> dagger.Service:
    container = ready.session.client.container().from_(service.image).with_env_variable("SELFHEAL_RUN", nonce)
    for name, value in service.env.items():
        container = container.with_env_variable(name, value)
    for port in service.ports:
        container = container.with_exposed_port(port)
    if service.health:
        container = container.with_docker_healthcheck(["sh", "-c", service.health], interval="1s", retries=60)
    return container.as_service(use_entrypoint=True)
