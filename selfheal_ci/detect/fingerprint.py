"""What makes two failures the same: not the line, not the numbers, but the kind and the way to it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache

from selfheal_ci.detect.frames import Frame

VERSION = "1"
FRAMES = 3  # the innermost
MESSAGE = 2000  # characters of a message that count

_QUOTED = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|`[^`\n]*`")
_PATH = re.compile(r"(?<![\w.@+~/-])(?:[\w.@+~-]++/|/)++[\w.@+~-]*+")
_ABSOLUTE = re.compile(r"(?<![\w.@+~/-])/(?:[\w.@+~-]++/)*+[\w.@+~-]*+")
_HASH = re.compile(r"\b0x[0-9a-fA-F]++\b|\b(?=[a-f]*+\d)[0-9a-f]{7,}+(?:-[0-9a-f]{4,}+)*+\b")
_ONES = str.maketrans("23456789", "1" * 8)  # which they are makes no difference
_NUMBER = re.compile(r"\d++(?:[.,:]\d++)*+")


def steady(message: str) -> str:
    """The message in which only numbers, hashes and absolute paths are masked: what ids are made of."""
    return _without_numbers(_ABSOLUTE.sub("<path>", message))


def mask(message: str) -> str:
    """The message without what differs from run to run: what is in quotes, paths, addresses and hashes, numbers."""
    return _masked(message.translate(_ONES))


@lru_cache(maxsize=1000)  # many messages differ in their numbers alone
def _masked(message: str) -> str:
    message = _QUOTED.sub("'…'", message)
    return _without_numbers(_PATH.sub("<path>", message) if "/" in message else message)


def _without_numbers(message: str) -> str:
    return " ".join(_NUMBER.sub("#", _HASH.sub("<hex>", message)).split())


def fingerprint(type_: str, message: str, frames: Sequence[Frame], *, path: str = "") -> str:
    """The exception's type (or the rule), the way to it (or the path), and the masked first line of the message."""
    masked = mask(message.strip().partition("\n")[0][:MESSAGE])
    way = [f"{frame.path}:{frame.function}" for frame in frames[-FRAMES:]]
    parts = [type_, *way, masked] if way else [path, type_, masked]
    said = "\0".join(parts).encode("utf-8", "surrogatepass")
    return f"{VERSION}:{hashlib.sha1(said, usedforsecurity=False).hexdigest()}"
