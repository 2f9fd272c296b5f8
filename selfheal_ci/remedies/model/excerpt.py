"""Lines of a file that are worth showing, the more important ones first where there is no room for all."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum

from selfheal_ci.remedies.model.structure import Part, Structure, structure_of

WHOLE = 200  # files with fewer lines may be shown whole
LONG_CLASS = 60  # lines; of longer classes the methods are shown
LONG_FUNCTION = 200  # lines; of longer functions what is around a place
AROUND = 20  # lines around a place outside of all functions
BLINDLY = 40  # the same in a file whose structure we do not know
ROW = 12  # characters of JSON for a line's number, its end, and a gap
_CLOSE = 5  # lines around a place that belong to it in any case


class Level(IntEnum):
    """Why a line is shown."""

    CORE = 0  # the function that fails, or was changed
    NEAR = 1  # other places that may have to do with it
    OUTLINE = 2  # what the file imports and defines
    REST = 3


@dataclass
class Focus:
    """What matters in one file."""

    core: set[int] = field(default_factory=set)  # lines from 1
    near: set[int] = field(default_factory=set)
    names: set[str] = field(default_factory=set)  # of functions and classes that are near


@dataclass(frozen=True)
class Row:
    """A line and its number."""

    number: int
    text: str
    level: Level
    distance: int  # from the next line that matters


@dataclass(frozen=True)
class Excerpt:
    """Some lines of a file."""

    path: str
    rows: tuple[Row, ...]
    total: int  # lines of the file

    def masked(self, mask: Callable[[str], str]) -> Excerpt:
        """The same with its text masked, lines that follow each other together: what is masked may span them."""
        rows: list[Row] = []
        for run in _runs(self.rows):
            masked = mask("\n".join(row.text for row in run)).split("\n")
            rows += [replace(row, text=text) for row, text in zip(run, masked, strict=False)]
        return replace(self, rows=tuple(rows))

    @property
    def text(self) -> str:
        """As a person would read it: the path, then numbered lines, gaps marked."""
        shown = f"all {self.total} lines" if len(self.rows) == self.total else f"{len(self.rows)} of {self.total} lines"
        rows, before = [f"{self.path} ({shown})"], 0
        for row in self.rows:
            if row.number != before + 1:
                rows.append("      …")
            rows.append(f"{row.number:>5}\t{row.text}")
            before = row.number
        return "\n".join([*rows, "      …"] if before < self.total else rows)


def excerpt(path: str, lines: Sequence[str], focus: Focus, *, outline: bool) -> Excerpt | None:
    """What of a file is worth showing; None where nothing is. `outline`: also what it imports and defines."""
    structure = structure_of(path, lines)
    named = {part.header.start for part in structure.parts if part.name in focus.names} if structure else set[int]()
    levels: dict[int, Level] = {}
    for level, at in ((Level.CORE, focus.core), (Level.NEAR, focus.near | named)):
        _mark(levels, _near(at, _CLOSE if structure else BLINDLY), level)
        if structure:
            _mark(levels, _parts_around(structure, at), level)
            _mark(levels, _outside(structure, at), Level.NEAR)
    if structure and outline:
        _mark(levels, structure.imports | structure.outline, Level.OUTLINE)
    if len(lines) < WHOLE or not (levels or structure):
        _mark(levels, range(1, min(len(lines), WHOLE) + 1), Level.REST)
    at_all = sorted(focus.core or focus.near | named)
    rows = (
        Row(number, line, levels[number], _distance(number, at_all))
        for number, line in enumerate(lines, 1)
        if number in levels
    )
    found = Excerpt(path, tuple(rows), len(lines))
    return found if found.rows else None


def fitting(excerpts: Sequence[Excerpt], usual: int, most: int) -> list[Excerpt]:
    """What is told of these, the first ones first: the core in `most` characters of JSON, the rest in `usual` ones."""
    kept: list[set[int]] = [set() for _ in excerpts]
    used = 0
    for level in Level:
        room = most if level is Level.CORE else usual
        for at, found in enumerate(excerpts):
            rows = sorted((row for row in found.rows if row.level is level), key=lambda row: (row.distance, row.number))
            for row in rows:
                cost = len(json.dumps(row.text)) + ROW + (0 if kept[at] else len(found.path) + 80)
                if used + cost > room:
                    break
                used += cost
                kept[at].add(row.number)
    shown = (
        replace(found, rows=tuple(row for row in found.rows if row.number in numbers))
        for found, numbers in zip(excerpts, kept, strict=True)
    )
    return [found for found in shown if found.rows]


# ---------------------------------------------------------------------------------------------------------------------


def _mark(levels: dict[int, Level], lines: Iterable[int], level: Level) -> None:
    for line in lines:
        levels[line] = min(levels.get(line, level), level)


def _parts_around(structure: Structure, at: Collection[int]) -> Iterator[int]:
    """The functions around these lines, the outermost that is not too long, and the headers of what is around those."""
    end = 0
    for part in structure.around(at):
        yield from part.header
        if part.lines.stop > end and not _is_long(part):
            end = part.lines.stop
            yield from part.lines


def _outside(structure: Structure, at: Collection[int]) -> Iterator[int]:
    """What is around those lines that stand in no function, or in one that is too long."""
    short = [part.lines for part in structure.around(at) if not _is_long(part)]
    yield from _near((line for line in at if not any(line in lines for lines in short)), AROUND)


def _is_long(part: Part) -> bool:
    return len(part.lines) > (LONG_CLASS if part.is_group else LONG_FUNCTION)


def _near(at: Iterable[int], lines: int) -> Iterator[int]:
    for line in at:
        yield from range(line - lines, line + lines + 1)


def _distance(line: int, focus: Sequence[int]) -> int:
    at = bisect_left(focus, line)
    return min((abs(line - near) for near in focus[max(at - 1, 0) : at + 1]), default=line)


def _runs(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Lines that follow each other."""
    run: list[Row] = []
    for row in rows:
        if run and row.number != run[-1].number + 1:
            yield run
            run = []
        run.append(row)
    if run:
        yield run
