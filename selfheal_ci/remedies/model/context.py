"""What of the repository a model is shown: the lines that the failure and the change reach, chosen, not dumped."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from selfheal_ci import paths
from selfheal_ci.lab import Lab
from selfheal_ci.remedies.model import held_back, python_source
from selfheal_ci.remedies.model.excerpt import Excerpt, Focus, excerpt
from selfheal_ci.remedies.model.structure import structure_of
from selfheal_ci.remedies.model.withheld import lines_of, may_be_sent
from selfheal_ci.values import Case, Failure, Hunk, tool_of

MOST_FILES = 10
MOST_FAILURES = 50  # whose traces are followed
TRACE = 50_000  # characters of one failure searched for places
LONG_HUNK = 100  # lines of a hunk that matter
SUSPECTS = 6  # changes that matter most where none of them is known to be the culprit


def told(case: Case, groups: int) -> list[list[Failure]]:
    """The failures that a model is told of, alike ones together, not more than so many groups."""
    held = held_back.held_back(case.failures)
    found: dict[str, list[Failure]] = {}
    for failure in case.failures:
        if failure.id not in held:
            found.setdefault(failure.fingerprint, []).append(failure)
    return list(found.values())[:groups]


def sources(case: Case, lab: Lab, first: Sequence[Failure], never_send: Collection[str]) -> list[Excerpt]:
    """Source around the culprit and the traces of the first failures; then the other changes, and what tests import."""
    places: dict[str, Focus] = {}
    culprit = case.finding.culprit
    for hunk in culprit.hunks if culprit else case.hunks[:SUSPECTS]:
        places.setdefault(hunk.path, Focus()).core.update(_lines_of(hunk))
    for failure in first:
        for path, line in reversed(frames(failure, lab)):
            places.setdefault(path, Focus()).core.add(line)
    for failure in case.failures[:MOST_FAILURES]:
        for path, line in frames(failure, lab):
            places.setdefault(path, Focus()).near.add(line)
    for hunk in case.hunks:
        places.setdefault(hunk.path, Focus()).near.update(_lines_of(hunk))
    for path in tests_of(case, lab):
        for imported, names in python_source.imports(path, lab):
            places.setdefault(imported, Focus()).names.update(names)
    wanted = {path: focus for path, focus in places.items() if not paths.is_judge(path) and may_be_sent(path, never_send)}
    found = (excerpt(path, lines_of(path, lab), focus, outline=True) for path, focus in wanted.items())
    return [shown for shown in found if shown][:MOST_FILES]


def tests(case: Case, lab: Lab, first: Sequence[Failure], never_send: Collection[str]) -> list[Excerpt]:
    """The first failing tests and the lines of test files in their traces; then the fixtures they ask for, and the rest."""
    places: dict[str, Focus] = {}
    for failure in first:
        for path, line in frames(failure, lab):
            if paths.is_judge(path):
                places.setdefault(path, Focus()).core.add(line)
    for path in tests_of(case, lab):
        focus = places.setdefault(path, Focus())
        focus.core |= _lines_of_tests(path, first, lab)
        names = {name for failure in case.failures if _file(failure) == path for name in _names(failure)[-1:]}
        fixtures = _fixtures(path, names, lab)
        focus.names |= names | fixtures
        for conftest in _conftests(path, lab):
            if asked := fixtures & python_source.arguments(conftest, lab).keys():
                places.setdefault(conftest, Focus()).names |= asked
    held = held_back.held_back(case.failures)
    wanted = {path: focus for path, focus in places.items() if may_be_sent(path, never_send)}
    found = (
        excerpt(path, held_back.without(path, lines_of(path, lab), held), focus, outline=False)
        for path, focus in wanted.items()
    )
    return [shown for shown in found if shown][:MOST_FILES]


def tests_of(case: Case, lab: Lab) -> list[str]:
    """The files of the failing tests."""
    named = [_file(failure) for failure in case.failures if not tool_of(failure.id)]
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


# ---------------------------------------------------------------------------------------------------------------------


def _lines_of(hunk: Hunk) -> range:
    first, last = hunk.lines
    return range(first, min(last, first + LONG_HUNK) + 1)


def _lines_of_tests(path: str, failures: Sequence[Failure], lab: Lab) -> set[int]:
    """Where the functions of these failures begin."""
    structure = structure_of(path, lines_of(path, lab))
    names = {tuple(_names(failure)) for failure in failures if _file(failure) == path}
    found = set[int]()
    for part in structure.parts if structure else ():
        around = [outer.name for outer in structure.around([part.header.start])] if structure else []
        if any(name and part.name == name[-1] and set(name) <= set(around) for name in names):
            found.add(part.header.start)
    return found


def _file(failure: Failure) -> str:
    return failure.id.partition("::")[0]


def _names(failure: Failure) -> list[str]:
    """The function's and the class's name in `tests/test_a.py::TestCart::test_total[3-4]`."""
    return failure.id.partition("[")[0].split("::")[1:]


def _fixtures(path: str, names: Collection[str], lab: Lab) -> set[str]:
    """What the tests of these names ask for: their arguments, and what those ask for in turn."""
    asked = python_source.arguments(path, lab)
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
