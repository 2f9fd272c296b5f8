"""A project's suite: run without a sandbox, and split into a half that selfheal sees and a half that judges."""

from __future__ import annotations

import ast
import hashlib
import json
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.healing import write
from benchmarks.regressions import fetch, recording
from benchmarks.regressions.projects import Project
from selfheal_ci import paths, shell
from selfheal_ci.errors import ToolError

SEED = 20260101
LONGEST = 120.0  # seconds of one suite
Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Outcome:
    """What a run of the suite showed."""

    tests: Mapping[str, str]
    seconds: float
    lines: Mapping[str, Mapping[int, frozenset[str]]]  # path → line → the tests that execute it

    @cached_property
    def passed(self) -> frozenset[str]:
        return frozenset(id_ for id_, outcome in self.tests.items() if outcome == "passed")

    @cached_property
    def failed(self) -> frozenset[str]:
        return frozenset(id_ for id_, outcome in self.tests.items() if outcome == "failed")

    @property
    def broken(self) -> bool:
        """Whether tests could not be collected."""
        return not self.tests or "broken" in self.tests.values()


def step(project: Project) -> str:
    """The command of the suite, for `sh -c` in the root of the project."""
    path = f"PYTHONPATH={project.root} " if project.root else ""
    options = "-q -p no:cacheprovider -o addopts= -o filterwarnings="
    return f"{path}PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest {options} {project.tests}"


def environ(home: Path) -> dict[str, str]:
    """What the suite needs of the machine; `home` is a folder to lose."""
    return {
        "PATH": f"{fetch.environment()}:{shell.PATH}",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }


def run(project: Project, files: Files, *, chosen: Collection[str] | None = None, trace: bool = False) -> Outcome | None:
    """All tests of the tree, or those chosen; None where the suite does not end in time."""
    with tempfile.TemporaryDirectory(prefix="selfheal-bench-") as place:
        tree, plugin, told = Path(place, "tree"), Path(place, "plugin"), Path(place, "outcomes.json")
        for folder in (tree, plugin, Path(place, "home")):
            folder.mkdir()
        write(tree, files)
        (plugin / "recording.py").write_bytes(Path(recording.__file__).read_bytes())
        env = environ(Path(place, "home")) | {recording.OUTCOMES: str(told), "PYTHONHASHSEED": "0"}
        env["PYTHONPATH"] = f"{plugin}:{tree / project.root}"
        if chosen is not None:
            (plugin / "chosen.json").write_text(json.dumps(sorted(chosen)))
            env[recording.CHOSEN] = str(plugin / "chosen.json")
        command = step(project).partition("python ")[2] + " -p recording"
        if trace:  # which lines each test executes
            covering = f"run --data-file={place}/coverage --include={tree}/{project.package}*"
            command = f"-m coverage {covering} {command}"
        began = time.perf_counter()
        try:
            shell.run(["sh", "-c", f"exec python {command}"], env=env, cwd=tree, timeout=LONGEST)
        except ToolError:
            return None
        seconds = time.perf_counter() - began
        tests = json.loads(told.read_text()) if told.exists() else {}
        try:
            return Outcome(tests, seconds, _lines(Path(place), env) if trace and tests else {})
        except ToolError:
            return None


def _lines(place: Path, env: Mapping[str, str]) -> dict[str, dict[int, frozenset[str]]]:
    told = place / "coverage.json"
    words = f"-m coverage json -q --ignore-errors --show-contexts --data-file={place}/coverage -o {told}"
    shell.run(["sh", "-c", f"exec python {words}"], env=env, cwd=place / "tree", timeout=5 * LONGEST)
    files = json.loads(told.read_text())["files"] if told.exists() else {}
    return {
        path: {int(line): frozenset(names) - {""} for line, names in file["contexts"].items()}
        for path, file in files.items()
    }


def unit(id_: str) -> str:
    """The test function that a test's id belongs to: what is hidden or shown as a whole."""
    return id_.partition("[")[0]


def is_hidden(id_: str) -> bool:
    """Half of the test functions, the same ones always."""
    return hashlib.sha256(f"{SEED} {unit(id_)}".encode()).digest()[0] % 2 == 0


def without(files: Files, units: Collection[str]) -> dict[str, bytes]:
    """The tree without these test functions."""
    gone: dict[str, set[str]] = {}
    for name in units:
        path, _, function = name.partition("::")
        gone.setdefault(path, set()).add(function)
    return {**files, **{path: _cut(files[path], functions) for path, functions in gone.items() if path in files}}


def _cut(data: bytes, functions: Collection[str]) -> bytes:
    """The text without these functions; where nothing is left of a body, `pass` is."""
    lines = data.splitlines(keepends=True)
    for first, last, indent, alone in sorted(_places(ast.parse(data), functions, ""), reverse=True):
        lines[first:last] = [b" " * indent + b"pass\n"] if alone else []
    return b"".join(lines)


def _places(node: ast.AST, functions: Collection[str], prefix: str) -> Iterator[tuple[int, int, int, bool]]:
    body = getattr(node, "body", [])
    gone = [
        child
        for child in body
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and prefix + child.name in functions
    ]
    for child in body:
        if isinstance(child, ast.ClassDef):
            yield from _places(child, functions, f"{prefix}{child.name}::")
    for child in gone:
        first = min([child.lineno, *(decorator.lineno for decorator in child.decorator_list)]) - 1
        alone = len(gone) == len(body) and child is gone[0]
        yield first, child.end_lineno or child.lineno, child.col_offset, alone


def is_source(project: Project, path: str) -> bool:
    """Whether a change of the file is part of the change that is healed."""
    return path.startswith(project.package) and path.endswith(".py") and paths.is_source(path)
