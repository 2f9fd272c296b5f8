"""What is sent into a container for one run, and what comes back: files in a folder, read as hostile data."""

from __future__ import annotations

import hashlib
import io
import logging
import math
import os
import shlex
import stat
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from selfheal_ci.engines.crowding import is_crowded
from selfheal_ci.engines.dagger_words import full_disk
from selfheal_ci.engines.dockerfile import UID
from selfheal_ci.engines.readback import LEAST_LEFT, Leftovers, read_leftovers
from selfheal_ci.errors import EngineError
from selfheal_ci.values import REPORTS, SUPPORT, Changes, Command, Content, Limits, Output, Run, Stop

log = logging.getLogger(__name__)

LONG_AGO = 1_500_000_000  # the frozen tree's file times: every change, and all that setup makes, is newer
REPORT_BLOCKS = 131_072  # of 512 bytes; as in run.sh
BLOCK = 4096  # as in run.sh
READ_LIMIT = 64 << 20
SIGKILLED = 128 + 9

Prints = Mapping[str, tuple[str, bytes]]  # path → mode, digest of the bytes


def pack_tree(folder: Path, into: Path) -> Prints:
    """Pack an exported tree into `into`, the same bytes for the same tree, and give each path's print."""
    prints: dict[str, tuple[str, bytes]] = {}
    with _archive(into / "tree.tar") as archive:
        for path, source in _walk(folder):
            content = _content(source)
            prints[path] = _print(content)
            _add(archive, path, content)
    (into / "known").write_bytes(b"".join(os.fsencode(path) + b"\0" for path in prints))
    (into / "survey.sh").write_bytes((files("selfheal_ci.engines") / "survey.sh").read_bytes())
    return prints


@dataclass(frozen=True)
class Parcel:
    """What every run of one prepared tree has in common."""

    root: str  # the tree's path inside
    known: Prints
    limits: Limits
    share: int  # runs beside each other: the kernel counts a user's processes over all of them

    def write(self, into: Path, command: Command, changes: Changes) -> None:
        """Write what run.sh reads: settings, changes, how to lay them. Raises EngineError for a path outside."""
        for path in changes.files:
            _check(path)
        (into / "run.sh").write_bytes((files("selfheal_ci.engines") / "run.sh").read_bytes())
        (into / "settings").write_bytes(os.fsencode(self._settings(command)))
        (into / "lay.sh").write_bytes(os.fsencode(_lay(changes)))
        (into / "known").write_bytes(b"".join(os.fsencode(path) + b"\0" for path in {**self.known, **changes.files}))
        with _archive(into / "changes.tar") as archive:
            for path, content in sorted(changes.files.items()):
                if content is not None:
                    _add(archive, path, content)
        (into / "support").mkdir()
        for name, data in command.support.items():
            (into / "support" / name).write_bytes(data)

    def read(self, folder: Path, command: Command, changes: Changes) -> Run:
        """Read the Run from what run.sh left. Raises EngineError when the script did not come to its end."""
        try:
            began, ended = (float(word) for word in _read(folder / "times").split())
            with (folder / "left.tar").open("rb") as archive:
                left = read_leftovers(archive, known=(), globs=command.reports)
        except (OSError, ValueError, EOFError, tarfile.TarError) as cut:
            raise EngineError(
                "the run in the Dagger engine ended without a word of how", hint="run again; is the engine's disk full?"
            ) from cut
        if (folder / "flood").exists():
            log.warning("%s changed more files than are looked at; none of them is", command.shell)
        if left.exit_code and _number(folder / "room") < LEAST_LEFT:
            raise full_disk("nothing more could be written while a step ran")
        seconds, output = max(0.0, ended - began), _output(folder)
        stop = self._stop(folder, left, seconds, command, output)
        return Run(
            command.shell,
            stop,
            left.exit_code if stop is Stop.EXITED else None,
            output,
            seconds,
            left.reports,
            self._changed(left, changes, missing=os.fsdecode(_read(folder / "missing")).split("\0")),
        )

    def _settings(self, command: Command) -> str:
        limits = self.limits.with_more(command.more)
        blocks = limits.output // 2 // BLOCK
        values = {
            "ROOT": self.root,
            "ID": str(UID),
            "TIMEOUT": str(_whole(command.timeout)),
            "PROCESSES": str(limits.processes * self.share),
            "MEMORY": str(limits.memory // 1024),
            "DISK": str(limits.disk // 1024),
            "HEAD": str(blocks),
            "TAIL": str(limits.output - blocks * BLOCK),
            "NETWORK": "yes" if command.network else "",
            "SERVICES": " ".join(f"{each.name}:{port}" for each in command.services for port in each.ports),
            "LINE": command.shell,
            "REPORTS": REPORTS,
            "SUPPORT": SUPPORT,
        }
        env = " ".join(shlex.quote(f"{name}={value}") for name, value in command.env.items())
        globs = " -o ".join(f"-path {shlex.quote('./' + glob)}" for glob in command.reports)
        larger = f" -o -size -{REPORT_BLOCKS + 1} \\( {globs} \\)" if globs else ""
        lines = [
            *(f"{name}={shlex.quote(value)}" for name, value in values.items()),
            f'add_env() {{ confined {env} "$@"; }}',
            f'add_globs() {{ find_changed "$@"{larger}; }}',
        ]
        return "\n".join(lines) + "\n"

    def _stop(self, folder: Path, left: Leftovers, seconds: float, command: Command, output: Output) -> Stop:
        for name, stop in (("memory", Stop.MEMORY), ("disk", Stop.DISK)):
            if (folder / name).exists():
                return stop
        if seconds >= _whole(command.timeout) - 0.05:  # the container's clock has two digits
            return Stop.TIMEOUT
        limit = self.limits.with_more(command.more).processes * self.share
        most = _number(folder / "most")
        if left.exit_code and is_crowded(output, most=most, started=most, limit=limit):
            return Stop.PROCESSES
        return Stop.KILLED if left.exit_code in {SIGKILLED, None} else Stop.EXITED

    def _changed(self, left: Leftovers, changes: Changes, *, missing: list[str]) -> Changes:
        """What differs from what the run began with: new file times alone are no change."""
        before = {path: print_ for path, print_ in self.known.items() if path not in changes.files}
        before |= {path: _print(content) for path, content in changes.files.items() if content}
        found: dict[str, Content | None] = {path: None for path in missing if path in before}
        for path, content in left.changed.files.items():
            if content and before.get(path) != _print(content):
                found[path] = content
        return Changes(found)


def _output(folder: Path) -> Output:
    head, tail = _read(folder / "head"), _read(folder / "tail")
    return Output(head, tail, max(0, _number(folder / "beyond") - len(tail)))


def _number(file: Path) -> int:
    """What run.sh wrote there; 0 where it wrote nothing."""
    said = _read(file).strip()
    return int(said) if said.isdigit() else 0


def _lay(changes: Changes) -> str:
    """A script that lays the changes as a layer would lie: what is in the way of a folder or a file goes, links too."""
    gone = [path for path, content in sorted(changes.files.items()) if content is None]
    kept = [path for path, content in sorted(changes.files.items()) if content is not None]
    lines = ["set -e", 'cd "$2"']
    for path in gone:
        through_link = "".join(f"[ -L {_here(parent)} ] || " for parent in _parents(path))
        lines.append(f"{through_link}rm -rf {_here(path)}")
    for parent in dict.fromkeys(parent for path in kept for parent in _parents(path)):
        lines.append(f"[ -d {_here(parent)} ] && [ ! -L {_here(parent)} ] || rm -f {_here(parent)}")
    for path in kept:
        lines.append(f"[ ! -L {_here(path)} ] && [ ! -d {_here(path)} ] || rm -rf {_here(path)}")
    # -m: their time is now, or bytecode and build rules of the old content would win
    lines.append('tar -xmf "$1/changes.tar"')
    return "\n".join(lines) + "\n"


def _parents(path: str) -> list[str]:
    return [path[:n] for n, letter in enumerate(path) if letter == "/"]


def _here(path: str) -> str:
    return shlex.quote("./" + path)


def _check(path: str) -> None:
    if any(part in {"", ".", ".."} for part in path.split("/")) or "\0" in path:
        raise EngineError(f"{path!r} is no path below the tree")


def _whole(seconds: float) -> int:
    return max(1, math.ceil(seconds))


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file and link below a folder, in the same order everywhere."""
    for parent, folders, names in os.walk(folder):
        folders.sort()
        links = [name for name in folders if (Path(parent) / name).is_symlink()]
        for name in sorted([*names, *links]):
            source = Path(parent) / name
            yield source.relative_to(folder).as_posix(), source


def _content(source: Path) -> Content:
    if source.is_symlink():
        return Content(os.fsencode(source.readlink()), "120000")
    return Content(source.read_bytes(), "100755" if source.stat().st_mode & stat.S_IXUSR else "100644")


def _print(content: Content) -> tuple[str, bytes]:
    return content.mode, hashlib.sha256(content.data).digest()


def _archive(path: Path) -> tarfile.TarFile:
    return tarfile.open(path, "w", format=tarfile.GNU_FORMAT, encoding="utf-8", errors="surrogateescape")


def _add(archive: tarfile.TarFile, path: str, content: Content) -> None:
    member = tarfile.TarInfo(path)
    member.mtime = LONG_AGO
    if content.mode == "120000":
        member.type, member.linkname, member.mode = tarfile.SYMTYPE, os.fsdecode(content.data), 0o777
        archive.addfile(member)
        return
    member.mode, member.size = (0o755 if content.mode == "100755" else 0o644), len(content.data)
    archive.addfile(member, io.BytesIO(content.data))


def _read(path: Path) -> bytes:
    """One file of ours, up to a limit; nothing when there is none."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            return file.read(READ_LIMIT) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else b""
    except OSError:
        return b""
