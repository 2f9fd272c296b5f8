"""What a candidate is looked at beside: the texts before it, here and on green, and what the failing tests expect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from selfheal_ci import paths
from selfheal_ci.expected import constants_of
from selfheal_ci.gate.suspicion import Scene
from selfheal_ci.lab import Lab
from selfheal_ci.values import Candidate, Case, is_checked


def scene(candidate: Candidate, case: Case, lab: Lab) -> Scene:
    """That of a candidate."""
    changed = list(candidate.changes.files)
    there = case.finding.green.entries if case.finding.green else {}
    moved = {hunk.path for hunk in case.hunks} if any(path not in there for path in changed) else set()
    known = {id_.split("::")[0] for id_ in (*(case.before.ids | case.before.passed if case.before else ()), *case.targets)}
    return Scene(
        before=_texts((path, lab.read(path)) for path in changed),
        after=_texts((path, content.data if content else None) for path, content in candidate.changes.files.items()),
        green=_texts((path, _green(path, case, lab)) for path in {*changed, *moved}),
        judged_by_tools=any(is_checked(id_) for id_ in case.targets),
        doctests=frozenset(path for path in changed if path in known and not paths.is_judge(path)),
        expected=constants_of(case.targets, lab.read),
        sources=lambda: _sources(lab),
    )


def _texts(files: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    """Latin-1 where it is not UTF-8, as edits have it."""
    return {path: _decoded(data) for path, data in files if data is not None}


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _green(path: str, case: Case, lab: Lab) -> bytes | None:
    entry = case.finding.green.entries.get(path) if case.finding.green else None
    return lab.files.read(entry) if entry and entry.mode != "120000" else None


def _sources(lab: Lab) -> Iterator[tuple[str, bytes]]:
    """The Python of the failing tree, before the candidate."""
    for path, entry in lab.tree.entries.items():
        if path.endswith(".py") and entry.mode != "120000":
            yield path, lab.files.read(entry)
