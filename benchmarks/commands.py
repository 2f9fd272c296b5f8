"""How long whole commands take: `selfheal --help` and, once set up, `selfheal demo`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Figure, median
from selfheal_ci import shell

SELFHEAL = Path(sys.executable).parent / "selfheal"


def measure() -> Iterator[Figure]:
    """Each as a process of its own."""
    yield Figure("selfheal --help", median(lambda: _run("--help"), times=11), 150, " ms")
    yield Figure("selfheal demo, once set up", median(lambda: _run("demo"), times=3), 10_000, " ms")


def _run(*words: str) -> None:
    done = shell.run([SELFHEAL, *words], env=dict(os.environ), timeout=300)
    if done.exit_code:
        raise SystemExit(f"selfheal {' '.join(words)} failed:\n{done.stderr.decode()}")
