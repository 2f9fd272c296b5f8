"""Real fixes of real bugs, as their authors made them: how many the policy or the search for suspicious code would stop.

`honest.txt` names them. They are read from clones in the folder that BENCH_CLONES names, `<name>` or `<name>.git` each;
nothing of them is run. The failing tree is the commit's with its parent's sources, the patch is what the commit changed of
these: modules of packages, without tests. Modes stay as they were: no remedy changes one.
"""

from __future__ import annotations

import ast
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.healing import git
from selfheal_ci.events import Event
from selfheal_ci.gate.policy import Policy
from selfheal_ci.gate.scene import scene
from selfheal_ci.gate.suspicion import suspicions
from selfheal_ci.lab import Lab, Meter
from selfheal_ci.ports import Sandbox
from selfheal_ci.runners import runner_for
from selfheal_ci.store import Store, open_store
from selfheal_ci.values import (
    NOTHING,
    Candidate,
    Case,
    Changes,
    Command,
    Content,
    Failure,
    Finding,
    Kind,
    Limits,
    Recipe,
    Run,
    Step,
    Tree,
)

CLONES = "BENCH_CLONES"
LIST = Path(__file__).with_name("honest.txt")
STEP = Step("tests", "python -m pytest")
TESTS = {"test", "tests", "testing", "testsuite"}  # folders


@dataclass(frozen=True)
class Fix:
    """A commit, and what there is against its sources."""

    commit: str
    refused: tuple[str, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Still:
    """A sandbox in which nothing may run."""

    concurrency: int = 1
    limits: Limits = field(default_factory=Limits)
    made: tuple[str, ...] = ()

    def run(self, command: Command, changes: Changes = NOTHING) -> Run:
        raise AssertionError(f"nothing is to be run: {command.shell}")

    def stop(self) -> None:
        """Nothing is under way."""


def measure() -> Iterator[Figure]:
    """Each fix that would be stopped or labelled, and why; then how many."""
    if CLONES not in os.environ:
        print(f"     left out: honest fixes: name a folder of clones with {CLONES} ({LIST.name} says of which)", flush=True)
        return
    fixes = list(_fixes(Path(os.environ[CLONES])))
    refused, labelled = [fix for fix in fixes if fix.refused], [fix for fix in fixes if fix.labels]
    for fix in fixes:
        for word, found in (("REFUSED", fix.refused), ("LABELLED", fix.labels)):
            for why in found:
                print(f"     {word} {fix.commit}: {why}", flush=True)
    yield Figure("honest fixes", len(fixes), 100, "", at_least=True)
    yield Figure(f"honest fixes refused, {len(refused)} of {len(fixes)}", 100 * len(refused) / len(fixes), 1, " %")
    yield Figure(f"honest fixes labelled, {len(labelled)} of {len(fixes)}", 100 * len(labelled) / len(fixes), 5, " %")


def _fixes(clones: Path) -> Iterator[Fix]:
    lines = [line.split() for line in LIST.read_text().splitlines() if line and not line.startswith("#")]
    missing = Counter[str]()
    for repository, commits in groupby(lines, key=lambda line: line[0]):
        name = repository.rpartition("/")[2]
        clone = next((place for place in (clones / name, clones / f"{name}.git") if place.is_dir()), None)
        if clone is None:
            missing[repository] = len(list(commits))
            continue
        with _opened(clone) as store:
            for _, commit in commits:
                yield replace(judged(store, commit), commit=f"{repository} {commit[:12]}")
    for repository, count in missing.items():
        print(f"     left out: {count} fixes of {repository}: there is no clone of it", flush=True)


@contextmanager
def _opened(clone: Path) -> Iterator[Store]:
    """A store that borrows the clone's objects. Nothing is checked out."""
    with tempfile.TemporaryDirectory(prefix="selfheal-bench-") as place:
        git(Path(place), "clone", "--quiet", "--shared", "--no-checkout", str(clone.resolve()), f"{place}/checkout")
        (work := Path(place, "work")).mkdir()
        with open_store(Path(place, "checkout"), work / "store") as store:
            yield store


def judged(store: Store, commit: str) -> Fix:
    """What the gate says before it runs anything."""
    before, after = store.tree(f"{commit}^"), store.tree(commit)
    changed = [path for path in before.entries.keys() | after.entries.keys() if _differs(before, after, path)]
    sources = sorted(path for path in changed if _is_source(path, after))
    kept = {path: entry for path, entry in after.entries.items() if path not in sources}
    there = {path: before.entries[path] for path in sources if path in before.entries}
    tree = Tree(before.id, store.checkout.folder, {**kept, **there})
    changes = Changes({path: _content(store, before, after, path) for path in sources})
    remedy = "revert" if None in changes.files.values() else "model"  # the one that may delete
    broken = Policy().violations(tree, changes, remedy=remedy, read=store.read, step=STEP)
    tests = [path for path in changed if path in after.entries and path.endswith(".py") and _is_test(path)]
    ids = [id_ for path in tests for id_ in _new_tests(store, before, after, path)]
    found = suspicions(scene(Candidate(remedy, changes, "a fix"), _case(tree, ids), _lab(store, tree)))
    refused = (*broken, *(suspicion.words for suspicion in found if suspicion.refused))
    return Fix(commit, refused, tuple(suspicion.words for suspicion in found if not suspicion.refused))


def _differs(before: Tree, after: Tree, path: str) -> bool:
    return before.entries.get(path) != after.entries.get(path)


def _is_test(path: str) -> bool:
    *folders, name = path.lower().split("/")
    return bool(TESTS & set(folders)) or name.startswith(("test_", "conftest.")) or name.endswith(("_test.py", "_tests.py"))


def _is_source(path: str, tree: Tree) -> bool:
    return path.endswith(".py") and not _is_test(path) and f"{path.rpartition('/')[0]}/__init__.py" in tree.entries


def _content(store: Store, before: Tree, after: Tree, path: str) -> Content | None:
    entry, old = after.entries.get(path), before.entries.get(path)
    return Content(store.read(entry), old.mode if old else "100644") if entry else None


def _new_tests(store: Store, before: Tree, after: Tree, path: str) -> list[str]:
    """The ids of the tests that the commit adds or changes: those that failed before it."""
    old = _functions(store.read(before.entries[path])) if path in before.entries else {}
    return [f"{path}::{name}" for name, code in _functions(store.read(after.entries[path])).items() if old.get(name) != code]


def _functions(data: bytes) -> dict[str, str]:
    """Test functions by their names as pytest has them, and what they say."""
    found = {}
    module = ast.parse(data)
    for prefix, body in (("", module.body), *((f"{c.name}::", c.body) for c in module.body if isinstance(c, ast.ClassDef))):
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
                found[f"{prefix}{node.name}"] = ast.dump(node)
    return found


def _case(tree: Tree, ids: list[str]) -> Case:
    failures = tuple(Failure(id_, "1:0", "it fails") for id_ in ids)
    return Case(tree, STEP, failures, Finding(Kind.REGRESSION, "it fails", dict.fromkeys(ids, Kind.REGRESSION)))


def _lab(store: Store, tree: Tree) -> Lab:
    def prepare(_: Tree) -> Sandbox:
        raise AssertionError("nothing is to be prepared")

    return Lab(tree, STEP, Still(), runner_for(STEP), store, Meter(float("inf")), _nobody, prepare, Recipe())


def _nobody(_: Event) -> None:
    """Hears nothing."""
