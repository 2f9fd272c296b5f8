"""Reads which lines the tests executed: hostile bytes in, lines of the tree out."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

from selfheal_ci.values import Line

TRACES = "selfheal-trace-"  # how the reports begin
SIZE = 32 << 20  # bytes of a report
ID = 4096  # characters of an id
LINES = 8_000_000  # of all tests together


def read_lines(reports: Mapping[str, bytes], paths: Collection[str]) -> dict[str, frozenset[Line]]:
    """The lines of these paths that each test executed, those of imports under "". What cannot be read says nothing."""
    found: defaultdict[str, frozenset[Line]] = defaultdict(frozenset)
    room = LINES
    for name, data in sorted(reports.items()):
        if not name.startswith(TRACES) or len(data) > SIZE:
            continue
        for id_, lines in _tests(data, paths):
            room -= len(lines)
            if room >= 0:
                found[id_] |= lines
    return dict(found)


def _tests(data: bytes, paths: Collection[str]) -> Iterator[tuple[str, frozenset[Line]]]:
    try:
        said = json.loads(data)
        sets = [_lines(path, bits, paths) for path, bits in said["sets"]]
        for id_, numbers in said["tests"]:
            if isinstance(id_, str) and len(id_) <= ID:
                yield id_, frozenset().union(*(sets[number] for number in _distinct(numbers, len(sets))))
    except (ValueError, TypeError, KeyError, RecursionError):
        return


def _lines(path: object, bits: object, paths: Collection[str]) -> frozenset[Line]:
    """The lines of one file; one bit for each, from line 0."""
    if not isinstance(path, str) or not isinstance(bits, str) or path not in paths:
        return frozenset()
    field = bytes.fromhex(bits)
    return frozenset(
        (path, 8 * at + bit) for at, byte in enumerate(field) if byte for bit in range(8) if byte >> bit & 1 and at + bit
    )


def _distinct(numbers: object, most: int) -> set[int]:
    if not isinstance(numbers, list):
        return set()
    return {number for number in numbers if isinstance(number, int) and 0 <= number < most}
