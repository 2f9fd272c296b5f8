"""What we know of each test tool, and which one a step starts."""

from __future__ import annotations

from selfheal_ci.ports import Runner
from selfheal_ci.runners.plain import PlainRunner
from selfheal_ci.runners.pytest import PytestRunner
from selfheal_ci.values import Step

RUNNERS: tuple[Runner, ...] = (PytestRunner(), PlainRunner())  # the first that recognises the command


def runner_for(step: Step) -> Runner:
    """The runner that knows the step's tool; the plain one knows none and takes all."""
    return next(runner for runner in RUNNERS if runner.recognise(step.run))
