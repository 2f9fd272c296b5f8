"""How the bytes of a file become text and lines, and back, losing nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass

LARGEST = 1 << 20  # bytes; larger files are neither shown nor edited
_BOM = "\ufeff"
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")
_ENDING = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True)
class Text:
    """A text file, and how it is written."""

    text: str  # line endings as they are, no byte order mark
    encoding: str
    bom: bool = False

    def encode(self) -> bytes:
        """Raises UnicodeEncodeError when the encoding has no such character."""
        return (_BOM * self.bom + self.text).encode(self.encoding)


def decode(data: bytes) -> Text | None:
    """The file as text: UTF-8, else Latin-1, byte for byte. None when it is binary or too large."""
    if b"\0" in data or len(data) > LARGEST:
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return Text(data.decode("latin-1"), "latin-1")
    return Text(text.removeprefix(_BOM), "utf-8", text.startswith(_BOM))


def split(text: str) -> list[str]:
    """The lines with their endings; nothing but "\\n", "\\r\\n" and "\\r" ends one."""
    return _LINE.findall(text)


def bodies(text: str) -> list[str]:
    """The lines without their endings."""
    return [line.rstrip("\r\n") for line in split(text)]


def ending(text: str, at: int = 0) -> str:
    """How the line at an offset ends; the last one, where nothing ends it, as the first one does."""
    found = _ENDING.search(text, at) or _ENDING.search(text)
    return found[0] if found else "\n"


def with_ending(text: str, end: str) -> str:
    """The text with every line ended this way."""
    return text.replace("\r\n", "\n").replace("\n", end)
