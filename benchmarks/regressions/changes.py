"""Ordinary changes: three to fifteen hunks of the source files between two releases, on which the suite is green."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby, pairwise

from benchmarks.regressions import fetch, suite
from benchmarks.regressions.projects import Project
from benchmarks.regressions.suite import Files, Outcome
from selfheal_ci import paths

LEAST, MOST = 3, 15
WINDOW = 13  # hunks of a change that is too large: the fault may be two more
WINDOWS = 3  # that are taken of it


@dataclass(frozen=True)
class Part:
    """Some lines of a source file that become others; all of them where the file comes or goes."""

    path: str
    start: int
    end: int
    new: tuple[bytes, ...]
    whole: bytes | None = None  # of a new file
    gone: bool = False


@dataclass(frozen=True)
class Change:
    """A green tree, and the tree with the change, on which the whole suite is green too."""

    project: Project
    name: str
    old: Files
    new: Files
    parts: tuple[Part, ...]
    outcome: Outcome  # of the whole suite on the new tree

    @property
    def lines(self) -> Mapping[str, frozenset[int]]:
        """The changed lines of each file of the new tree."""
        return changed_lines(self.old, self.new, sorted({part.path for part in self.parts}))


def changes(project: Project) -> Iterator[Change]:
    """Those between neighbouring releases: whole where that is small, else some runs of hunks of it."""
    for older, newer in pairwise(project.releases):
        old, new = fetch.release(project, older), fetch.release(project, newer)
        parts = list(_parts(project, old, new))
        name = f"{project.name} {older} → {newer}"
        if len(parts) <= MOST:
            sets = [(name, parts, _with_tests(old, new))]
        else:
            runs = [parts[at : at + WINDOW] for at in range(0, len(parts), WINDOW)]
            some = runs[:: max(1, len(runs) // WINDOWS)][:WINDOWS]
            sets = [(f"{name}, hunks {parts.index(run[0]) + 1}-{parts.index(run[-1]) + 1}", run, old) for run in some]
        for named, run, base in sets:
            if len(run) >= LEAST - 1:
                made = _green(project, named, base, apply(base, run), run, suite.run(project, base))
                if made:
                    yield made


def apply(files: Files, parts: Sequence[Part]) -> dict[str, bytes]:
    """The tree with these parts of the change."""
    made = dict(files)
    for path, group in groupby(sorted(parts, key=lambda part: (part.path, part.start)), key=lambda part: part.path):
        together = list(group)
        if together[0].gone:
            del made[path]
        elif together[0].whole is not None:
            made[path] = together[0].whole
        else:
            lines = made[path].splitlines(keepends=True)
            for part in reversed(together):
                lines[part.start : part.end] = part.new
            made[path] = b"".join(lines)
    return made


def changed_lines(old: Files, new: Files, names: Sequence[str]) -> dict[str, frozenset[int]]:
    """The numbers of the lines that are not as they were."""
    return {
        path: frozenset(line + 1 for start, end in _hunks(old, new, path) for line in range(start, end))
        for path in names
        if path in new
    }


def count(old: Files, new: Files) -> int:
    """The hunks outside of the tests, as git counts them without context."""
    names = [path for path in {*old, *new} if not paths.is_judge(path)]
    return sum(len(_hunks(old, new, path)) if path in old and path in new else 1 for path in names)


def _hunks(old: Files, new: Files, path: str) -> list[tuple[int, int]]:
    """The lines of the newer file that each hunk has become."""
    if old.get(path) == new.get(path):
        return []
    before, after = (files.get(path, b"").splitlines(keepends=True) for files in (old, new))
    codes = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return [(b, b_end) for kind, _, _, b, b_end in codes if kind != "equal"]


def _with_tests(old: Files, new: Files) -> dict[str, bytes]:
    """The older tree with the newer tests."""
    rest = {path: data for path, data in old.items() if not paths.is_judge(path)}
    return rest | {path: data for path, data in new.items() if paths.is_judge(path)}


def _parts(project: Project, old: Files, new: Files) -> Iterator[Part]:
    for path in sorted({*old, *new}):
        before, after = old.get(path), new.get(path)
        if before == after or not suite.is_source(project, path):
            continue
        if before is None or after is None:
            yield Part(path, 0, 0, (), whole=after, gone=after is None)
            continue
        lines, others = before.splitlines(keepends=True), after.splitlines(keepends=True)
        for kind, a, a_end, b, b_end in SequenceMatcher(None, lines, others, autojunk=False).get_opcodes():
            if kind != "equal":
                yield Part(path, a, a_end, tuple(others[b:b_end]))


def _green(
    project: Project, name: str, old: Files, new: Files, parts: Sequence[Part], before: Outcome | None
) -> Change | None:
    """The change without the few tests that do not pass here; None where more than a few do not."""
    after = suite.run(project, new, trace=True)
    for _ in range(3):
        if before is None or after is None or before.broken or after.broken:
            return None
        red = {suite.unit(id_) for outcome in (before, after) for id_ in outcome.failed}
        if not red:
            return Change(project, name, old, new, tuple(parts), after)
        if len(red) > max(len(after.tests) // 20, 2):
            return None
        old, new = suite.without(old, red), suite.without(new, red)
        before, after = suite.run(project, old), suite.run(project, new, trace=True)
    return None
