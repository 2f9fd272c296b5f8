"""The Dagger module's functions: what a caller passes becomes selfheal's options, its output folder their result."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

import anyio.to_thread
import dagger
from dagger import DefaultPath, Doc, Ignore, dag, function, object_type
from dagger import check as checking

Function = TypeVar("Function", bound=Callable[..., Any])

Source = Annotated[dagger.Directory, Doc("Checkout of the project, with .git")]
Config = Annotated[dagger.File | None, Doc("Configuration file instead of the checkout's own")]
StepName = Annotated[str | None, Doc("Step to heal; default: the first one that fails")]
Base = Annotated[str | None, Doc("Revision on which the step was green")]
Failed = Annotated[bool, Doc("The step is known to have failed")]
Report = Annotated[list[str] | None, Doc("JUnit reports of the run that failed, as a hint: globs below the checkout")]
Minutes = Annotated[float | None, Doc("Minutes for the whole healing")]
Memory = Annotated[str | None, Doc("Memory for each run, such as 4g")]
Processes = Annotated[int | None, Doc("Processes for each run")]
Disk = Annotated[str | None, Doc("What each run may write, such as 4g")]
Output = Annotated[str | None, Doc("What is kept of each run's output, such as 16m")]
Concurrency = Annotated[int | None, Doc("Runs side by side")]
Ledger = Annotated[dagger.Secret | None, Doc("Address of the ledger, as env://SELFHEAL_LEDGER: postgresql://…")]
Key = Annotated[dagger.Secret | None, Doc("Key for the model, as env://ANTHROPIC_API_KEY; none: no model is asked")]
Server = Annotated[dagger.Service | None, Doc("Server that speaks the Messages API, as tcp://localhost:PORT")]
Ours = Annotated[
    dagger.Directory,
    DefaultPath("/"),
    Ignore([".venv", ".venv-tools", "sdk", "selfheal-out", "**/__pycache__", ".mypy_cache", ".ruff_cache"]),
    Doc("Checkout of selfheal-ci"),
]
CHECKER = "python:3.11-bookworm"  # has git and make


def uncached(function_: Function) -> Function:
    """A function that runs each time it is called; Dagger's own stubs do not know `cache`."""
    return cast(Function, function(cache="never")(function_))  # type: ignore[call-overload]


@object_type
class SelfhealCi:
    """Heals failing CI steps."""

    @uncached
    async def heal(  # noqa: PLR0913, PLR0917  the caller's options, one for one
        self,
        source: Source,
        config: Config = None,
        step: StepName = None,
        base: Base = None,
        failed: Failed = False,
        report: Report = None,
        ladder: Annotated[list[str] | None, Doc("Remedies, in order: fixer,model,revert")] = None,
        max_minutes: Minutes = None,
        max_memory: Memory = None,
        max_processes: Processes = None,
        max_disk: Disk = None,
        max_output: Output = None,
        concurrency: Concurrency = None,
        ledger: Ledger = None,
        model: Annotated[str | None, Doc("Model to ask")] = None,
        no_model: Annotated[bool, Doc("Ask no model")] = False,
        max_attempts: Annotated[int | None, Doc("Attempts of the model, for each group of failures")] = None,
        max_cost_usd: Annotated[float | None, Doc("Dollars for the model, for the whole healing")] = None,
        anthropic_api_key: Key = None,
        model_server: Server = None,
    ) -> dagger.Directory:
        """Run the step, find out why it fails, try remedies until one is proven; gives selfheal-out."""
        asked = {name: value for name, value in locals().items() if name in OPTIONS}
        environ = {
            **await _plaintext("ANTHROPIC_API_KEY", anthropic_api_key),
            **await _plaintext("SELFHEAL_LEDGER", ledger),
            **await _address(model_server),
        }
        return await _healed(source, config, asked, environ)

    @uncached
    async def diagnose(  # noqa: PLR0913, PLR0917
        self,
        source: Source,
        config: Config = None,
        step: StepName = None,
        base: Base = None,
        failed: Failed = False,
        report: Report = None,
        max_minutes: Minutes = None,
        max_memory: Memory = None,
        max_processes: Processes = None,
        max_disk: Disk = None,
        max_output: Output = None,
        concurrency: Concurrency = None,
        ledger: Ledger = None,
    ) -> dagger.Directory:
        """Run the step and find out why it fails: no remedy, no model; gives selfheal-out."""
        asked = {name: value for name, value in locals().items() if name in OPTIONS}
        return await _healed(source, config, asked, await _plaintext("SELFHEAL_LEDGER", ledger), only_diagnose=True)

    @function
    @checking
    async def check(self, source: Ours) -> None:
        """For selfheal-ci itself: style, types, layers. Its tests need namespaces, which a container here has not."""
        checker = dag.container().from_(CHECKER).with_mounted_directory("/work", source).with_workdir("/work")
        await checker.with_exec(["make", "lint"]).sync()


OPTIONS = {
    "step", "base", "failed", "report", "ladder", "max_minutes", "max_memory", "max_processes", "max_disk", "max_output",
    "concurrency", "model", "no_model", "max_attempts", "max_cost_usd",
}  # fmt: skip


async def _plaintext(variable: str, secret: dagger.Secret | None) -> dict[str, str]:
    return {variable: await secret.plaintext()} if secret else {}


async def _address(server: dagger.Service | None) -> dict[str, str]:
    """Where a model's server is reached from here, when it has started."""
    return {"ANTHROPIC_BASE_URL": await (await server.start()).endpoint(scheme="http")} if server else {}


async def _healed(
    source: dagger.Directory,
    config: dagger.File | None,
    asked: Mapping[str, object],
    environ: Mapping[str, str],
    *,
    only_diagnose: bool = False,
) -> dagger.Directory:
    from selfheal_ci.engines.dagger_session import Given  # noqa: PLC0415  loading the module's types needs none of it
    from selfheal_ci.wiring import run_heal  # noqa: PLC0415

    here = Path.cwd()  # the module's scratch folder, all of which Dagger can take back
    checkout, output, configuration = here / "source", here / "selfheal-out", here / "selfheal.toml"
    await source.export(str(checkout))
    options: dict[str, object] = {name: value for name, value in asked.items() if value not in (None, False)}
    options |= {"source": str(checkout), "output": str(output), "engine": "dagger"}
    if config:
        options["config"] = await config.export(str(configuration))
    given = Given(dag, asyncio.get_running_loop(), workdir=here)
    # In a thread: selfheal asks `dag` from there, so this loop must be free to answer. The exit code is in heal.json.
    heal = partial(run_heal, options, (), environ={**os.environ, **environ}, only_diagnose=only_diagnose, given=given)
    await anyio.to_thread.run_sync(heal)
    return dag.current_module().workdir(output.name)
