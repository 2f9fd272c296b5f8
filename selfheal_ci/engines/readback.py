"""Reads what a run left behind from the archive that the sandbox packs: hostile data, so only regular files, capped."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import IO

from selfheal_ci.values import Changes, Content

REPORT_LIMIT = 64 << 20  # bytes a report may have
FILE_LIMIT = 1 << 20  # bytes a changed file may have
TOTAL_LIMIT = 256 << 20  # bytes of both together
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


def read_leftovers(archive: IO[bytes], *, known: Collection[str], globs: Collection[str]) -> Leftovers:
    """Read a tar stream with `status`, maybe `disk`, `reports/…` and `tree/…`; `known` are the paths of the tree.

    Raises tarfile.ReadError when the stream is cut.
    """
    status = disk = b""
    reports: dict[str, bytes] = {}
    changed: dict[str, Content | None] = {}
    room = TOTAL_LIMIT
    with tarfile.open(fileobj=archive, mode="r|", encoding="utf-8", errors="surrogateescape") as members:
        for member in members:
            top, _, path = member.name.partition("/")
            data = _data(members, member, REPORT_LIMIT if top != "tree" or _matches(path, globs) else FILE_LIMIT, room)
            room -= len(data or b"")
            if top == "status" and data:
                status = data
            elif top == "disk" and data:
                disk = data
            elif top == "reports" and data is not None:
                reports[path] = data
            elif top == "tree" and path and path.split("/")[0] != ".git":
                changed.update(_change(member, path, data, known))
                if data is not None and _matches(path, globs):
                    reports[path] = data
    small = Changes({path: content for path, content in changed.items() if _small(content)})
    return Leftovers(_exit_code(status), reports, small, _is_full(disk))


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
    member: tarfile.TarInfo, path: str, data: bytes | None, known: Collection[str]
) -> Iterator[tuple[str, Content | None]]:
    below = path + "/"
    if member.ischr() and (member.devmajor, member.devminor) == WHITEOUT:
        yield from ((name, None) for name in known if name == path or name.startswith(below))
    elif member.isdir() and OPAQUE in member.pax_headers:
        yield from ((name, None) for name in known if name.startswith(below))
    elif member.issym():
        yield path, Content(member.linkname.encode("utf-8", "surrogateescape"), "120000")
    elif data is not None:
        yield path, Content(data, "100755" if member.mode & 0o100 else "100644")


def _is_full(disk: bytes) -> bool:
    """Whether `df` says that nearly nothing is left."""
    fields = disk.splitlines()[-1].split() if disk else []
    return len(fields) >= 4 and fields[3].isdigit() and int(fields[3]) < LEAST_LEFT  # noqa: PLR2004  its fourth column


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
