"""Tells whether the test changed its mind, and not the code: the tests of one revision on the sources of the other."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from selfheal_ci import paths
from selfheal_ci.lab import Lab, difference
from selfheal_ci.values import Changes, Source, Tree


def expects_something_else(ids: Collection[str], source: Source, green: Tree, lab: Lab) -> bool:
    """Whether the ids pass with the tests of the green revision on the failing sources, each time.

    They are known to fail with the failing tree's tests on the green sources. What cannot be collected expects nothing,
    and what a conftest.py does is no expectation either.
    """
    if not all("::" in id_ for id_ in ids):
        return False
    crossed = _tests(source.tree, green, lab)
    return bool(crossed) and lab.heals(ids, crossed) and lab.heals(ids, crossed, fresh=True)


def changed_tests(ids: Collection[str], source: Source, green: Tree) -> list[str]:
    """The files of these tests that are not as they were on green."""
    files = sorted({id_.partition("::")[0] for id_ in ids if "::" in id_})
    return [path for path in files if green.entries.get(path) != source.tree.entries.get(path)]


def _tests(failing: Tree, green: Tree, lab: Lab) -> Changes:
    """What puts the green revision's tests and their data into the failing tree; all else stays."""
    ours = {path: entry for path, entry in failing.entries.items() if not _expects(path)}
    theirs = {path: entry for path, entry in green.entries.items() if _expects(path)}
    return difference(failing, replace(green, entries=ours | theirs), lab.files.read)


def _expects(path: str) -> bool:
    return paths.is_judge(path) and path.rpartition("/")[2] != "conftest.py"
