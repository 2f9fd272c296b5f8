"""What of the repository a model is shown: the lines that the failure and the change reach, chosen, not dumped."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from selfheal_ci import paths
from selfheal_ci.lab import Lab
from selfheal_ci.remedies.model import python_source
from selfheal_ci.remedies.model.lines import bodies, decode
from selfheal_ci.values import Case, Failure, Hunk

WHOLE = 200  # files with fewer lines are shown whole
AROUND = 40  # lines around a place in a file whose structure we do not know
MOST_FILES = 10
MOST_FAILURES = 50  # whose traces are followed
TRACE = 50_000  # characters of one failure searched for places
SHORTEST_LINE = 4  # shorter ones say nothing
LONG_HUNK = 100  # lines of a hunk that matter
_ROW = 12  # characters of JSON for a line's number, its end, and a gap


@dataclass
class Focus:
    """What matters in one file."""

    lines: set[int] = field(default_factory=set)  # from 1
    names: set[str] = field(default_factory=set)  # of functions and classes


@dataclass(frozen=True)
class Excerpt:
    """Lines of a file with their numbers; the nearest to what matters first when there is no room for all."""

    path: str
    lines: tuple[tuple[int, str], ...]
    total: int
    focus: frozenset[int]

    def fitting(self, room: int) -> Excerpt:
        """The lines that matter most, in so many characters of JSON."""
        focus = sorted(self.focus)
        kept, left = [], room
        for line in sorted(self.lines, key=lambda line: _distance(line[0], focus)):
            left -= len(json.dumps(line[1])) + _ROW
            if left < 0:
                break
            kept.append(line)
        return replace(self, lines=tuple(sorted(kept)))

    def masked(self, mask: Callable[[str], str]) -> Excerpt:
        """The same with its text masked, lines that follow each other together: what is masked may span them."""
        lines: list[tuple[int, str]] = []
        for first, run in _runs(self.lines):
            lines += enumerate(mask("\n".join(run)).split("\n"), first)
        return replace(self, lines=tuple(lines))

    @property
    def text(self) -> str:
        """As a person would read it: the path, then numbered lines, gaps marked."""
        shown = f"all {self.total} lines" if len(self.lines) == self.total else f"{len(self.lines)} of {self.total} lines"
        rows, before = [f"{self.path} ({shown})"], 0
        for number, line in self.lines:
            if number != before + 1:
                rows.append("      …")
            rows.append(f"{number:>5}\t{line}")
            before = number
        return "\n".join([*rows, "      …"] if before < self.total else rows)


def may_be_sent(path: str, never_send: Collection[str]) -> bool:
    """Whether the path matches none of the globs; when in doubt it does."""
    whole = paths.folded(path)
    name = whole.rpartition("/")[2]
    globs = [paths.folded(glob.removesuffix("/")) for glob in never_send]
    return not any(fnmatchcase(whole, glob) or fnmatchcase(whole, f"{glob}/*") or fnmatchcase(name, glob) for glob in globs)


def sources(case: Case, lab: Lab, never_send: Collection[str]) -> list[Excerpt]:
    """Source around the culprit, the trace, the other changes, and what the failing tests import; in this order."""
    places: dict[str, Focus] = {}
    culprit = case.finding.culprit
    for hunk in (culprit.hunk,) if culprit else ():
        _add(places, hunk.path, _lines_of(hunk))
    for failure in case.failures[:MOST_FAILURES]:
        for path, line in reversed(frames(failure, lab)):
            _add(places, path, [line])
    for hunk in case.hunks:
        _add(places, hunk.path, _lines_of(hunk))
    for path in tests_of(case, lab):
        for imported, names in imports(path, lab):
            places.setdefault(imported, Focus()).names.update(names)
    wanted = {path: focus for path, focus in places.items() if not paths.is_judge(path) and may_be_sent(path, never_send)}
    return _excerpts(wanted, lab, skeleton=True)


def tests(case: Case, lab: Lab, never_send: Collection[str]) -> list[Excerpt]:
    """The failing tests, the fixtures they ask for, and the lines of test files in the trace."""
    places: dict[str, Focus] = {}
    for path in tests_of(case, lab):
        names = {name for failure in case.failures if _file(failure) == path for name in _names(failure)}
        focus = Focus(names=names | _fixtures(path, names, lab))
        places[path] = focus
        for conftest in _conftests(path, lab):
            if len(places) < MOST_FILES and focus.names & _defined(conftest, lab):
                places[conftest] = Focus(names=focus.names & _defined(conftest, lab))
    for failure in case.failures[:MOST_FAILURES]:
        for path, line in frames(failure, lab):
            if paths.is_judge(path):
                _add(places, path, [line])
    wanted = {path: focus for path, focus in places.items() if may_be_sent(path, never_send)}
    return _excerpts(wanted, lab, skeleton=False)


def tests_of(case: Case, lab: Lab) -> list[str]:
    """The files of the failing tests."""
    named = [_file(failure) for failure in case.failures]
    found = [path for failure in case.failures[:MOST_FAILURES] for path, _ in frames(failure, lab) if paths.is_judge(path)]
    return [path for path in dict.fromkeys([*named, *found]) if path in lab.tree.entries][:MOST_FILES]


_FRAME = re.compile(r"([^\s:\"'()<>,\[\]]{1,300}\.\w{1,8})(?:\", line |:|\()(\d{1,7})")


def frames(failure: Failure, lab: Lab) -> list[tuple[str, int]]:
    """Places in files of the tree that a failure names, in the order of its trace, its own place last."""
    said = [(match[1], int(match[2])) for match in _FRAME.finditer(failure.text[-TRACE:])]
    if failure.path and failure.line:
        said.append((failure.path, failure.line))
    root = f"{lab.tree.root}/"
    inside = [(path.removeprefix(root).removeprefix("./"), line) for path, line in said]
    return list(dict.fromkeys((path, line) for path, line in inside if path in lab.tree.entries))


def withheld(lab: Lab, never_send: Collection[str], mask: Callable[[str], str]) -> frozenset[str]:
    """The lines, without space around them, of all files that no prompt may quote, as they are and masked."""
    if not never_send:
        return frozenset()
    hidden = [_lines(path, lab) for path in lab.tree.entries if not may_be_sent(path, never_send)]
    lines = (line.strip() for file in hidden for line in (*file, *mask("\n".join(file)).split("\n")))
    return frozenset(line for line in lines if len(line) >= SHORTEST_LINE)


def imports(path: str, lab: Lab) -> list[tuple[str, set[str]]]:
    """Files of the tree that a Python file imports, with the names it takes from them; through packages once."""
    found: list[tuple[str, set[str]]] = []
    for file, names in _imported(path, lab):
        found.append((file, names))
        if file.endswith("/__init__.py"):
            found += [(deeper, names & taken) for deeper, taken in _imported(file, lab) if names & taken]
    return [(file, names) for file, names in found if not paths.is_judge(file)]


# ---------------------------------------------------------------------------------------------------------------------


def _lines_of(hunk: Hunk) -> range:
    first, last = hunk.lines
    return range(first, min(last, first + LONG_HUNK) + 1)


def _distance(line: int, focus: Sequence[int]) -> int:
    at = bisect_left(focus, line)
    return min((abs(line - near) for near in focus[max(at - 1, 0) : at + 1]), default=line)


def _runs(lines: Sequence[tuple[int, str]]) -> Iterator[tuple[int, list[str]]]:
    """Lines that follow each other, with the number of the first."""
    first, run = 0, list[str]()
    for number, line in lines:
        if number != first + len(run):
            if run:
                yield first, run
            first, run = number, []
        run.append(line)
    if run:
        yield first, run


def _add(places: dict[str, Focus], path: str, lines: Collection[int]) -> None:
    places.setdefault(path, Focus()).lines.update(lines)


def _excerpts(places: Mapping[str, Focus], lab: Lab, *, skeleton: bool) -> list[Excerpt]:
    found = (_excerpt(path, focus, lab, skeleton=skeleton) for path, focus in places.items())
    return [excerpt for excerpt in found if excerpt][:MOST_FILES]


def _excerpt(path: str, focus: Focus, lab: Lab, *, skeleton: bool) -> Excerpt | None:
    lines = _lines(path, lab)
    if not lines:
        return None
    module = python_source.parse(path, lines)
    named = {part.node.lineno for part in module.parts if part.node.name in focus.names} if module else set()
    at = focus.lines | named
    if len(lines) < WHOLE:
        wanted = set(range(1, len(lines) + 1))
    elif module:
        wanted = python_source.chosen(module, at, skeleton=skeleton)
    else:
        wanted = {near for line in at or {1} for near in range(line - AROUND, line + AROUND + 1)}
    numbered = tuple((number, line) for number, line in enumerate(lines, 1) if number in wanted)
    return Excerpt(path, numbered, len(lines), frozenset(at)) if numbered else None


def _lines(path: str, lab: Lab) -> list[str]:
    text = decode(lab.read(path) or b"")
    return bodies(text.text) if text else []


def _file(failure: Failure) -> str:
    return failure.id.partition("::")[0]


def _names(failure: Failure) -> list[str]:
    """The function's and the class's name in `tests/test_a.py::TestCart::test_total[3-4]`."""
    return failure.id.partition("[")[0].split("::")[1:]


def _defined(path: str, lab: Lab) -> set[str]:
    module = python_source.parse(path, _lines(path, lab))
    return {part.node.name for part in module.parts} if module else set()


def _fixtures(path: str, names: Collection[str], lab: Lab) -> set[str]:
    """What the tests of these names ask for: their arguments, and what those ask for in turn."""
    module = python_source.parse(path, _lines(path, lab))
    asked = {part.node.name: part.arguments for part in module.parts} if module else {}
    found: set[str] = set()
    left = [argument for name in names for argument in asked.get(name, ())]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += asked.get(name, ())
    return found


def _conftests(path: str, lab: Lab) -> list[str]:
    folders = path.split("/")[:-1]
    above = ("/".join([*folders[:depth], "conftest.py"]) for depth in range(len(folders), -1, -1))
    return [file for file in above if file in lab.tree.entries and file != path]


def _imported(path: str, lab: Lab) -> Iterator[tuple[str, set[str]]]:
    module = python_source.parse(path, _lines(path, lab))
    folder = path.split("/")[:-1]
    for said in module.imports if module else ():
        yield from ((file, set(said.names)) for file in _files(said.module, folder, said.level, lab))
        for name in sorted(said.names):  # which may be modules themselves
            yield from ((file, set()) for file in _files([*said.module, name], folder, said.level, lab))


def _files(dotted: Sequence[str], folder: Sequence[str], level: int, lab: Lab) -> list[str]:
    """The file of the tree that a module is, if it is one."""
    roots = [folder[: len(folder) - level + 1]] if level else [[], ["src"], folder]
    bases = ("/".join([*root, *dotted]) for root in roots)
    files = (file for base in bases for file in (f"{base}.py", f"{base}/__init__.py"))
    return [file for file in files if file in lab.tree.entries][:1]
