"""Prepares a local sandbox on a made-up tree, for what is measured in one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selfheal_ci.engines.local import LocalEngine
from selfheal_ci.ports import Sandbox
from selfheal_ci.values import Entry, Limits, Recipe, Tree
from selfheal_ci.wiring.workplace import workplace

SIDE_BY_SIDE = 2  # as on the smallest machines that CI services lend


@contextmanager
def a_sandbox(*, files: int = 1) -> Iterator[Sandbox]:
    """One with so many small files, fifty to a folder."""
    entries = {f"package{n // 50}/module{n}.py": Entry("100644", "") for n in range(files)}
    with workplace() as work:
        engine = LocalEngine(_export, work, Limits(), os.environ, SIDE_BY_SIDE)
        with engine.prepare(Tree("", work / "checkout", entries), Recipe()) as sandbox:
            yield sandbox


def _export(tree: Tree, into: Path) -> None:
    for path in tree.entries:
        (into / path).parent.mkdir(parents=True, exist_ok=True)
        (into / path).write_text("x = 1\n")
