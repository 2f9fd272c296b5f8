"""The Dagger module's functions say what the command line says."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines import SelfhealCi
from selfheal_ci.config import OPTIONS

FUNCTIONS: dict[str, Any] = SelfhealCi.__dagger_module__._objects["SelfhealCi"].functions  # type: ignore[attr-defined]
BESIDE = {"source", "anthropic_api_key"}  # a folder and a secret: what the command line has no flag for


@pytest.mark.parametrize("name", ["heal", "diagnose"])
def test_every_argument_is_a_flag_of_the_command_line(name: str) -> None:
    flags = {option.flag.removeprefix("--").replace("-", "_") for option in OPTIONS if option.flag}

    assert set(FUNCTIONS[name].parameters) - BESIDE <= flags


@pytest.mark.parametrize("name", ["heal", "diagnose"])
def test_a_function_runs_each_time_and_reads_well(name: str) -> None:
    function = FUNCTIONS[name]

    assert function.cache_policy == "never"
    assert function.doc
    assert all(parameter.doc for parameter in function.parameters.values())


def test_every_secret_may_be_left_out() -> None:
    """A required one would be filled from a `.env` above the caller's folder, which may name a command to run."""
    for function in FUNCTIONS.values():
        for name, parameter in function.parameters.items():
            assert name == "source" or parameter.is_nullable or parameter.default_value is not None
