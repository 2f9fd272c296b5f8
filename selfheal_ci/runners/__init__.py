"""What we know of each test tool, and which one a step starts."""

from __future__ import annotations

from selfheal_ci.ports import Runner
from selfheal_ci.runners.python import PythonRunner
from selfheal_ci.values import Step

RUNNERS: tuple[Runner, ...] = (PythonRunner(),)  # the first that recognises the command; the last takes all


def runner_for(step: Step) -> Runner:
    """The runner that knows the step's tool."""
    return next(runner for runner in RUNNERS if runner.recognise(step.run))
