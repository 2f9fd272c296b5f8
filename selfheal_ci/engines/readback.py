"""Reads what a run left behind from the archive that the sandbox packs: hostile data, so only regular files, capped."""

from __future__ import annotations

import json
import logging
import tarfile
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import IO

from selfheal_ci.values import Changes, Content

log = logging.getLogger(__name__)

REPORT_LIMIT = 64 << 20  # bytes a report may have
FILE_LIMIT = 1 << 20  # bytes a changed file may have
TOTAL_LIMIT = 256 << 20  # bytes of both together
MEMBERS = 50_000  # files and folders that are listed
WHITEOUT = (0, 0)  # major and minor number of a device that stands for a deleted path
LEAST_LEFT = 64  # kB, below which a disk is full
OPAQUE = "SCHILY.xattr.user.overlay.opaque"


@dataclass(frozen=True)
class Leftovers:
    """What one run left behind."""

    exit_code: int | None  # None: it was never started, or everything was killed before it ended
    reports: Mapping[str, bytes]
    changed: Changes
    disk_full: bool = False
    started: int = 0  # processes and threads, one after the other


def read_leftovers(archive: IO[bytes], *, known: Collection[str], globs: Collection[str]) -> Leftovers:
    """Read a tar stream: `status`, maybe `disk`, `started`, `gone`, `reports/…`, `tree/…`; `known` are the tree's paths.

    What cannot be listed to its end, for its names or its number, counts as no changes: half of them would be none of
    what the run did. Raises tarfile.TarError when the stream is cut.
    """
    found = _Found(sorted(known), globs)
    listed = True
    with tarfile.open(fileobj=archive, mode="r|", encoding="utf-8", errors="surrogateescape") as members:
        try:
            listed = all(found.add(members, member) for member in _each(members))
        except ValueError as strange:  # a name that tarfile takes for a header of its own
            log.info("what the run left behind has a name that cannot be read: %s", strange)
            listed = False
    found.forget_gone()
    small = {path: content for path, content in found.changed.items() if _small(content)}
    changed = Changes(small if listed else {})
    return Leftovers(_exit_code(found.status), found.reports, changed, _is_full(found.disk), _number(found.started))


def _each(members: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Each member, and none is kept."""
    while member := members.next():
        members.members.clear()  # type: ignore[attr-defined]  # typeshed does not know that it keeps them all
        yield member


@dataclass
class _Found:
    """What the archive held so far."""

    known: Sequence[str]  # sorted
    globs: Collection[str]
    status: bytes = b""
    disk: bytes = b""
    started: bytes = b""
    gone: bytes = b""  # paths below the top folder, each ended by a zero byte
    reports: dict[str, bytes] = field(default_factory=dict)
    changed: dict[str, Content | None] = field(default_factory=dict)
    room: int = TOTAL_LIMIT
    count: int = 0

    def add(self, members: tarfile.TarFile, member: tarfile.TarInfo) -> bool:
        """Take in the next member; False when there are too many."""
        self.count += 1
        top, _, path = member.name.partition("/")
        if top != "tree" or path.partition("/")[0] not in {"", ".git"}:
            report = top == "reports" or (top == "tree" and _matches(path, self.globs))
            data = _data(members, member, FILE_LIMIT if top == "tree" and not report else REPORT_LIMIT, self.room)
            self.room -= len(data or b"")
            self._take(top, path, member, data)
            if report and data is not None:
                self.reports[path] = data
        return self.count <= MEMBERS

    def forget_gone(self) -> None:
        """Take the paths that are listed as gone for deleted."""
        for name in self.gone.decode("utf-8", "surrogateescape").split("\0"):
            self.changed.update(dict.fromkeys(_at(name.partition("/")[2], self.known)))

    def _take(self, top: str, path: str, member: tarfile.TarInfo, data: bytes | None) -> None:
        if top == "status":
            self.status = data or self.status
        elif top == "disk":
            self.disk = data or self.disk
        elif top == "started":
            self.started = data or self.started
        elif top == "gone":
            self.gone = data or self.gone
        elif top == "tree":
            self.changed.update(_change(member, path, data, self.known))


def _small(content: Content | None) -> bool:
    return content is None or len(content.data) <= FILE_LIMIT


def _data(members: tarfile.TarFile, member: tarfile.TarInfo, limit: int, room: int) -> bytes | None:
    if not member.isreg() or member.size > min(limit, room):
        return None
    file = members.extractfile(member)
    return file.read() if file else None


def _matches(path: str, globs: Collection[str]) -> bool:
    return any(fnmatchcase(path, glob) for glob in globs)


def _change(
    member: tarfile.TarInfo, path: str, data: bytes | None, known: Sequence[str]
) -> Iterator[tuple[str, Content | None]]:
    if member.ischr() and (member.devmajor, member.devminor) == WHITEOUT:
        yield from ((name, None) for name in _at(path, known) + _below(path, known))
    elif member.isdir() and OPAQUE in member.pax_headers:
        yield from ((name, None) for name in _below(path, known))
    elif member.issym():
        yield path, Content(member.linkname.encode("utf-8", "surrogateescape"), "120000")
    elif data is not None:
        yield path, Content(data, "100755" if member.mode & 0o100 else "100644")


def _at(path: str, known: Sequence[str]) -> list[str]:
    place = bisect_left(known, path)
    return [path] if place < len(known) and known[place] == path else []


def _below(path: str, known: Sequence[str]) -> list[str]:
    """The known paths in a folder; they are sorted, and "0" is what comes after "/"."""
    return list(known[bisect_left(known, f"{path}/") : bisect_left(known, f"{path}0")])


def _is_full(disk: bytes) -> bool:
    """Whether `df` says that nearly nothing is left."""
    fields = disk.splitlines()[-1].split() if disk else []
    return len(fields) >= 4 and fields[3].isdigit() and int(fields[3]) < LEAST_LEFT  # noqa: PLR2004  its fourth column


def _number(said: bytes) -> int:
    return int(said) if said.strip().isdigit() else 0


def _exit_code(status: bytes) -> int | None:
    """bubblewrap writes a line of JSON when the command starts, and one with its exit code when it ended."""
    for line in status.splitlines():
        try:
            report = json.loads(line)
        except ValueError:
            continue
        if isinstance(report, dict) and isinstance(report.get("exit-code"), int):
            return int(report["exit-code"])
    return None
