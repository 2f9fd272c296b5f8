"""Which combination of a matrix stands for it: one for Linux, and for what this machine has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product
from typing import Any

from selfheal_ci.discover.documents import items_of, table_of, text_of
from selfheal_ci.discover.found import Machine

MOST = 500  # combinations that are looked at
_ELSEWHERE = re.compile(r"windows|macos|mac\b|osx|darwin|win\d|msvc", re.IGNORECASE)


def is_elsewhere(words: str) -> bool:
    """Whether words name a system that is no Linux."""
    return bool(_ELSEWHERE.search(words))


def combinations(matrix: Any) -> list[dict[str, Any]]:
    """The combinations of a GitHub matrix, those that it excludes left out."""
    table = table_of(matrix)
    axes = {name: items_of(values) for name, values in table.items() if name not in {"include", "exclude"}}
    excluded = [table_of(item) for item in items_of(table.get("exclude"))]
    crossed = (dict(zip(axes, values, strict=True)) for values in islice(product(*axes.values()), MOST)) if axes else ()
    found = [combination for combination in crossed if not any(_has(combination, each) for each in excluded)]
    return _with_included(found, [table_of(item) for item in items_of(table.get("include"))], axes)


def _with_included(found: list[dict[str, Any]], included: Sequence[Mapping[str, Any]], axes: Mapping[str, Any]) -> list[Any]:
    """An `include` adds to the combinations that it does not contradict, or is one of its own."""
    more: list[dict[str, Any]] = []
    for item in included[:MOST]:
        fitting = [each for each in found if _has(each, {name: item[name] for name in axes if name in item})]
        if fitting and axes:
            for each in fitting:
                each.update(item)
        else:
            more.append(dict(item))
    return found + more


def _has(combination: Mapping[str, Any], some: Mapping[str, Any]) -> bool:
    return all(text_of(combination.get(name)) == text_of(value) for name, value in some.items())


def best(found: Sequence[dict[str, Any]], machine: Machine) -> dict[str, Any]:
    """The first of those that fit this machine best."""
    return max(found, key=lambda each: _fit(each, machine), default={})


def _fit(combination: Mapping[str, Any], machine: Machine) -> tuple[int, int]:
    words = list(_words(combination))
    here = max((weight for version, weight in _weights(machine) if any(_names(word, version) for word in words)), default=0)
    return -any(map(is_elsewhere, words)), here - any("pypy" in word.lower() for word in words)


def _weights(machine: Machine) -> Iterator[tuple[str, int]]:
    yield machine.python, 3
    yield from ((version, 2) for version in machine.others)


def _names(word: str, version: str) -> bool:
    """Whether a word says this version of Python: `3.11`, `py311`, `python3.11-django`."""
    digits = version.replace(".", "")
    return bool(re.search(rf"(?<![\d.]){re.escape(version)}(?![\d.t])|py{digits}(?![\dt])", word))


def _words(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _words(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _words(inner)
    else:
        yield text_of(value)
