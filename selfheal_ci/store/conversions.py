"""How git would convert a file between its blob and the working tree; computed here, no filter of a checkout is run."""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from enum import Enum

from selfheal_ci.hunks import split_lines
from selfheal_ci.store.changes import named
from selfheal_ci.store.git import Git
from selfheal_ci.store.trees import private_index

ATTRIBUTES_FILE = ".gitattributes"
ATTRIBUTES = ("text", "crlf", "eol", "ident", "working-tree-encoding", "filter")
LFS = "lfs"
LONG = 1_000_000  # pairs of lines above which difflib may take its short cut
BOMS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_IDENT = re.compile(rb"\$Id:[^$\n]*\$")
_LONE_LF = re.compile(rb"(?<!\r)\n")
_LONE_CR = re.compile(rb"\r(?!\n)")
_UNPRINTABLE = re.compile(rb"[\x01-\x07\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_ENCODING = re.compile(r"(?:utf|ucs|iso|latin|windows|cp|shift|sjis|euc|gb|big5|koi)[\w-]*", re.IGNORECASE | re.ASCII)
_POINTER = re.compile(rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-.*\n)*oid sha256:[0-9a-f]{64}\nsize \d+\n")


class Ends(Enum):
    """What happens to the ends of a file's lines."""

    KEPT = "kept"
    TEXT = "text"
    AUTO = "auto"  # where it is text, and its blob has no CRLF


@dataclass(frozen=True)
class Conversion:
    """What the attributes say of one file. What a filter other than Git LFS's would do is not known."""

    ends: Ends = Ends.KEPT
    crlf: bool = False  # how lines end in a working tree
    ident: bool = False
    encoding: str | None = None
    filter: str | None = None

    def to_git(self, data: bytes, blob: Callable[[], bytes]) -> bytes:
        """What git would keep of a file of the working tree; `blob` gives what it keeps now."""
        if self.filter:
            return _pointer(data, blob()) if self.filter == LFS else data
        data = self._decoded(data)
        if b"\r\n" in data and (self.ends is Ends.TEXT or (self.ends is Ends.AUTO and not _keeps_crlf(data, blob()))):
            data = data.replace(b"\r\n", b"\n")
        return _IDENT.sub(b"$Id$", data) if self.ident else data

    def to_working_tree(self, data: bytes, *, now: bytes | None = None, kept: bytes | None = None) -> bytes:
        """What git would write for these bytes. Lines of the file `now`, which git keeps as `kept`, stay as they are."""
        if now is not None and data == kept:
            return now
        if self.filter or (now is not None and now == kept):
            return data
        if now is not None and kept is not None:
            return self._encoded(_with_lines_of(self._decoded(now), kept, data), like=now)
        binary = self.ends is Ends.AUTO and (b"\r" in data or _is_binary(data))
        converted = data if not self.crlf or binary else _LONE_LF.sub(b"\r\n", data)
        return self._encoded(converted, like=b"")

    def _decoded(self, data: bytes) -> bytes:
        if not self.encoding or not data:
            return data
        codec, bom = _codec(self.encoding, data)
        try:
            return data.removeprefix(bom).decode(codec).encode()
        except (ValueError, LookupError):
            return data

    def _encoded(self, data: bytes, *, like: bytes) -> bytes:
        if not self.encoding or not data:
            return data
        codec, bom = _codec(self.encoding, like or codecs.BOM_UTF16_LE)
        try:
            return bom + data.decode().encode(codec)
        except (ValueError, LookupError):
            return data


@dataclass(frozen=True)
class Conversions:
    """The files of a checkout that git converts, and the settings that say so besides the attributes."""

    files: Mapping[str, Conversion] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)  # core.autocrlf, core.eol

    def __bool__(self) -> bool:
        return bool(self.files)


def read_conversions(git: Git, commit: str, setting: Callable[[str], str], paths: Iterable[str]) -> Conversions:
    """What the attributes in a commit and the checkout's settings say of these paths."""
    settings = {name: said.lower() for name in ("core.autocrlf", "core.eol") if (said := setting(name))}
    told = b"".join(path.encode("utf-8", "surrogateescape") + b"\0" for path in paths)
    with private_index(git, commit) as env:
        words = ("check-attr", "--cached", "-z", "--stdin", *ATTRIBUTES)
        answer = git.run(*words, stdin=told, env=env | {"GIT_ATTR_SOURCE": commit}).split(b"\0")[:-1]
    found: dict[str, dict[str, str]] = {}
    for path, attribute, value in zip(answer[::3], answer[1::3], answer[2::3], strict=True):
        found.setdefault(named(path), {})[attribute.decode()] = value.decode("utf-8", "replace")
    read = ((path, _conversion(attributes, settings)) for path, attributes in found.items())
    return Conversions({path: conversion for path, conversion in read if conversion != Conversion()}, settings)


def _conversion(attributes: Mapping[str, str], settings: Mapping[str, str]) -> Conversion:
    """As convert.c of git has it."""
    said = {name: value for name, value in attributes.items() if value not in {"unspecified", "unset"}}
    text = attributes["text"] if attributes["text"] != "unspecified" else attributes["crlf"]
    autocrlf = settings.get("core.autocrlf", "")
    automatic = autocrlf in {"true", "yes", "on", "1"}
    eol = said.get("eol") or ("lf" if text == "input" else None)
    if text == "unspecified" and eol:
        text = "set"
    if text == "unspecified" and (automatic or autocrlf == "input"):
        text = "auto"
    ends = {"set": Ends.TEXT, "input": Ends.TEXT, "auto": Ends.AUTO}.get(text, Ends.KEPT)
    usual = automatic or (autocrlf != "input" and settings.get("core.eol") == "crlf")
    encoding = said.get("working-tree-encoding", "")
    return Conversion(
        ends,
        crlf=ends is not Ends.KEPT and (eol == "crlf" if eol else usual),
        ident=said.get("ident") == "set",
        encoding=encoding if _ENCODING.fullmatch(encoding) and encoding.upper() not in {"UTF-8", "UTF8"} else None,
        filter=said.get("filter"),
    )


def is_pointer(data: bytes) -> bool:
    """Whether it is what Git LFS has git keep of a large file."""
    return bool(_POINTER.fullmatch(data))


def _pointer(data: bytes, blob: bytes) -> bytes:
    """What Git LFS would have git keep of a file, where it keeps a pointer now."""
    if not is_pointer(blob) or is_pointer(data):
        return data
    digest = hashlib.sha256(data).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(data)}\n".encode()


def _keeps_crlf(data: bytes, blob: bytes) -> bool:
    return _is_binary(data) or (b"\r\n" in blob and not _is_binary(blob))


def _is_binary(data: bytes) -> bool:
    """As git decides it where it has to guess."""
    odd = len(_UNPRINTABLE.findall(data.removesuffix(b"\x1a")))
    ends = 2 * data.count(b"\r\n") + len(_LONE_LF.findall(data))
    return b"\0" in data or bool(_LONE_CR.search(data)) or (len(data) - ends - odd) >> 7 < odd


def _codec(encoding: str, data: bytes) -> tuple[str, bytes]:
    """Python's name of an encoding, and the mark at the beginning that goes with these bytes."""
    name = encoding.upper()
    if name.endswith("-BOM"):
        name = name.removesuffix("-BOM")
        return name, codecs.BOM_UTF16_LE if name.endswith("LE") else codecs.BOM_UTF16_BE
    if name in {"UTF-16", "UTF-32"}:
        width = name.removeprefix("UTF-")
        marks = {mark: end for mark, end in zip(BOMS, ("LE", "BE") * 2, strict=True) if len(mark) * 8 == int(width)}
        mark = next((mark for mark in marks if data.startswith(mark)), b"")
        return f"{name}-{marks.get(mark, 'BE')}", mark
    try:
        return codecs.lookup(encoding).name, b""
    except LookupError:
        return "ascii", b""


def _with_lines_of(now: bytes, kept: bytes, data: bytes) -> bytes:
    """The new bytes with lines that did not change as they are now; new lines end as those beside them."""
    there, old, new = split_lines(now), split_lines(kept), split_lines(data)
    if len(there) != len(old):
        return data
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    a, b = old[head : len(old) - tail], new[head : len(new) - tail]
    made = there[:head]
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, a, b, autojunk=len(a) * len(b) > LONG).get_opcodes():
        if tag == "equal":
            made += there[head + i1 : head + i2]
        else:
            beside = there[min(head + i1, len(there) - 1)] if there else b""
            made += [_LONE_LF.sub(b"\r\n", line) if beside.endswith(b"\r\n") else line for line in b[j1:j2]]
    return b"".join(made + there[len(there) - tail :])
