"""What makes two failures the same: not the line, not the numbers, but the kind and the way to it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from selfheal_ci.detect.frames import Frame

VERSION = "1"
FRAMES = 3  # the innermost
MESSAGE = 2000  # characters of a message that count

# In this order: what is in quotes, paths, addresses and hashes, numbers.
_MASKS = (
    (re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|`[^`\n]*`"), "'…'"),
    (re.compile(r"(?<![\w.@+~/-])(?:[\w.@+~-]++/|/)++[\w.@+~-]*+"), "<path>"),
    (re.compile(r"\b0x[0-9a-fA-F]++\b|\b(?=[a-f]*+\d)[0-9a-f]{7,}+(?:-[0-9a-f]{4,}+)*+\b"), "<hex>"),
    (re.compile(r"\d++(?:[.,:]\d++)*+"), "#"),
)


def mask(message: str) -> str:
    """The message without what differs from run to run."""
    for pattern, word in _MASKS:
        message = pattern.sub(word, message)
    return " ".join(message.split())


def fingerprint(type_: str, message: str, frames: Sequence[Frame], *, path: str = "") -> str:
    """The exception's type (or the rule), the way to it (or the path), and the masked first line of the message."""
    masked = mask(message.strip().partition("\n")[0][:MESSAGE])
    way = [f"{frame.path}:{frame.function}" for frame in frames[-FRAMES:]]
    parts = [type_, *way, masked] if way else [path, type_, masked]
    said = "\0".join(parts).encode("utf-8", "surrogatepass")
    return f"{VERSION}:{hashlib.sha1(said, usedforsecurity=False).hexdigest()}"
