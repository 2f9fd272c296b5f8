"""Mutation testing of what has to hold: how many small edits of the gate, the redactor and the store the unit tests notice.

The edits are our own (`remedies/mutation`): operators, conditions, boundaries, statements that are left out. Of each part a
sample that a seed fixes is tried, spread evenly over its lines; BENCH_MUTANTS is how many (60 each unless it says so).
"""

from __future__ import annotations

import ast
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from benchmarks.figures import Figure
from selfheal_ci import shell
from selfheal_ci.errors import ToolError
from selfheal_ci.remedies.mutation import operators, statements
from selfheal_ci.remedies.mutation.mutants import is_exact
from selfheal_ci.remedies.mutation.scope import scope_of, spots
from selfheal_ci.remedies.mutation.text import parse

ROOT = Path(__file__).parents[1]
SEED = 20_241_125
MANY = int(os.environ.get("BENCH_MUTANTS", "60"))
KINDS = frozenset({"comparison boundary", "comparison", "boolean operator", "arithmetic", "negation", "condition dropped",
                   "off by one", "number", "deleted", "switch", "return"})  # fmt: skip
SIDE_BY_SIDE = 2
LONGEST = 120.0  # seconds; an edit with which the tests hang is noticed
SHOWN = 40  # survivors


@dataclass(frozen=True)
class Part:
    name: str
    files: Sequence[str]  # globs
    tests: Sequence[str]


UNIT = "tests/unit"
PARTS = (
    Part("the gate", ["selfheal_ci/gate/**/*.py"], [f"{UNIT}/gate"]),
    Part("the policy", ["selfheal_ci/gate/policy.py", "selfheal_ci/paths.py"], [f"{UNIT}/gate", f"{UNIT}/test_paths.py"]),
    Part(
        "the redactor",
        ["selfheal_ci/redact.py", "selfheal_ci/secret_*.py"],
        [f"{UNIT}/test_redact.py", f"{UNIT}/test_secret_rules.py"],
    ),
    Part("the store", ["selfheal_ci/store/*.py"], [f"{UNIT}/store"]),
)


@dataclass(frozen=True)
class Edited:
    """One file with one edit."""

    path: str
    line: int
    words: str
    data: bytes


def measure() -> Iterator[Figure]:
    """One figure a part; the survivors are printed on the way."""
    for part in PARTS:
        chosen = _chosen(part)
        alive = _survivors(part, chosen)
        for each in alive[:SHOWN]:
            print(f"     {part.name}: alive: {each.path}:{each.line}: {each.words}", flush=True)
        killed = 100 * (1 - len(alive) / len(chosen))
        yield Figure(f"edits of {part.name} that its unit tests notice, of {len(chosen)}", killed, 90, " %", at_least=True)


def _chosen(part: Part) -> list[Edited]:
    paths = sorted({path for glob in part.files for path in ROOT.glob(glob)})
    found = [each for path in paths for each in _edits(path)]
    return random.Random(f"{SEED} {part.name}").sample(found, min(MANY, len(found)))  # noqa: S311  no secret


def _edits(path: Path) -> Iterator[Edited]:
    name = str(path.relative_to(ROOT))
    source = parse(name, path.read_bytes())
    if source is None:
        return
    around = list(spots(source))
    for spot in around:
        scope = scope_of(source, spot.function, around)
        if isinstance(spot.node, ast.stmt):
            found = statements.mutations(source, spot, scope)
        else:
            found = operators.mutations(source, spot, scope) if is_exact(source, spot) else iter(())
        for mutation in found:
            data = source.encoded(mutation.edits)
            if mutation.kind in KINDS and data is not None:
                line = source.text.split("\n")[mutation.line - 1].strip()
                yield Edited(name, mutation.line, f"{mutation.kind}: {line}", data)


def _survivors(part: Part, chosen: Sequence[Edited]) -> list[Edited]:
    with tempfile.TemporaryDirectory(prefix="selfheal-bench-mutants-") as place:
        copies: SimpleQueue[Path] = SimpleQueue()
        for number in range(SIDE_BY_SIDE):
            copies.put(_copy(Path(place, str(number))))
        if _notices(part, None, copies):
            raise SystemExit(f"{part.tests}: red without any edit")
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            noticed = list(pool.map(lambda each: _notices(part, each, copies), chosen))
    return [each for each, seen in zip(chosen, noticed, strict=True) if not seen]


def _copy(target: Path) -> Path:
    for name in ("selfheal_ci", "tests", "benchmarks"):
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "action.yml", "SECURITY.md"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, target / name)
    return target


def _notices(part: Part, edited: Edited | None, copies: SimpleQueue[Path]) -> bool:
    """Whether the part's tests fail with the edit."""
    copy = copies.get()
    place = copy / edited.path if edited else None
    before = place.read_bytes() if place else b""
    try:
        if place and edited:
            place.write_bytes(edited.data)
        words = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", *part.tests]
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(copy), "HOME": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
        return shell.run(words, env=env, cwd=copy, timeout=LONGEST).exit_code != 0
    except ToolError:  # it hangs
        return True
    finally:
        if place:
            place.write_bytes(before)
        copies.put(copy)
