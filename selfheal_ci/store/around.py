"""A sandbox around another one: the same, but for how it runs commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from selfheal_ci.ports import Sandbox
from selfheal_ci.values import Limits


@dataclass(frozen=True)
class AroundSandbox:
    """Hands on what a sandbox has besides `run`."""

    inner: Sandbox

    @property
    def concurrency(self) -> int:
        """See Sandbox."""
        return self.inner.concurrency

    @property
    def limits(self) -> Limits:
        """See Sandbox."""
        return self.inner.limits

    @property
    def made(self) -> Sequence[str]:
        """See Sandbox."""
        return self.inner.made

    def stop(self) -> None:
        """See Sandbox."""
        self.inner.stop()
