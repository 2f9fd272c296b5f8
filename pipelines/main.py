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
from dagger import Doc, dag, function, object_type

Function = TypeVar("Function", bound=Callable[..., Any])

Source = Annotated[dagger.Directory, Doc("Checkout of the project, with .git")]
StepName = Annotated[str | None, Doc("Step to heal; default: the first one that fails")]
Base = Annotated[str | None, Doc("Revision on which the step was green")]
Failed = Annotated[bool, Doc("The step is known to have failed")]
Minutes = Annotated[float | None, Doc("Minutes for the whole healing")]
Concurrency = Annotated[int | None, Doc("Runs side by side")]
Key = Annotated[dagger.Secret | None, Doc("Key for the model, as env://ANTHROPIC_API_KEY; none: no model is asked")]


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
        step: StepName = None,
        base: Base = None,
        failed: Failed = False,
        ladder: Annotated[str | None, Doc("Remedies, in order: fixer,model,revert")] = None,
        model: Annotated[str | None, Doc("Model to ask")] = None,
        no_model: Annotated[bool, Doc("Ask no model")] = False,
        max_attempts: Annotated[int | None, Doc("Attempts of the model, for each group of failures")] = None,
        max_cost_usd: Annotated[float | None, Doc("Dollars for the model, for the whole healing")] = None,
        max_minutes: Minutes = None,
        concurrency: Concurrency = None,
        anthropic_api_key: Key = None,
    ) -> dagger.Directory:
        """Run the step, find out why it fails, try remedies until one is proven; gives selfheal-out."""
        asked = {
            "step": step,
            "base": base,
            "failed": failed,
            "ladder": ladder,
            "model": model,
            "no_model": no_model,
            "max_attempts": max_attempts,
            "max_cost_usd": max_cost_usd,
            "max_minutes": max_minutes,
            "concurrency": concurrency,
        }
        return await _healed(source, asked, key=anthropic_api_key)

    @uncached
    async def diagnose(
        self,
        source: Source,
        step: StepName = None,
        base: Base = None,
        failed: Failed = False,
        max_minutes: Minutes = None,
        concurrency: Concurrency = None,
    ) -> dagger.Directory:
        """Run the step and find out why it fails: no remedy, no model; gives selfheal-out."""
        asked = {
            "step": step,
            "base": base,
            "failed": failed,
            "max_minutes": max_minutes,
            "concurrency": concurrency,
        }
        return await _healed(source, asked, key=None, only_diagnose=True)


async def _healed(
    source: dagger.Directory, asked: Mapping[str, object], *, key: dagger.Secret | None, only_diagnose: bool = False
) -> dagger.Directory:
    from selfheal_ci.engines.dagger_session import Given  # noqa: PLC0415  loading the module's types needs none of it
    from selfheal_ci.wiring import run_heal  # noqa: PLC0415

    here = Path.cwd()  # the module's scratch folder, all of which Dagger can take back
    checkout, output = here / "source", here / "selfheal-out"
    await source.export(str(checkout))
    environ = {**os.environ, **({"ANTHROPIC_API_KEY": await key.plaintext()} if key else {})}
    options: dict[str, object] = {name: value for name, value in asked.items() if value not in (None, False)}
    options |= {"source": str(checkout), "output": str(output), "engine": "dagger"}
    given = Given(dag, asyncio.get_running_loop(), workdir=here)
    # In a thread: selfheal asks `dag` from there, so this loop must be free to answer. The exit code is in heal.json.
    heal = partial(run_heal, options, (), environ=environ, only_diagnose=only_diagnose, given=given)
    await anyio.to_thread.run_sync(heal)
    return dag.current_module().workdir(output.name)
