"""Which installations of this machine a sandbox sees, and what is never one, whatever PATH or a tree says."""

from __future__ import annotations

import glob
import os
import pwd
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from selfheal_ci.values import REPORTS, SUPPORT

HOME = "/home/selfheal"
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
# installation roots that a variable names: where they usually are below HOME, and one of what they hold
HOMES: dict[str, tuple[str | None, tuple[str, ...]]] = {
    "PYENV_ROOT": (".pyenv", ("shims", "versions")),
    "RUSTUP_HOME": (".rustup", ("toolchains",)),
    "NVM_DIR": (".nvm", ("nvm.sh", "versions")),
    "GOROOT": (None, ("bin/go",)),
    "JAVA_HOME": (None, ("bin/java",)),
}
TOOLCHAINS = frozenset({".pyenv", ".rbenv", ".nodenv", ".rustup", ".nvm", ".asdf", ".sdkman"})  # shown whole, wherever
KINDS = (("bin/go", "src"), ("bin/java", "release"), ("bin/mvn", "boot"), ("shims", "versions"))  # shown whole, too
SIGNS = ("lib", "lib64", "libexec", "share", "pyvenv.cfg", "versions")  # a folder that holds one and a bin has tools
PARTS = ("bin", "sbin", "lib", "lib64", "libexec", "share", "include", "pyvenv.cfg")
BINS = frozenset({"bin", ".bin", "sbin", "shims"})
# places that hold logins: of them a sandbox sees no more than a bin folder on PATH
SECRET = frozenset({
    ".ssh", ".aws", ".azure", ".config", ".docker", ".gnupg", ".kube", ".oci", ".password-store", ".mozilla", ".thunderbird",
})  # fmt: skip
CLOSED = ("/run", "/var/run", "/proc", "/sys", "/dev", "/etc", REPORTS, SUPPORT)
PASSED = ("LANG", "LC_ALL", "LC_CTYPE", "TZ", "VIRTUAL_ENV")


@dataclass(frozen=True)
class Host:
    """The folders and variables that every sandbox on this machine gets."""

    roots: tuple[Path, ...]  # toolchains outside the system folders, read-only at their own paths
    env: Mapping[str, str]


def look(environ: Mapping[str, str], *, tree: Path) -> Host:
    """Find what a run of the tree at `tree` needs of this machine."""
    home = Path(environ.get("HOME") or "/nonexistent")
    bounds = _bounds(home, tree)
    folders = [Path(part) for part in environ.get("PATH", "/usr/bin:/bin").split(":") if part.startswith("/")]
    active = [Path(environ["VIRTUAL_ENV"], "bin")] if environ.get("VIRTUAL_ENV") else []
    homes = dict(_homes(environ, home))
    found = [part for folder in folders + active for part in _of_path(folder, bounds)] + list(homes.values())
    for environment in (*(folder.parent for folder in folders + active), *_environments(tree)):
        found += _base_of(environment, bounds)
    roots = _outermost(name for place in found for name in bounds.shown(place))
    # what a name with ".." means, only the links of this machine tell
    real = [resolved(folder) or folder if ".." in folder.parts else folder for folder in folders]
    visible = (*map(Path, SYSTEM), *roots, *bounds.trees)
    seen = [folder for folder in real if any(_inside(folder, place) for place in visible)]
    env = {name: environ[name] for name in PASSED if name in environ}
    env |= {name: str(path) for name, path in homes.items() if any(_inside(path, root) for root in roots)}
    env |= {
        "PATH": ":".join(dict.fromkeys([*map(str, seen), "/usr/local/bin", "/usr/bin", "/bin"])),
        "HOME": HOME,
        "USER": "selfheal",
        "LOGNAME": "selfheal",
        "TMPDIR": "/tmp",  # noqa: S108  the sandbox's own
    }
    return Host(roots, {"LANG": "C.UTF-8"} | env)


@dataclass(frozen=True)
class _Bounds:
    """What no toolchain is, whatever PATH, a variable or the tree says."""

    homes: frozenset[Path]
    trees: frozenset[Path]  # the checkout, as it is named and where it is

    def shown(self, path: Path) -> tuple[Path, ...]:
        """The names under which to show a place: its own, and where its links lead. None where either is too much."""
        real = resolved(path)
        if real is None or not os.access(real, os.R_OK | os.X_OK if os.path.isdir(real) else os.R_OK):
            return ()
        names = (real,) if ".." in path.parts else (path, real)
        return () if any(map(self._refuses, names)) else tuple(name for name in names if not _is_system(name))

    def _refuses(self, path: Path) -> bool:
        if _is_system(path):
            return False
        secret = not SECRET.isdisjoint(path.parts) and path.name not in BINS
        near = any(_inside(path, tree) for tree in self.trees) or any(_inside(path, Path(folder)) for folder in CLOSED)
        wide = any(_inside(place, path) for place in (*self.homes, *self.trees, *map(Path, CLOSED)))
        return secret or near or wide or len(path.parts) < 3  # noqa: PLR2004  /one is too wide


def _bounds(home: Path, tree: Path) -> _Bounds:
    homes = {home, *(Path(user.pw_dir) for user in pwd.getpwall() if user.pw_dir.startswith("/"))}
    return _Bounds(
        frozenset(homes | {real for place in homes if (real := resolved(place))}),
        frozenset({tree, resolved(tree) or tree}),
    )


def _of_path(folder: Path, bounds: _Bounds) -> Iterator[Path]:
    """A folder on PATH, and what of its installation its programs need."""
    for name in bounds.shown(folder):
        yield name
        yield from (parent for parent in name.parents if parent.name in TOOLCHAINS)
        if name.name in BINS and bounds.shown(name.parent):
            yield from _of_prefix(name.parent)


def _of_prefix(prefix: Path) -> Iterator[Path]:
    """An installation: whole if it is of a kind we know, else the parts that hold no settings."""
    if prefix.name == ".local":
        yield from (prefix / "share/uv" / part for part in ("python", "tools"))
    elif prefix.name != ".cargo":
        if any(all(os.path.exists(prefix / sign) for sign in kind) for kind in KINDS):
            yield prefix
        if any(os.path.exists(prefix / sign) for sign in SIGNS):
            yield from _parts(prefix)


def _parts(prefix: Path) -> Iterator[Path]:
    """The parts of an installation that lie in it; a link leads to nothing else."""
    real = resolved(prefix)
    for name in PARTS:
        part = resolved(prefix / name)
        if part and real and _inside(part, real) and (prefix.name, name) != (".local", "share"):
            yield prefix / name


def _homes(environ: Mapping[str, str], home: Path) -> Iterator[tuple[str, Path]]:
    """The installation roots that a variable names, where they are what it says."""
    for name, (usual, signs) in HOMES.items():
        place = Path(environ[name]) if environ.get(name) else home / usual if usual else None
        if place and place.is_absolute() and any(os.path.exists(place / sign) for sign in signs):
            yield name, place


def _environments(tree: Path) -> Iterator[Path]:
    """Where the virtual environments of a tree usually are."""
    yield from (tree / name for name in (".venv", "venv"))
    for parent in (".tox", ".nox"):
        with suppress(OSError):
            yield from (tree / parent / name for name in os.listdir(tree / parent))


def _base_of(environment: Path, bounds: _Bounds) -> Iterator[Path]:
    """The Python installation that a virtual environment was made from. The tree may have written what we read."""
    for line in _read(environment / "pyvenv.cfg").splitlines():
        name, _, value = line.partition("=")
        programs = Path(value.strip())
        if name.strip() == "home" and programs.is_absolute() and (real := resolved(programs)):
            for base in {real.parent} if ".." in programs.parts else {programs.parent, real.parent}:
                if _is_python(base) and bounds.shown(base):
                    yield from _parts(base)


def _is_python(base: Path) -> bool:
    place = glob.escape(str(base))
    return bool(glob.glob(f"{place}/bin/python3*") and glob.glob(f"{place}/lib*/p*3.*/os.py"))


def _read(path: Path) -> str:
    """The beginning of a small regular file; nothing where there is none that we may read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, errors="replace") as file:
            return file.read(1 << 16) if stat.S_ISREG(os.fstat(descriptor).st_mode) else ""
    except (OSError, ValueError):
        return ""


def resolved(path: Path) -> Path | None:
    """Where the links of a path lead; None where they lead nowhere that we may look at."""
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):  # unreadable, absent, or links in a circle
        return None


def _outermost(roots: Iterable[Path]) -> tuple[Path, ...]:
    unique = sorted(set(roots))
    return tuple(root for root in unique if not any(root != other and _inside(root, other) for other in unique))


def _inside(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents


def _is_system(path: Path) -> bool:
    return any(_inside(path, Path(folder)) for folder in SYSTEM)
