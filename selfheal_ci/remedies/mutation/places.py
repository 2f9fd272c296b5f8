"""Where the mistake may be: lines that failing tests execute, those changed since green first, else by Ochiai."""

from __future__ import annotations

import ast
import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from selfheal_ci.detect.frames import frames
from selfheal_ci.lab import Lab
from selfheal_ci.remedies.mutation.guess import guess, may_change
from selfheal_ci.remedies.mutation.text import Source, parse
from selfheal_ci.values import Case, Line, Trace

TRACED_WHOLE = 60.0  # seconds that a step may take, all tests of which are traced
NEAR = 0.3  # of a line in a function with changed lines, beside those
UNSEEN = 0.5  # of a changed line where no trace says whether it was executed
IN_TRACE = 1.5  # times, for a line that the failure names
MOST_LINES = 300  # the most suspicious ones


@dataclass
class Places:
    """How suspicious each line is, and how many tests say something about it: those that execute it."""

    weights: dict[Line, float] = field(default_factory=dict)
    tests: dict[Line, int] = field(default_factory=dict)

    def of(self, path: str, *lines: int) -> float:
        """That of the most suspicious of some lines."""
        return max((self.weights.get((path, line), 0.0) for line in lines), default=0.0)

    @property
    def files(self) -> list[str]:
        return sorted({path for path, _ in self.weights})


def suspicious(case: Case, lab: Lab) -> Places:
    """The lines where an edit may heal."""
    trace = _trace(case, lab)
    scores = ochiai(trace, case.targets) or guess(case, lab)
    ran = {line: weight for line, weight in scores.items() if may_change(line[0])}
    weights = _changed(case, lab, ran) if case.finding.green is not None else ran
    for failure in case.failures:
        for frame in frames(failure.text, root=str(case.tree.root)):
            if (frame.path, frame.line) in weights:
                weights[frame.path, frame.line] *= IN_TRACE
    worst = sorted(weights, key=lambda line: (-weights[line], line))[:MOST_LINES]
    weights = {line: weights[line] for line in worst}
    tests = Counter(line for id_, lines in trace.lines.items() if id_ for line in lines if line in weights)
    return Places(weights, tests)


def _trace(case: Case, lab: Lab) -> Trace:
    """What all tests execute; where they take long, the failing ones alone."""
    seconds = case.before.run.seconds if case.before else math.inf
    return lab.trace(None if seconds <= TRACED_WHOLE else case.targets)


def ochiai(trace: Trace, failing: Collection[str]) -> dict[Line, float]:
    """ef / sqrt((ef + nf) (ef + ep)) of every line that a failing test executes."""
    failed: dict[Line, int] = {}
    passed: dict[Line, int] = {}
    tests = [id_ for id_ in failing if id_ in trace.lines]
    for id_ in tests:
        for line in trace.lines[id_]:
            failed[line] = failed.get(line, 0) + 1
    for id_ in trace.passed:
        for line in trace.lines[id_]:
            if line in failed:
                passed[line] = passed.get(line, 0) + 1
    scores = {line: count / math.sqrt(len(tests) * (count + passed.get(line, 0))) for line, count in failed.items()}
    at_import = {line: 1 / math.sqrt(1 + len(trace.passed)) for line in trace.lines.get("", ()) if line not in scores}
    return {**at_import, **scores} if tests else {}


def _changed(case: Case, lab: Lab, ran: Mapping[Line, float]) -> dict[Line, float]:
    """Changed lines and, much less, what is around them; of both what was executed."""
    weights: dict[Line, float] = {}
    for hunk in case.hunks:
        if not may_change(hunk.path):
            continue
        data = lab.read(hunk.path)
        source = parse(hunk.path, data) if data is not None else None
        if source is None:
            continue
        first, last = hunk.lines
        changed = range(1, len(source.starts) + 1) if hunk.whole else range(first, last + 1)
        for line in around(source, changed):
            seen = (hunk.path, line) in ran
            if seen or not ran:
                weight = (1.0 if line in changed else NEAR) * (1.0 if seen else UNSEEN)
                weights[hunk.path, line] = max(weight, weights.get((hunk.path, line), 0.0))
    return weights


def around(source: Source, lines: range) -> Iterator[int]:
    """These lines and the rest of the functions that they are in."""
    yield from lines
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            whole = range(node.lineno, (node.end_lineno or node.lineno) + 1)
            if whole.start <= lines.stop and lines.start < whole.stop:
                yield from whole
