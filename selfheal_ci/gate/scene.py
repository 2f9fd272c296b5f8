"""What a candidate is looked at beside: the texts before it, here and on green, and what the failing tests expect."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from selfheal_ci import paths
from selfheal_ci.expected import constants_of
from selfheal_ci.gate.suspicion import Scene
from selfheal_ci.lab import Lab
from selfheal_ci.values import Candidate, Case, Changes, Entry, Tree, is_checked

Read = Callable[[Entry], bytes]


def scene(candidate: Candidate, case: Case, lab: Lab) -> Scene:
    """That of a candidate, on top of what is verified so far."""
    passed = case.before.ids | case.before.passed if case.before else frozenset()
    return scene_of(
        candidate.changes,
        lab.tree,
        lab.files.read,
        before=lab.read,
        green=case.finding.green,
        hunks={hunk.path for hunk in case.hunks},
        targets=case.targets,
        known=passed | case.targets,
    )


def scene_of(
    changes: Changes,
    tree: Tree,
    read: Read,
    *,
    before: Callable[[str], bytes | None],
    green: Tree | None,
    hunks: Collection[str],
    targets: Collection[str],
    known: Collection[str],
) -> Scene:
    """That of changes of a tree. `hunks`: all paths that changed since green; `known`: the ids that the step has."""
    changed = list(changes.files)
    there = green.entries if green else {}
    came_from = {*changed, *(hunks if any(path not in there for path in changed) else ())}
    files = {id_.split("::")[0] for id_ in known}
    return Scene(
        before=_texts((path, before(path)) for path in changed),
        after=_texts((path, content.data if content else None) for path, content in changes.files.items()),
        green=_texts((path, _regular(there.get(path), read)) for path in came_from),
        judged_by_tools=any(map(is_checked, targets)),
        doctests=frozenset(path for path in changed if path in files and not paths.is_judge(path)),
        expected=constants_of(targets, lambda path: _regular(tree.entries.get(path), read)),
        sources=lambda: _sources(tree, read),
    )


def _texts(files: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    """Latin-1 where it is not UTF-8, as edits have it; what is binary has no text."""
    return {path: _decoded(data) for path, data in files if data is not None and b"\0" not in data}


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _regular(entry: Entry | None, read: Read) -> bytes | None:
    return read(entry) if entry and entry.mode in {"100644", "100755"} else None


def _sources(tree: Tree, read: Read) -> Iterator[tuple[str, bytes]]:
    """The Python of the tree, before the changes."""
    for path, entry in tree.entries.items():
        data = _regular(entry, read) if path.endswith(".py") else None
        if data is not None:
            yield path, data
