"""Reads git's configuration format as data: nothing is included, expanded or run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_SECTION = re.compile(r'\s*\[\s*([A-Za-z0-9.-]+)(?:\s+"((?:[^"\\]|\\.)*)")?\s*\]')
_SETTING = re.compile(r"\s*([A-Za-z][A-Za-z0-9-]*)\s*(?:=(.*))?")
_PIECE = re.compile(r'\\(.)|(")|([#;])|([^\\"#;]+)')
_ESCAPED = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "t": "\t", "b": "\b"}


@dataclass(frozen=True)
class Config:
    """Settings by name, as `remote.origin.url`; of several values the last."""

    settings: Mapping[str, str]

    def get(self, name: str, default: str = "") -> str:
        return self.settings.get(name, default)

    def is_false(self, name: str) -> bool:
        """Whether a setting is there and says no."""
        return self.get(name, "yes").lower() in {"false", "no", "off", "0", ""}

    def is_true(self, name: str) -> bool:
        """Whether a setting is there and says yes."""
        return self.get(name, "no").lower() in {"true", "yes", "on", "1"}


def read_config(text: str) -> Config:
    """What can be understood of a configuration file."""
    settings = {}
    section = ""
    for line in text.replace("\\\n", "").split("\n"):
        rest = line
        if head := _SECTION.match(line):
            subsection = _ESCAPED.sub(r"\1", head[2] or "")
            section = head[1].lower() + (f".{subsection}" if subsection else "")
            rest = line[head.end() :]
        if section and (setting := _SETTING.match(rest)):
            value = setting[2]
            settings[f"{section}.{setting[1].lower()}"] = "true" if value is None else _value(value)
    return Config(settings)


def _value(text: str) -> str:
    """A value without its quotes and comment; blanks at its end count inside quotes alone."""
    said, quoted, least = "", False, 0
    for escaped, quote, comment, plain in _PIECE.findall(text.strip()):
        if comment and not quoted:
            break
        if quote:
            quoted = not quoted
            least = len(said)
        said += _ESCAPES.get(escaped, escaped) or comment or plain
    return said[:least] + said[least:].rstrip()
