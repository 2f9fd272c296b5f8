"""How much a run in the local sandbox takes over the bare command, on a tree of 5,000 files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Figure, median
from selfheal_ci import shell
from selfheal_ci.engines.local import LocalEngine
from selfheal_ci.values import Changes, Command, Content, Entry, Limits, Recipe, Tree

FILES = 5_000
TIMES = 21


def measure() -> Iterator[Figure]:
    """The overhead without changes, and with one changed file."""
    entries = {f"package{n // 50}/module{n}.py": Entry("100644", "") for n in range(FILES)}
    with tempfile.TemporaryDirectory(prefix="selfheal-bench-") as folder:
        work = Path(folder)
        engine = LocalEngine(_export, work, Limits(), os.environ)
        with engine.prepare(Tree("", work / "checkout", entries), Recipe()) as sandbox:
            bare = median(lambda: shell.run(["sh", "-c", "true"], env={"PATH": shell.PATH}), times=TIMES)
            for what, changes in {
                "one run over the bare command, 5,000 files": Changes({}),
                "the same with one changed file": Changes({"package0/module0.py": Content(b"x = 2\n")}),
            }.items():
                run = median(lambda changes=changes: sandbox.run(Command("true", timeout=60), changes), times=TIMES)  # type: ignore[misc]
                yield Figure(what, run - bare, 0.060)


def _export(tree: Tree, into: Path) -> None:
    for path in tree.entries:
        (into / path).parent.mkdir(parents=True, exist_ok=True)
        (into / path).write_text("x = 1\n")
