"""What a candidate is looked at beside: the texts before it, here and on green, and what the failing tests expect."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO

from selfheal_ci import paths
from selfheal_ci.expected import constants_of, constants_of_doctests, constants_of_module, constants_of_words
from selfheal_ci.gate.scripts import STEERS, scripts
from selfheal_ci.gate.suspicion import Scene
from selfheal_ci.lab import Lab
from selfheal_ci.values import Candidate, Case, Changes, Entry, Step, Tree, is_checked, is_test

_NAME = re.compile(r"\b[A-Z]\w*\b")
Read = Callable[[Entry], bytes]


@dataclass(frozen=True)
class Known:
    """What is known of a failing tree."""

    targets: Collection[str]  # the ids that fail
    said: Collection[str] = ()  # how they fail
    ids: Collection[str] = ()  # all others that the step has
    step: Step | None = None
    green: Tree | None = None
    hunks: Collection[str] = ()  # the paths that changed since green


def scene(candidate: Candidate, case: Case, lab: Lab) -> Scene:
    """That of a candidate, on top of what is verified so far."""
    ids = case.before.ids | case.before.passed if case.before else frozenset()
    said = [failure.message for failure in case.failures]
    known = Known(case.targets, said, ids, case.step, case.finding.green, {hunk.path for hunk in case.hunks})
    return scene_of(candidate.changes, lab.tree, lab.files.read, known, before=lab.read)


def scene_of(changes: Changes, tree: Tree, read: Read, known: Known, *, before: Callable[[str], bytes | None]) -> Scene:
    """That of changes of a tree, over which `before` may have other changes already.

    Without single tests, the failing ones expect what is in the step's own words and scripts, and in doctests.
    """
    there = known.green.entries if known.green else {}
    came_from = {*changes.files, *(known.hunks if any(path not in there for path in changes.files) else ())}
    old = {path: data for path in changes.files if (data := before(path)) is not None}
    tried = _doctests(changes, tree, read, known)
    started = scripts(known.step, tree, read) if known.step else frozenset()
    expected = [
        constants_of(known.targets, lambda path: _regular(tree.entries.get(path), read)),
        constants_of_words(known.step.run) if known.step else frozenset(),
        *(constants_of_module(_regular(tree.entries[path], read)) for path in sorted(started) if path.endswith(".py")),
        *(constants_of_doctests(old[path]) for path in sorted(tried & old.keys())),
    ]
    return Scene(
        before=_texts(old.items()),
        after=_texts((path, content.data if content else None) for path, content in changes.files.items()),
        green=_texts((path, _regular(there.get(path), read)) for path in came_from),
        judged_by_tools=any(map(is_checked, known.targets)),
        scripts=started,
        raised=frozenset(name for said in known.said for name in _NAME.findall(said)),
        complaints="\n".join(sorted(filter(is_checked, known.targets))),
        exit_code_alone=not any(map(is_test, known.targets)),
        doctests=tried,
        expected=frozenset().union(*expected),
        sources=lambda: _sources(tree, read),
    )


def _doctests(changes: Changes, tree: Tree, read: Read, known: Known) -> frozenset[str]:
    """Which of the changed modules the step runs the doctests of."""
    files = {id_.split("::")[0] for id_ in (*known.ids, *known.targets)}
    whole = known.step is not None and _runs_doctests(known.step, tree, read)
    return frozenset(path for path in changes.files if (whole or path in files) and not paths.is_judge(path))


def _runs_doctests(step: Step, tree: Tree, read: Read) -> bool:
    """Whether the step's words, or a file of the top folder that steers tools, say so."""
    configuration = [path for path in tree.entries if "/" not in path and paths.protected(path) in STEERS]
    return "doctest" in step.run or any(b"doctest" in (_regular(tree.entries[path], read) or b"") for path in configuration)


def _texts(files: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    """Latin-1 where it is not UTF-8, as edits have it; what is binary has no text."""
    return {path: _decoded(path, data) for path, data in files if data is not None and b"\0" not in data}


def _decoded(path: str, data: bytes) -> str:
    """As Python reads it, where it is Python: in other encodings than UTF-8 a comment may be code."""
    try:
        encoding = tokenize.detect_encoding(BytesIO(data).readline)[0] if path.endswith(".py") else "utf-8"
        return data.decode(encoding)
    except (SyntaxError, ValueError, LookupError):
        return data.decode("latin-1")


def _regular(entry: Entry | None, read: Read) -> bytes | None:
    return read(entry) if entry and entry.mode in {"100644", "100755"} else None


def _sources(tree: Tree, read: Read) -> Iterator[tuple[str, bytes]]:
    """The Python of the tree, before the changes."""
    for path, entry in tree.entries.items():
        data = _regular(entry, read) if path.endswith(".py") else None
        if data is not None:
            yield path, data
