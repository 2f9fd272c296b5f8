"""What a model is told of the regressions: whether the line to change is in it, and how long it and its making are."""

from __future__ import annotations

import json
import os
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.healing import heal, repository
from benchmarks.regressions import all_cases, fetch, suite
from benchmarks.regressions.cases import Case
from selfheal_ci.remedies.model.conversation import tokens
from selfheal_ci.remedies.model.prompt import Prompts

MANY = 5000  # files


def measure() -> Iterator[Figure]:
    """Every case is diagnosed, then a model is asked that says nothing."""
    sizes, inside, built = [], 0, list[float]()
    cases = all_cases()
    with _timing(built):
        for case in cases:
            told = _told(case)
            sizes.append(tokens(told))
            inside += _has_line(told, case.where)
            word = "inside" if _has_line(told, case.where) else "OUTSIDE"
            print(f"     {word:8} {sizes[-1]:6,} tokens, {case.change}: {case.kind}, {case.where}", flush=True)
        built.clear()
        _told(cases[0], more=MANY)
    sizes.sort()
    whole = len(sizes)
    yield Figure(f"prompts with the line to change: {inside} of {whole}", 100 * inside / whole, 95, " %", at_least=True)
    yield Figure("prompts: tokens (characters / 3.5), the median", statistics.median(sizes), 6_000, "")
    yield Figure("prompts: tokens, of 95 % at most", sizes[int(0.95 * whole)], 12_000, "")
    yield Figure(f"one prompt of a project of {MANY:,} files more", 1000 * max(built), 300, " ms")


def _told(case: Case, more: int = 0) -> str:
    """The first prompt, as it is kept for people; `more`: files beside the project's own."""
    filler = {f"more/p{n // 50}/m{n}.py": f"def f{n}():\n    return {n}\n".encode() for n in range(more)}
    with tempfile.TemporaryDirectory(prefix="selfheal-bench-") as place:
        home, script = Path(place, "home"), Path(place, "script.json")
        home.mkdir()
        script.write_text("[]")
        folder = repository(Path(place, "project"), case.tree("green") | filler, case.tree("red") | filler)
        environ = {"PATH": f"{fetch.environment()}:{os.environ['PATH']}", "HOME": str(home), "LANG": "C.UTF-8"}
        asked = {"no_model": False, "ladder": ("model",), "model": f"scripted:{script}"}
        healed = heal(folder, suite.step(case.project), environ, base="HEAD~1", cache_dir=str(home), **asked)
        return healed.prompts[0] if healed.prompts else ""


def _has_line(prompt: str, where: str) -> bool:
    path, _, line = where.rpartition(":")
    for block in re.findall(r'^".*"$', prompt, re.MULTILINE):
        text = json.loads(block)
        if text.startswith(f"{path} (") and re.search(rf"^ *{line}\t", text, re.MULTILINE):
            return True
    return False


@contextmanager
def _timing(seconds: list[float]) -> Iterator[None]:
    """How long each prompt takes to be written."""
    real = Prompts.opening

    def timed(self: Prompts, *args: object, **more: object) -> object:
        began = time.perf_counter()
        written = real(self, *args, **more)  # type: ignore[arg-type]
        seconds.append(time.perf_counter() - began)
        return written

    Prompts.opening = timed  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        Prompts.opening = real  # type: ignore[method-assign]
