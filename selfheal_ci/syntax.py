"""Whether changes leave source that can be parsed: what cannot needs no run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable
from functools import lru_cache

from selfheal_ci.values import Changes


@lru_cache(maxsize=8)
def tree_of(data: bytes) -> ast.Module | None:
    """The syntax tree; None where it is no Python, for the Python that runs us."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of strange escapes in the project's strings
        try:
            return ast.parse(data)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


@lru_cache(maxsize=256)
def parses(data: bytes) -> bool:
    """Whether it is Python."""
    return tree_of(data) is not None


def breaks(changes: Changes, read: Callable[[str], bytes | None]) -> bool:
    """Whether a Python file could be parsed before and cannot be any more. `read` gives a file as it was."""
    for path, content in changes.files.items():
        before = read(path) if content and path.endswith(".py") else None
        if content and before is not None and not parses(content.data) and parses(before):
            return True
    return False
