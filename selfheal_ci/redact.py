"""What stands in for secrets: for known ones however they are spelled, and for unknown ones that look like secrets."""

from __future__ import annotations

import base64
import html
import json
import re
from collections import Counter
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import Enum
from functools import cached_property, lru_cache
from threading import Lock
from typing import TypeVar, cast
from urllib.parse import quote, quote_plus

from selfheal_ci.secret_names import SHORTEST
from selfheal_ci.secret_rules import ANSI, ESCAPES, PLACEHOLDER, find

T = TypeVar("T")

SHORTEST_SPLIT = 8  # shorter ones are not searched with gaps in them: "12 34 56" is no PIN
MOST_FOUND = 10_000  # unknown values that have a number of their own, and can be restored
MOST_SOUGHT = 200  # of them that are looked for where nothing says that they are secret
LEAST_SOUGHT = 12  # characters of such a value

GAP = rf"(?:\s|{ANSI})*+"
_ANSI = re.compile(ANSI)
_PLACEHOLDER = re.compile(PLACEHOLDER)


@dataclass
class Finds:
    """The unknown secrets that were found so far, each with its placeholder."""

    taken: Container[str] = ()  # placeholders of others
    placeholders: dict[str, str] = field(default_factory=dict)  # value → placeholder
    originals: dict[str, str] = field(default_factory=dict)  # placeholder → value
    sought: list[str] = field(default_factory=list)
    numbers: Counter[str] = field(default_factory=Counter)
    lock: Lock = field(default_factory=Lock)

    def mask(self, text: str) -> str:
        """The text without what looks like a secret, or was found to be one before."""
        parts: list[str] = []
        at = 0
        for found in find(text):
            parts += (text[at : found.start], self._placeholder(text[found.start : found.end], found.kind))
            at = found.end
        return self._without_sought("".join((*parts, text[at:])))

    def _placeholder(self, value: str, kind: str) -> str:
        with self.lock:
            if placeholder := self.placeholders.get(value):
                return placeholder
            if len(self.placeholders) >= MOST_FOUND:
                return f"<secret:{kind}:0>"
            placeholder = self._next(kind)
            self.placeholders[value] = placeholder
            self.originals[placeholder] = value
            if len(value) >= LEAST_SOUGHT and len(self.sought) < MOST_SOUGHT:
                self.sought.append(value)
            return placeholder

    def _next(self, kind: str) -> str:
        while True:
            self.numbers[kind] += 1
            placeholder = f"<secret:{kind}:{self.numbers[kind]}>"
            if placeholder not in self.taken:
                return placeholder

    def _without_sought(self, text: str) -> str:
        there = tuple(value for value in self.sought if value in text)
        if not there:
            return text
        return _plainly(there).sub(lambda match: self.placeholders.get(match[0], match[0]), text)


@dataclass(frozen=True)
class Redactor:
    """Puts `<secret:NAME:1>` in the place of known values, however they are spelled, and of what looks like a secret.

    A spelling of a known value has the same number in every run, an unknown value one for as long as this redactor
    lives, in the order in which they are found. A model can reason about it, and `restore` undoes it.
    """

    known: Mapping[str, str] = field(default_factory=dict)  # name → value

    def text(self, text: str) -> str:
        """The text without secrets."""
        found = self._found(text)
        return self._finds.mask(_pattern(found).sub(self._replacement, text) if found else text)

    def data(self, data: bytes) -> bytes:
        """The bytes without secrets, whatever their encoding."""
        return self.text(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def value(self, value: T, *, keep: tuple[type, ...] = ()) -> T:
        """The value with every text in it redacted, down through dataclasses, tuples, sets and mappings; no bytes."""
        return cast(T, self._value(value, keep))

    def restore(self, text: str, there: str) -> str:
        """The text with our placeholders turned back into what they stand for, where `there` holds that already.

        Any other stays what it is, mere text: whoever writes it could not have read it there.
        """
        if not _PLACEHOLDER.search(text):
            return text
        squeezed = _squeeze(there)
        return _PLACEHOLDER.sub(lambda match: self._original(match[0], squeezed), text)

    def introduces(self, before: bytes, after: bytes) -> bool:
        """Whether `after` holds a known secret that `before` does not hold, or holds it more often."""
        return bool(self._counted(after) - self._counted(before))

    def _value(self, value: object, keep: tuple[type, ...]) -> object:
        if isinstance(value, (Enum, bytes, *keep)):
            return value
        match value:
            case str():
                return self.text(value)
            case tuple() | list() | frozenset():
                return type(value)(self._value(part, keep) for part in value)
            case Mapping():
                return {self._value(key, keep): self._value(part, keep) for key, part in value.items()}
            case _ if is_dataclass(value) and not isinstance(value, type):
                parts = {part.name: self._value(getattr(value, part.name), keep) for part in fields(value)}
                return replace(value, **parts)
            case _:
                return value

    def _found(self, text: str) -> tuple[str, ...]:
        """The spellings that are in the text: a fast look at the text without gaps, most often the only one."""
        if not self._spellings:
            return ()
        squeezed = _squeeze(text)
        return tuple(spelling for needle, spelling in self._needles.items() if needle in squeezed)

    def _replacement(self, match: re.Match[str]) -> str:
        if _PLACEHOLDER.fullmatch(match[0]):  # ours, from an earlier pass
            return match[0]
        return self._spellings.get(match[0]) or self._spellings[self._needles[_squeeze(match[0])]]

    def _counted(self, data: bytes) -> Counter[str]:
        text = data.decode("utf-8", "surrogateescape")
        found = self._found(text)
        hits = (match for match in _pattern(found).finditer(text)) if found else iter(())
        return Counter(self._replacement(match) for match in hits if not _PLACEHOLDER.fullmatch(match[0]))

    def _original(self, placeholder: str, squeezed: str) -> str:
        spelling = self._originals.get(placeholder) or self._finds.originals.get(placeholder)
        return spelling if spelling and _squeeze(spelling) in squeezed else placeholder

    @cached_property
    def _spellings(self) -> Mapping[str, str]:
        """Spelling → placeholder, the longest first."""
        spellings: dict[str, str] = {}
        numbers: Counter[str] = Counter()
        for name, value in sorted(self.known.items()):
            label = re.sub(r"[^A-Za-z0-9_.-]", "_", name) or "unnamed"
            for spelling in _spelled(value):
                if spelling not in spellings:
                    numbers[label] += 1
                    spellings[spelling] = f"<secret:{label}:{numbers[label]}>"
        return dict(sorted(spellings.items(), key=lambda item: -len(item[0])))

    @cached_property
    def _needles(self) -> Mapping[str, str]:
        """Spelling without gaps → spelling, the longest first."""
        needles: dict[str, str] = {}
        for spelling in self._spellings:
            needles.setdefault(_squeeze(spelling), spelling)
        return needles

    @cached_property
    def _finds(self) -> Finds:
        return Finds(taken=self._originals)

    @cached_property
    def _originals(self) -> Mapping[str, str]:
        return {placeholder: spelling for spelling, placeholder in self._spellings.items()}


def _spelled(value: str) -> Iterator[str]:
    """The ways in which a value is spelled in logs, in a fixed order."""
    for raw in dict.fromkeys((value, value.strip())):
        if len(_squeeze(raw)) >= SHORTEST:
            yield raw
            yield from (form for form in _encoded(raw) if len(_squeeze(form)) >= SHORTEST)
    if "\n" in value:  # a key in PEM: each of its lines is as good as secret
        lines = (line.strip() for line in value.splitlines())
        yield from (line for line in lines if len(line) >= 2 * SHORTEST_SPLIT and not line.startswith("-----"))


def _encoded(value: str) -> Iterator[str]:
    data = value.encode("utf-8", "surrogateescape")
    for percent in (quote(data, safe=""), quote(data), quote_plus(data)):
        yield percent
        yield re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), percent)
    for inner in (json.dumps(value), json.dumps(value, ensure_ascii=False), json.dumps(value).replace("/", "\\/")):
        yield inner[1:-1]
    yield repr(value)[1:-1]
    yield repr(value)[1:-1].replace("'", "\\'")
    yield repr(data)[2:-1]
    yield html.escape(value, quote=False)
    yield html.escape(value)
    yield data.hex()
    yield data.hex().upper()
    yield from _base64(data)
    yield value[::-1]


def _base64(data: bytes) -> Iterator[str]:
    """What stays the same of it wherever it stands in longer encoded bytes, such as `user:secret`."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for offset in range(3):
            encoded = encode(bytes(offset) + data).decode()
            yield encoded[-(-8 * offset // 6) : 8 * (offset + len(data)) // 6]


def _squeeze(text: str) -> str:
    """The text without white space and ANSI codes."""
    if any(escape in text for escape in ESCAPES):
        text = _ANSI.sub("", text)
    return "".join(text.split())


@lru_cache(maxsize=64)
def _pattern(spellings: tuple[str, ...]) -> re.Pattern[str]:
    """Finds the spellings and our placeholders in one pass."""
    return re.compile("|".join((PLACEHOLDER, *map(_gapped, spellings))))


@lru_cache(maxsize=64)
def _plainly(values: tuple[str, ...]) -> re.Pattern[str]:
    """Finds the values and our placeholders in one pass, the longest first."""
    return re.compile("|".join((PLACEHOLDER, *map(re.escape, sorted(values, key=lambda value: -len(value))))))


def _gapped(spelling: str) -> str:
    if len(spelling) < SHORTEST_SPLIT:
        return re.escape(spelling)
    return GAP.join(re.escape(letter) for letter in spelling if not letter.isspace())
