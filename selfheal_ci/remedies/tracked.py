"""What a run changed of the tree's own files; never what setup, a cache or the run made besides."""

from __future__ import annotations

from selfheal_ci.lab import Lab
from selfheal_ci.values import NOTHING, Case, Changes, Run


def tracked(run: Run, case: Case, lab: Lab, before: Changes = NOTHING) -> Changes:
    """The paths of the tree that have other bytes after a run than it found, with the changes `before` it."""
    there = {path: content for path, content in run.changed.files.items() if path in case.tree.entries}
    return Changes({path: new for path, new in there.items() if lab.read(path, before) != (new and new.data)})
