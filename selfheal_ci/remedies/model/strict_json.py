"""JSON from a model or a server: what it may not be, and why it was refused."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

LARGEST = 1 << 20  # bytes
DEEPEST = 64
_DIGITS = 18  # of a whole number
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)  # one that never ends goes to the end: one pass


class JsonError(ValueError):
    """Why it was refused, in one line."""


def loads(data: bytes | str) -> Any:
    """The value. Raises JsonError for anything broken, doubtful or enormous."""
    size = len(data)
    if size > LARGEST:
        raise JsonError(f"it is larger than {LARGEST >> 20} MB")
    try:
        text = data if isinstance(data, str) else data.decode()
        if _depth(text) > DEEPEST:
            raise JsonError(f"it is nested deeper than {DEEPEST} levels")
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant, parse_int=_whole, parse_float=_finite)
        json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate has no bytes
    except JsonError:
        raise
    except UnicodeError as broken:
        raise JsonError("it has characters that are none") from broken
    except (ValueError, RecursionError) as broken:
        raise JsonError(f"it is no JSON: {broken}") from broken
    return value


def _depth(text: str) -> int:
    depth = deepest = 0
    for letter in re.findall(r"[\[\]{}]", _STRING.sub("", text)):
        depth += 1 if letter in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise JsonError(f"it says {key[:40]!r} twice")
        found[key] = value
    return found


def _no_constant(name: str) -> NoReturn:
    raise JsonError(f"it has {name}")


def _whole(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise JsonError("it has a number with too many digits")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if abs(number) == float("inf"):
        raise JsonError("it has a number that is too large")
    return number
