"""The command lines of a sandbox: an outer one of ours, which hands over what an inner one, theirs, left behind."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from selfheal_ci.engines.host import system_mounts
from selfheal_ci.engines.toolchains import HOME, SYSTEM, Host, resolved
from selfheal_ci.errors import EngineError
from selfheal_ci.values import REPORTS, SUPPORT, Command, Limits

# The outer one: run the inner one without our pipe, which comes as standard input; then hand over its exit code, reports
# and changed files. The exit code has a place of its own, where a full disk does not matter.
OUTER_SCRIPT = """exec 8>&0 </dev/null
[ ! -e /low/seccomp ] || exec 7</low/seccomp
"$@" 8>&- 9>/told/status
df -P -k /scratch >/told/disk
exec tar --sparse --xattrs --exclude=__pycache__ -cf - -C /told status disk -C /scratch reports tree >&8
"""
# The same for a person at a terminal, who leaves nothing behind.
SHELL_SCRIPT = """[ ! -e /low/seccomp ] || exec 7</low/seccomp
exec "$@" 9>/dev/null
"""
# As root: show the toolchains to the uid we drop to, in mounts of our own, then become that uid for good.
DROP_SCRIPT = """uid=$1; mnt=$2; shift 2; n=0
while [ "$1" != -- ]; do mount --rbind "$1" "$mnt/$n" || exit 125; n=$((n+1)); shift; done; shift
exec setpriv --reuid "$uid" --regid "$uid" --clear-groups --no-new-privs "$@"
"""
# No checkout may be one of these, or hold one; nor lie in one of the second line.
NEEDED = (HOME, "/tmp", "/var/tmp", "/etc", *SYSTEM)  # noqa: S108  "/" and "/home" hold one
CLOSED = ("/proc", "/dev", "/sys", REPORTS, SUPPORT)
SCRATCH = ("tree", "work", "home", "homework", "tmp", "shm", "vartmp", "reports")


@dataclass(frozen=True)
class Frozen:
    """A prepared state on disk, and what of this machine goes with it."""

    state: Path  # holds tree, home, mnt; bubblewrap where it had to be copied; seccomp where there is a filter
    root: Path  # where runs see the tree
    uid: int
    bubblewrap: Path
    host: Host
    etc: Mapping[bool, Mapping[str, str]]  # with network or without → place on this machine → place in the sandbox

    @property
    def filter(self) -> Path | None:
        """The system calls that are refused, as bubblewrap takes them."""
        file = self.state / "seccomp"
        return file if file.is_file() else None

    @property
    def copied(self) -> str | None:
        """Where the copied bubblewrap is below its folder; None for the system's own."""
        folder = self.state / "bubblewrap"
        return str(self.bubblewrap.relative_to(folder)) if folder in self.bubblewrap.parents else None


@dataclass(frozen=True)
class View:
    """What one run sees besides the frozen state."""

    layer: Path | None = None  # changes, laid over the tree
    support: Path | None = None
    lasting: bool = False  # it works on the frozen state itself: setup
    terminal: bool = False  # a person looks around


FROZEN = View()


def check_root(root: Path) -> None:
    """Raises EngineError for a checkout that would hide what a sandbox is made of."""
    for path in {root, resolved(root) or root}:
        covered = next((place for place in NEEDED if path in (Path(place), *Path(place).parents)), None)
        within = next((place for place in CLOSED if Path(place) in (path, *path.parents)), None)
        if covered or within:
            raise EngineError(
                f"a checkout at {root} cannot be run: it would stand for the sandbox's own {covered or within}",
                hint="clone into a folder of its own, such as one below your home, and run again there",
            )


def nested(frozen: Frozen, view: View, command: Command, limits: Limits) -> list[str]:
    """The whole command line, to be followed by the words that the inner sandbox runs."""
    line = [*_outer(frozen, view, command, limits), *_inner(frozen, view, command, limits)]
    return line if frozen.uid == os.geteuid() else _dropped(frozen, line)


def _outer(frozen: Frozen, view: View, command: Command, limits: Limits) -> list[str]:
    bind = "--bind" if view.lasting else "--ro-bind"
    return [
        str(frozen.bubblewrap), "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent",
        *_if(not command.network, "--unshare-net"),
        *system_mounts(), "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp",  # noqa: S108  the sandbox's own
        bind, str(frozen.state / "tree"), "/low/tree",
        bind, str(frozen.state / "home"), "/low/home",
        *_if(frozen.copied, "--ro-bind", str(frozen.state / "bubblewrap"), "/low/bubblewrap"),
        *_if(frozen.filter, "--ro-bind", str(frozen.filter), "/low/seccomp"),
        *_if(view.layer, "--ro-bind", str(view.layer), "/low/layer"),
        *_if(view.support, "--ro-bind", str(view.support), "/low/support"),
        *_read_only((source, f"/low{target}") for source, target in frozen.etc[command.network].items()),
        *_read_only((place, f"/low/toolchains/{n}") for n, place in enumerate(_toolchains(frozen))),
        "--size", str(limits.disk), "--tmpfs", "/scratch",
        "--size", "1048576", "--tmpfs", "/told",
        *(part for name in SCRATCH for part in ("--dir", f"/scratch/{name}")),
        "--", "/bin/sh", "-c", SHELL_SCRIPT if view.terminal else OUTER_SCRIPT, "sh",
    ]  # fmt: skip


def _inner(frozen: Frozen, view: View, command: Command, limits: Limits) -> list[str]:
    env = {**frozen.host.env, **command.env}
    program = f"/low/bubblewrap/{frozen.copied}" if frozen.copied else str(frozen.bubblewrap)
    return [
        "prlimit", f"--nproc={limits.processes}", "--core=0", "--",
        program, "--unshare-all", "--unshare-user", "--die-with-parent", "--cap-drop", "ALL", "--new-session",
        "--disable-userns", *_if(frozen.filter, "--seccomp", "7"), "--json-status-fd", "9", "--hostname", "selfheal",
        *_if(command.network, "--share-net"),
        *system_mounts(), "--proc", "/proc", "--dev", "/dev",
        *_read_only((f"/low{target}", target) for target in frozen.etc[command.network].values()),
        "--bind", "/scratch/shm", "/dev/shm", "--bind", "/scratch/tmp", "/tmp", "--bind", "/scratch/vartmp", "/var/tmp",  # noqa: S108
        *(("--bind", "/low/home", HOME) if view.lasting else _overlaid_home()),  # first: the others may lie below it
        *_read_only((f"/low/toolchains/{n}", str(root)) for n, root in enumerate(frozen.host.roots)),
        *(("--bind", "/low/tree", str(frozen.root)) if view.lasting else _overlaid_tree(frozen, view)),
        "--bind", "/scratch/reports", REPORTS, *_if(view.support, "--ro-bind", "/low/support", SUPPORT),
        "--chdir", str(frozen.root),
        "--clearenv", *(part for name, value in env.items() for part in ("--setenv", name, value)), "--",
    ]  # fmt: skip


def _overlaid_home() -> tuple[str, ...]:
    return ("--overlay-src", "/low/home", "--overlay", "/scratch/home", "/scratch/homework", HOME)


def _overlaid_tree(frozen: Frozen, view: View) -> tuple[str, ...]:
    """What is written goes to the scratch folder, whose size is limited. Nothing is created below the tree."""
    return (
        "--overlay-src", "/low/tree", *_if(view.layer, "--overlay-src", "/low/layer"),
        "--overlay", "/scratch/tree", "/scratch/work", str(frozen.root),
    )  # fmt: skip


def _toolchains(frozen: Frozen) -> list[str]:
    """Where the uid that runs reaches the toolchains: root mounts them for it."""
    if frozen.uid == os.geteuid():
        return [str(root) for root in frozen.host.roots]
    return [str(frozen.state / "mnt" / str(n)) for n in range(len(frozen.host.roots))]


def _dropped(frozen: Frozen, line: list[str]) -> list[str]:
    for place, root in zip(map(Path, _toolchains(frozen)), frozen.host.roots, strict=True):
        if root.is_file():
            place.touch()
        else:
            place.mkdir(exist_ok=True)
    drop = ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", DROP_SCRIPT, "sh"]
    return [*drop, str(frozen.uid), str(frozen.state / "mnt"), *map(str, frozen.host.roots), "--", *line]


def _read_only(pairs: Iterable[tuple[str, str]]) -> list[str]:
    return [part for source, target in pairs for part in ("--ro-bind", source, target)]


def _if(condition: object, *words: str) -> tuple[str, ...]:
    return words if condition else ()
