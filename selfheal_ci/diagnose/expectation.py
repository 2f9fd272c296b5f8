"""Tells whether the test changed its mind, and not the code: the tests of one revision on the sources of the other."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from selfheal_ci import paths
from selfheal_ci.lab import Lab, difference
from selfheal_ci.values import Changes, Source, Tree


def expects_something_else(ids: Collection[str], source: Source, green: Tree, lab: Lab) -> bool:
    """Whether the ids pass with the tests of the green revision on the failing sources, each time.

    They are known to fail with the failing tree's tests on the green sources.
    """
    crossed = _tests(source.tree, green, lab)
    return bool(crossed) and lab.heals(ids, crossed) and lab.heals(ids, crossed, fresh=True)


def _tests(failing: Tree, green: Tree, lab: Lab) -> Changes:
    """What puts the green revision's tests into the failing tree; all else stays."""
    ours = {path: entry for path, entry in failing.entries.items() if not paths.is_judge(path)}
    theirs = {path: entry for path, entry in green.entries.items() if paths.is_judge(path)}
    return difference(failing, replace(green, entries=ours | theirs), lab.files.read)
