"""Which lines of a candidate no failing test executes: that these turn green says nothing about them."""

from __future__ import annotations

import types
from collections.abc import Callable, Collection, Iterator
from difflib import SequenceMatcher

from selfheal_ci.values import Changes, Line


def unexecuted(changes: Changes, ran: Collection[Line], read: Callable[[str], bytes | None]) -> tuple[Line, ...]:
    """The new or changed lines of Python code that did not run; none where nothing is known to have run."""
    if not ran:
        return ()
    code = {
        (path, line)
        for path, content in changes.files.items()
        if content and path.endswith(".py")
        for line in _new_lines(read(path) or b"", content.data) & _code_lines(content.data)
    }
    return tuple(sorted(code.difference(ran)))


def in_words(lines: tuple[Line, ...]) -> str:
    """`a.py:3, a.py:7`"""
    return ", ".join(f"{path}:{line}" for path, line in lines)


def _new_lines(old: bytes, new: bytes) -> frozenset[int]:
    """The lines of the new text, from 1, that the old one does not have there."""
    codes = SequenceMatcher(None, old.split(b"\n"), new.split(b"\n"), autojunk=False).get_opcodes()
    return frozenset(line + 1 for kind, _, _, start, end in codes if kind != "equal" for line in range(start, end))


def _code_lines(data: bytes) -> frozenset[int]:
    """The lines on which something is executed."""
    try:
        return frozenset(_of(compile(data, "", "exec", dont_inherit=True)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()


def _of(code: types.CodeType) -> Iterator[int]:
    yield from (line for _, _, line in code.co_lines() if line)
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield from _of(inner)
