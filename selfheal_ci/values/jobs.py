"""What a forge says of the jobs of a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FailedJob:
    """A job that failed, as its forge calls it, and those of its steps that did."""

    name: str
    steps: tuple[str, ...] = ()  # none where the forge knows none
