"""What no fix may do to a tree, judged on the resulting tree and never on a diff."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from selfheal_ci import paths
from selfheal_ci.checks import is_check
from selfheal_ci.gate.scripts import scripts
from selfheal_ci.gate.tests_kept import lost
from selfheal_ci.values import Changes, Content, Entry, Step, Tree

REGULAR = ("100644", "100755")
# Their names stay theirs even in a folder of ours that is no package yet.
TOOLING = frozenset({
    "pytest", "_pytest", "pluggy", "iniconfig", "packaging", "py", "pygments", "exceptiongroup", "tomli", "attr", "attrs",
    "unittest", "nose", "nose2", "hypothesis", "mock", "coverage", "xdist", "execnet", "tox", "nox", "conftest",
    "setuptools", "pkg_resources", "pip", "wheel", "importlib_metadata", "typing_extensions", "sitecustomize",
    "usercustomize",
})  # fmt: skip
MODULES = (".py", ".pyc", ".so", ".pyd")
# Python looks for modules beside these: pytest puts their folder on the path, setup and `cd` make it a place to start from.
ROOT_FILES = re.compile(r"(?:conftest|setup|test_.*|.*_test)\.py|pyproject\.toml|setup\.cfg|pytest\.(?:ini|toml)|tox\.ini")
ODD = re.compile(r'[:*?"<>|`;&!]')  # of other systems, of shells
LONG = 1_000_000  # pairs of lines above which difflib may take its short cut
MAY_DELETE = frozenset({"revert", "shrunk-revert"})
MAY_REFORMAT_TESTS = frozenset({"own-changes", "fixer"})


@dataclass(frozen=True)
class Policy:
    """The built-in rules with what the configuration adds to them."""

    protected: tuple[str, ...] = ()  # globs
    max_files: int = 10
    max_lines: int = 400

    def violations(
        self, tree: Tree, changes: Changes, *, remedy: str, read: Callable[[Entry], bytes],
        step: Step | None = None, green: Tree | None = None,
    ) -> list[str]:  # fmt: skip
        """Every rule that the changes break, in words; empty when there is none.

        `step` is the one to be healed, `green` an earlier tree: a module that this has is not new.
        """
        tests = step is not None and may_touch_tests(remedy, step)
        judging = scripts(step, tree, read) if step else frozenset()
        found = [
            f"{path}: {why}"
            for path, content in changes.files.items()
            for why in self._of(tree, path, content, remedy, tests=tests, known=path in green.entries if green else False)
        ]
        found += [f"{path}: the step starts this script, and no fix may touch it" for path in changes.files.keys() & judging]
        if tests:
            found += [f"{path}: {why}" for path, why in _lost_tests(tree, changes, read)]
        if len(changes.files) > self.max_files:
            found.append(f"it changes {len(changes.files)} files, more than {self.max_files}")
        lines = sum(_changed_lines(tree.entries.get(path), content, read) for path, content in changes.files.items())
        if lines > self.max_lines:
            found.append(f"it changes {lines} lines, more than {self.max_lines}")
        return found

    def _of(self, tree: Tree, path: str, content: Content | None, remedy: str, *, tests: bool, known: bool) -> Iterator[str]:
        if why := paths.malformed(path):
            yield f"this name is not allowed, {why}"
            return
        if why := paths.protected(path, self.protected, judges_too=not tests):
            yield f"this is {why}, and no fix may touch it" if why.startswith("a") else f"it is {why}"
        if any(f"{path}/".startswith(f"{part}/") for part in tree.environment):
            yield "this is part of the environment, which is no part of the project"
        yield from _shape(tree, path, content, remedy, known=known)


def can_be_laid(tree: Tree, changes: Changes) -> bool:
    """Whether the changes can be tried at all: no name leaves the tree, no folder is a file."""
    gone = {path for path, content in changes.files.items() if content is None}
    there = {*tree.entries, *changes.files} - gone
    folders = {path[:at] for path in there for at, letter in enumerate(path) if letter == "/"}
    return not any(map(paths.malformed, changes.files)) and folders.isdisjoint(there)


def may_touch_tests(remedy: str, step: Step) -> bool:
    """Whether a remedy may change test files: a formatter that fails on them, in a step that does nothing but check."""
    return remedy in MAY_REFORMAT_TESTS and is_check(step.run)


def _lost_tests(tree: Tree, changes: Changes, read: Callable[[Entry], bytes]) -> Iterator[tuple[str, str]]:
    for path, content in changes.files.items():
        before = tree.entries.get(path)
        regular = before and before.mode in REGULAR and paths.is_judge(path)
        if before and content and regular and (why := lost(path, read(before), content.data)):
            yield path, why


def _shape(tree: Tree, path: str, content: Content | None, remedy: str, *, known: bool) -> Iterator[str]:
    before = tree.entries.get(path)
    if content is None:
        if remedy not in MAY_DELETE:
            yield "only a revert may delete a file"
    elif content.mode not in REGULAR or (before and before.mode not in REGULAR):
        yield "only regular files may be changed, no links"
    elif content.mode != (before.mode if before else "100644"):
        yield "a fix may not change a file's mode"
    elif b"\0" in content.data and remedy not in MAY_DELETE:
        yield "it is binary, which nobody can read"
    if before is None and content is not None:
        yield from _new(tree, path, known=known)


def _new(tree: Tree, path: str, *, known: bool) -> Iterator[str]:
    plain = paths.folded(path)
    parents = {path[:at] for at, letter in enumerate(path) if letter == "/"}
    if any(name in parents for name in tree.entries):
        yield "one of its folders is a file or a link"
        return
    if any(paths.folded(name) == plain for name in tree.entries):
        yield "there is a file whose name differs only in case"
    parts = path.split("/")
    if any(part.startswith(("-", "~", " ")) or ODD.search(part) or paths.is_mixed(part) for part in parts):
        yield "a tool or a person may take this name for something else"
    if other := _stands_in_for(tree, path):
        yield f"it would stand in for {other}"
    if not known and path.endswith(MODULES) and paths.is_source(path) and (top := _new_module(tree, path)):
        yield f"a new top-level module could stand in for an installed one ({top}): put it into a package that is there"


def _stands_in_for(tree: Tree, path: str) -> str | None:
    """The file that is no longer found once there is this one: a package comes before a module, a stub before both."""
    folder, _, name = path.rpartition("/")
    hidden = {"__init__.py": f"{folder}.py"}.get(name, path.removesuffix("i") if name.endswith(".pyi") else "")
    return hidden if hidden in tree.entries else None


def _new_module(tree: Tree, path: str) -> str | None:
    """The name that `import` would find since there is this file, if the tree had nothing of that name."""
    for root in filter(path.startswith, _roots(tree)):
        top = path.removeprefix(root).split("/")[0].split(".")[0]
        known = top in sys.stdlib_module_names or top in TOOLING
        in_package = root == "src/" and "src/__init__.py" in tree.entries
        if (known or not in_package) and not _has_module(tree, f"{root}{top}", whole=known):
            return top
    return None


def _roots(tree: Tree) -> list[str]:
    """The folders, with their "/", in which Python may look for modules. It does not look in packages."""
    named = {name[: name.rfind("/") + 1] for name in tree.entries if ROOT_FILES.fullmatch(name.rpartition("/")[2])}
    folders = {folder for folder in named if f"{folder}__init__.py" not in tree.entries}
    return sorted({"", "src/"} | folders | {f"{folder}src/" for folder in folders})


def _has_module(tree: Tree, module: str, *, whole: bool) -> bool:
    """Whether the tree has it. `whole`: a folder counts by its __init__.py; without one the installed comes first."""
    inside = "/__init__" if whole else "/.+"
    named = re.compile(rf"{re.escape(module)}(?:{inside})?\.[^/]*")
    return any(name.endswith(MODULES) and named.fullmatch(name) for name in tree.entries)


def _changed_lines(before: Entry | None, content: Content | None, read: Callable[[Entry], bytes]) -> int:
    """Lines removed and added, between the first and the last line that differ."""
    old = read(before).splitlines() if before and before.mode in REGULAR else []
    new = content.data.splitlines() if content else []
    same = 0
    while same < min(len(old), len(new)) and old[same] == new[same]:
        same += 1
    tail = 0
    while tail < min(len(old), len(new)) - same and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    return _edit_size(old[same : len(old) - tail], new[same : len(new) - tail])


def _edit_size(old: list[bytes], new: list[bytes]) -> int:
    from difflib import SequenceMatcher  # noqa: PLC0415  rarely needed

    if not old or not new:
        return len(old) + len(new)
    matcher = SequenceMatcher(None, old, new, autojunk=len(old) * len(new) > LONG)
    return sum((i2 - i1) + (j2 - j1) for tag, i1, i2, j1, j2 in matcher.get_opcodes() if tag != "equal")
