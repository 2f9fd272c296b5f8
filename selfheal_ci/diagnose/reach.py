"""Tells whether edits reach the tests at all: an installed copy or a cached build takes no notice of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from selfheal_ci import paths
from selfheal_ci.lab import Lab
from selfheal_ci.values import Changes, Content, Red, Trace, Tree
from selfheal_ci.words import one_line

MOST_FILES = 500  # that are broken for the probe
BREAKS = b"raise SystemError('a probe of selfheal')\n"
COMPILED = (".c", ".cc", ".cpp", ".cxx", ".h", ".hpp", ".pyx", ".pxd", ".rs", ".f", ".f90")
_BUILDS = re.compile(r"\b(?:build\w*|g?cc|clang|install|develop|maturin|make|cmake|meson|ninja)\b")
STOPS = b"#error a probe of selfheal\n"  # a compiler
IN_PART = "setup made {} of the sources, and edits of those do not reach it"
WORDS = "edits do not reach the tests: they run an installed copy, or what was built before"


def reaches(red: Red, lab: Lab) -> bool:
    """Whether tests of the step execute sources of the tree, or the failing ones notice when all of those break.

    Where tests cannot be traced nothing is said against it.
    """
    traced = lab.trace(red.ids)
    if not traced.lines or _runs_sources(traced) or _runs_sources(lab.trace(None)):
        return True
    sources = [path for path in lab.tree.entries if path.endswith(".py") and paths.is_source(path)]
    if not sources or len(sources) > MOST_FILES:
        return True
    return not _takes_no_notice(red, _broken(sources, BREAKS, lab), lab)


def unbuilt(red: Red, before: Tree, lab: Lab) -> list[str]:
    """Sources of compiled code that changed since a revision, and of which the failing tests take no notice."""
    compiled = sorted(path for path in lab.tree.entries if path.endswith(COMPILED))
    changed = [path for path in compiled if before.entries.get(path) != lab.tree.entries[path]]
    if not changed or lab.step.build:
        return []
    return changed if _takes_no_notice(red, _broken(changed, STOPS, lab), lab) else []


def build(lab: Lab) -> str:
    """The line of configuration that builds before each run: what setup has for it, else an installation."""
    lines = [line for line in lab.recipe.setup if _BUILDS.search(line)]
    return f"build = {json.dumps(lines)} in the step" if lines else mend(lab.tree.environment)


def mend(environment: Iterable[str], made: Iterable[str] = ()) -> str:
    """The line of configuration that brings edits to the tests: of an installed copy, or of what setup generated."""
    if generated := next((path for path in made if "/site-packages/" not in path), None):
        return f"the command of `setup` that makes {one_line(generated)} into the step's `build` too"
    venv = next((name for name in (".venv", "venv") if name in environment), None)
    pip = f"{venv}/bin/python -m pip" if venv else "python -m pip"
    return f'build = ["{pip} install --quiet --no-deps --no-build-isolation ."] in the step, or an editable install'


def _runs_sources(trace: Trace) -> bool:
    return any(paths.is_source(path) for path, _ in trace.executed(trace.lines))


def _broken(sources: Iterable[str], how: bytes, lab: Lab) -> Changes:
    return Changes({path: Content(how + (lab.read(path) or b""), lab.mode(path)) for path in sources})


def _takes_no_notice(red: Red, changes: Changes, lab: Lab) -> bool:
    result = lab.run_tests(red.ids, changes)
    return isinstance(result, Red) and _marks(result) == _marks(red)


def _marks(red: Red) -> set[tuple[str, str]]:
    return {(failure.id, failure.fingerprint) for failure in red.failures}
