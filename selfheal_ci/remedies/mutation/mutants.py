"""All edits of the suspicious lines, the likeliest first."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise

from selfheal_ci.lab import Lab
from selfheal_ci.remedies.mutation import expressions, insertions, names, operators, statements
from selfheal_ci.remedies.mutation.definitions import definitions, undefined
from selfheal_ci.remedies.mutation.guess import may_change
from selfheal_ci.remedies.mutation.kinds import PRIORS, Mutation
from selfheal_ci.remedies.mutation.mixes import mixes
from selfheal_ci.remedies.mutation.places import Places
from selfheal_ci.remedies.mutation.plausible import senseless
from selfheal_ci.remedies.mutation.scope import Function, Scope, Spot, scope_of, spots
from selfheal_ci.remedies.mutation.text import Source, parse, shape_of
from selfheal_ci.values import Case, Changes, Content

OPERATORS = frozenset(
    {"comparison boundary", "comparison", "boolean operator", "arithmetic", "negation", "number", "off by one", "exchange",
     "similar function", "assignment", "switch"}
)  # fmt: skip
MOVED = {"indentation": "in another block", "order": "behind the next statement"}
PAIRED = 8  # edits of one line that are tried two by two
LINE = 90  # characters of a line that are shown


@dataclass(frozen=True)
class Mutant:
    """One edited version of one file."""

    source: Source
    mutation: Mutation
    score: float
    mode: str

    @property
    def path(self) -> str:
        return self.source.path

    @property
    def line(self) -> int:
        return self.mutation.line

    @cached_property
    def changes(self) -> Changes:
        data = self.source.encoded(self.mutation.edits)
        return Changes({self.path: Content(data, self.mode)} if data is not None else {})

    @cached_property
    def before(self) -> str:
        """The statement of the module that it changes, as it is."""
        start, end = self.source.around(self.mutation.edits) or (0, 0)
        return self.source.text[start:end]

    @cached_property
    def after(self) -> str:
        """The same with the edits; nothing where they are in several."""
        start, end = self.source.around(self.mutation.edits) or (0, 0)
        longer = sum(len(edit.new) - (edit.end - edit.start) for edit in self.mutation.edits)
        return self.source.changed(self.mutation.edits)[start : end + longer] if end else ""

    @property
    def words(self) -> str:
        """What a reviewer is shown."""
        old, new = self.source.text.split("\n"), self.source.changed(self.mutation.edits).split("\n")
        at = next((number for number, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]), len(new) - 1)
        was, now = (_shown(lines[at]) if at < len(lines) else "" for lines in (old, new))
        place = f"{self.path}:{at + 1}: "
        if self.mutation.kind in MOVED:
            return f"{place}`{_shown(old[self.line - 1])}` {MOVED[self.mutation.kind]}"
        if len(new) > len(old):
            return f"{place}`{now}` is added"
        if len(new) < len(old):
            return f"{place}without `{was}`"
        return f"{place}`{now}` instead of `{was}`"


def mutants(case: Case, lab: Lab, places: Places) -> Iterator[Mutant]:
    """Different trees that compile, the likeliest first."""
    found: list[Mutant] = []
    missing = undefined(case.failures)
    known = _sources(lab, [path for path in sorted(case.tree.entries) if may_change(path)]) if missing else []
    for source in _sources(lab, places.files):
        found += _scored(source, case, places, lab.mode(source.path))
        others = [source, *(other for other in known if other.path != source.path)]
        found += [Mutant(source, each, each.prior, lab.mode(source.path)) for each in definitions(source, missing, others)]
    found.sort(key=lambda each: (-each.score, each.path, each.line, [(e.start, e.end, e.new) for e in each.mutation.edits]))
    seen: set[tuple[str, str, str | None]] = set()
    for mutant in found:
        shape = shape_of(mutant.after)
        key = (mutant.path, mutant.before, shape)
        if key not in seen and shape and shape != shape_of(mutant.before) and mutant.changes:
            seen.add(key)
            if senseless(mutant.after) <= senseless(mutant.before):
                yield mutant


def _sources(lab: Lab, names: Sequence[str]) -> list[Source]:
    """Those files that can be parsed."""
    return [source for path in names if (source := parse(path, lab.read(path) or b""))]


def _scored(source: Source, case: Case, places: Places, mode: str) -> list[Mutant]:
    try:
        weighted = list(_weighted(source, list(spots(source)), places))
    except RecursionError:
        return []
    if case.finding.green is not None:
        here = [hunk for hunk in case.hunks if hunk.path == source.path]
        weighted += [(each, places.of(source.path, each.line)) for each in mixes(source, here, case.hunks)]
    scored = [Mutant(source, mutation, weight * mutation.prior, mode) for mutation, weight in weighted if weight]
    return [*scored, *_pairs(scored)]


def _weighted(source: Source, around: Sequence[Spot], places: Places) -> Iterator[tuple[Mutation, float]]:
    """The edits of each suspicious place, and how suspicious it is."""
    scopes: dict[Function | None, Scope] = {}
    for spot in around:
        lines = {spot.node.lineno, spot.statement.lineno if spot.statement else spot.node.lineno}
        weight = places.of(source.path, *lines)
        if weight:
            if spot.function not in scopes:
                scopes[spot.function] = scope_of(source, spot.function, around)
            yield from ((mutation, weight) for mutation in _mutations(source, spot, scopes[spot.function]))


def _mutations(source: Source, spot: Spot, scope: Scope) -> Iterator[Mutation]:
    if isinstance(spot.node, ast.stmt):
        yield from statements.mutations(source, spot, scope)
        yield from insertions.mutations(source, spot, scope)
    elif is_exact(source, spot):
        yield from operators.mutations(source, spot, scope)
        yield from names.mutations(source, spot, scope)
        yield from expressions.mutations(source, spot, scope)
        yield from statements.awaits(source, spot)


def is_exact(source: Source, spot: Spot) -> bool:
    """Whether the node is where the tree says. In f-strings, Python before 3.12 is not sure."""
    if not any(isinstance(node, ast.JoinedStr) for node in spot.above):
        return True
    assert isinstance(spot.node, ast.expr)  # noqa: S101
    try:
        written = ast.parse(f"({source.of(spot.node)})", mode="eval").body
    except (SyntaxError, ValueError):
        return False
    return ast.dump(written) == ast.dump(spot.node)


def _pairs(found: Sequence[Mutant]) -> Iterator[Mutant]:
    """Two operators of one line at once."""
    lines: dict[int, list[Mutant]] = {}
    for mutant in found:
        if mutant.mutation.kind in OPERATORS:
            lines.setdefault(mutant.line, []).append(mutant)
    for line, here in lines.items():
        here.sort(key=lambda each: -each.score)
        for left, right in combinations(here[:PAIRED], 2):
            edits = tuple(sorted((*left.mutation.edits, *right.mutation.edits), key=lambda edit: (edit.start, edit.end)))
            if all(first.end <= second.start for first, second in pairwise(edits)):
                prior = left.mutation.prior * right.mutation.prior
                score = PRIORS["two edits"] * prior * left.score / left.mutation.prior
                yield Mutant(left.source, Mutation("two edits", edits, line, prior), score, left.mode)


def _shown(line: str) -> str:
    text = " ".join(line.split())
    return text if len(text) <= LINE else f"{text[:LINE]}…"
