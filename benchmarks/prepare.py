"""How long it takes until a checkout of 50,000 files can be run, and how long when a state of it is kept."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Figure
from selfheal_ci import shell
from selfheal_ci.engines.local import LocalEngine
from selfheal_ci.engines.states import States, open_folder
from selfheal_ci.ports import Engine
from selfheal_ci.store import open_store
from selfheal_ci.values import Limits, Recipe, Tree
from selfheal_ci.wiring.workplace import workplace

FILES = 50_000
LINES = 60  # of each file: about 2 kB


def measure() -> Iterator[Figure]:
    """A clean checkout without setup, just written and so in memory: read as `selfheal` reads it, prepared twice."""
    with workplace() as work:
        make_checkout(work / "checkout", FILES)
        began = time.perf_counter()
        with open_store(work / "checkout", work / "store") as store:
            tree = store.failing().tree
            read = time.perf_counter() - began
            states = States(open_folder(work / "states"), max_size=10 << 30)
            engine = LocalEngine(store.export, work, Limits(), os.environ, states=states)
            first, again = prepare(engine, tree), prepare(engine, tree)
    yield Figure(f"prepare {FILES:,} files", first, 10, " s")
    yield Figure("the same, reading the checkout included", read + first, 10, " s")
    yield Figure("prepare them again from the kept state", again, 1, " s")


def prepare(engine: Engine, tree: Tree) -> float:
    """The seconds until a run could start."""
    began = time.perf_counter()
    with engine.prepare(tree, Recipe()):
        return time.perf_counter() - began


def make_checkout(folder: Path, files: int) -> None:
    """A repository with one commit of so many files, none like another, fifty to a folder."""
    git: list[str | Path] = [
        "git",
        "-C",
        folder,
        "-c",
        "gc.auto=0",
        "-c",
        "user.name=bench",
        "-c",
        "user.email=bench@localhost",
    ]
    folder.mkdir()
    for number in range(files):
        path = folder / f"group{number // 2500}" / f"package{number // 50}" / f"module{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"name_{line} = {number * LINES + line}  # a line\n" for line in range(LINES)))
    for words in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "All"]):
        done = shell.run([*git, *words], env={"PATH": shell.PATH, "HOME": str(folder)}, timeout=300)
        if done.exit_code:
            raise SystemExit(f"git {words[0]} failed: {done.stderr.decode()}")
