"""The cases: an ordinary change with one fault in it, which tests of both halves of the suite notice."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from benchmarks.healing import write
from benchmarks.regressions import changes, fetch, suite
from benchmarks.regressions.changes import LEAST, MOST, Change
from benchmarks.regressions.faults import INVERSE, NO_INVERSE, Fault, faults
from benchmarks.regressions.projects import TOOLS, Project
from benchmarks.regressions.suite import SEED, Files

TRIES, EACH = 24, 4  # faults that are tried for one case and place, and of one kind in one change
SOME = 15  # tests of a half that are asked first
PLACES = ("in a hunk", "in a hunk", "elsewhere")


Made = tuple[Mapping[str, object], Mapping[str, Files]]  # what a case is, and its trees


@dataclass(frozen=True)
class Case:
    """What selfheal gets, and what judges its patch."""

    project: Project
    change: str
    kind: str
    place: str
    where: str  # path:line
    what: str  # what became what
    hunks: int
    shown: frozenset[str]  # tests that selfheal sees fail
    hidden: frozenset[str]  # tests that it does not see, and that fail because of the fault
    judges: frozenset[str]  # all that passed before the fault
    folder: Path  # green/, red/ and judge/: trees

    def tree(self, name: str) -> dict[str, bytes]:
        """One of its trees."""
        top = self.folder / name
        return {path.relative_to(top).as_posix(): path.read_bytes() for path in sorted(top.rglob("*")) if path.is_file()}


def cases(project: Project, number: int, wanted: int) -> Sequence[Case]:
    """A project's cases, made once for the same seed, sources and releases. `number`: its place among the projects."""
    here = Path(__file__).parent
    sources = b"".join((here / f"{name}.py").read_bytes() for name in ("cases", "changes", "faults", "suite"))
    key = hashlib.sha256(sources + repr((project, number, wanted, TOOLS)).encode()).hexdigest()[:16]
    folder = fetch.CACHE / "cases" / f"{project.name}-{key}"
    if not (folder / "ready").exists():
        for at, (case, trees) in enumerate(_made(project, number, wanted)):
            _keep(folder / f"{at + 1}", case, trees)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "ready").touch()
    return [_kept(project, place.parent) for place in sorted(folder.glob("*/case.json"))]


def _made(project: Project, number: int, wanted: int) -> Iterator[Made]:
    """Kinds without and with an inverse in turn, each project beginning with others; two of three in changed lines.

    Where a kind finds no such place, the next one of its half does.
    """
    search = _Search(random.Random(f"{SEED} {project.name}"))  # noqa: S311  no secret
    halves = [_turned(NO_INVERSE, number), _turned(INVERSE, number)]
    found = sorted(changes.changes(project), key=_executed_changes, reverse=True)
    for made in range(wanted if found else 0):
        half = halves[made % 2]
        order = [found[(made + step) % len(found)] for step in range(len(found))]
        for place in dict.fromkeys([PLACES[(number + made) % len(PLACES)], *PLACES]):
            if case := search.case(order, half, place):
                kind = str(case[0]["kind"])
                half.remove(kind)
                half.append(kind)
                yield case
                break


def _executed_changes(change: Change) -> int:
    return sum(len(lines & _executed(change, path)) for path, lines in change.lines.items())


@dataclass
class _Search:
    """Looks for faults that both halves of a suite notice; none is tried twice."""

    rng: random.Random
    tried: set[tuple[str, bytes]] = field(default_factory=set)

    def case(self, order: Sequence[Change], kinds: Sequence[str], place: str) -> Made | None:
        """The first that is noticed, of the first kind and the first change that have one; None after some tries."""
        left = TRIES
        for kind in kinds:
            for change in order:
                for path, fault in islice(self._faults(change, kind, place), EACH):
                    if left == 0:
                        return None
                    left -= 1
                    if case := _noticed(change, path, fault, place):
                        return case
        return None

    def _faults(self, change: Change, kind: str, place: str) -> Iterator[tuple[str, Fault]]:
        """In a hunk: on changed lines; elsewhere: so far from them that it is a hunk of its own."""
        names = sorted(change.lines)
        self.rng.shuffle(names)
        for path in names:
            near = {line + step for line in change.lines[path] for step in (-1, 0, 1)}
            every = frozenset(range(1, change.new[path].count(b"\n") + 2))
            where = change.lines[path] if place == PLACES[0] else every - near
            for fault in faults(change.new[path], kind, _executed(change, path), where, self.rng):
                if (path, fault.text) not in self.tried:
                    self.tried.add((path, fault.text))
                    yield path, fault


def _executed(change: Change, path: str) -> frozenset[int]:
    """The lines that tests of both halves execute."""
    lines = change.outcome.lines.get(path, {})
    return frozenset(line for line, ids in lines.items() if len({suite.is_hidden(id_) for id_ in ids}) == 2)  # noqa: PLR2004


def _running(change: Change, path: str, line: int) -> Sequence[str]:
    """Some tests of each half that execute the line, or the next one that is executed."""
    lines = change.outcome.lines[path]
    ids = sorted(next((lines[later] for later in range(line, line + 9) if lines.get(later)), frozenset()))
    return [*[id_ for id_ in ids if suite.is_hidden(id_)][:SOME], *[id_ for id_ in ids if not suite.is_hidden(id_)][:SOME]]


def _noticed(change: Change, path: str, fault: Fault, place: str) -> Made | None:
    """The case, if tests of both halves fail, some of the shown ones were green before the change, and each half can run."""
    judge = {**change.new, path: fault.text}
    first = suite.run(change.project, judge, chosen=_running(change, path, fault.line))
    if first is None or len({suite.is_hidden(id_) for id_ in first.failed}) < 2:  # noqa: PLR2004
        return None
    outcome = suite.run(change.project, judge)
    hidden = {suite.unit(id_) for id_ in change.outcome.tests if suite.is_hidden(id_)}
    red, green = suite.without(judge, hidden), suite.without(change.old, hidden)
    hunks = changes.count(green, red)
    if outcome is None or outcome.broken or not LEAST <= hunks <= MOST:
        return None
    failing = change.outcome.passed - outcome.passed
    shown = frozenset(id_ for id_ in failing if suite.unit(id_) not in hidden)
    if not _halves_run(change.project, green, red, shown) or any(
        _passes(change.project, {**red, path: text}, shown) for text in fault.alone
    ):
        return None
    told = {
        "change": change.name,
        "kind": fault.kind,
        "place": place,
        "where": f"{path}:{fault.line}",
        "what": f"{fault.was or 'nothing'} → {fault.now or 'nothing'}",
        "hunks": hunks,
        "shown": sorted(shown),
        "hidden": sorted(failing - shown),
        "judges": sorted(change.outcome.passed),
    }
    return told, {"green": green, "red": red, "judge": judge}


def _halves_run(project: Project, green: Files, red: Files, shown: frozenset[str]) -> bool:
    """Whether the shown half is green before, and afterwards red just where it should be, in what was green."""
    before, after = suite.run(project, green), suite.run(project, red)
    if before is None or after is None or before.broken or after.broken or before.failed:
        return False
    return after.failed == shown and bool(shown & before.passed)


def _passes(project: Project, files: Files, ids: frozenset[str]) -> bool:
    outcome = suite.run(project, files, chosen=ids)
    return outcome is not None and not outcome.failed


def _turned(kinds: Mapping[str, object], by: int) -> list[str]:
    names = list(kinds)
    return names[by % len(names) :] + names[: by % len(names)]


def _keep(folder: Path, told: Mapping[str, object], trees: Mapping[str, Files]) -> None:
    for name, files in trees.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        write(folder / name, files)
    (folder / "case.json").write_text(json.dumps(told, indent=1))


def _kept(project: Project, folder: Path) -> Case:
    told = json.loads((folder / "case.json").read_text())
    ids = {name: frozenset(told.pop(name)) for name in ("shown", "hidden", "judges")}
    return Case(project=project, folder=folder, **(told | ids))
