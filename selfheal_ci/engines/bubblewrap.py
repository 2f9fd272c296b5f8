"""The command lines of a sandbox: an outer one of ours, which hands over what an inner one, theirs, left behind."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from selfheal_ci.engines.host import HOME, Host, system_mounts
from selfheal_ci.values import REPORTS, SUPPORT, Command, Limits

# The outer one: run the inner one without our pipe, which comes as standard input; then hand over its exit code, reports
# and changed files. The exit code has a place of its own, where a full disk does not matter.
OUTER_SCRIPT = """exec 8>&0 </dev/null
"$@" 8>&- 9>/told/status
df -P -k /scratch >/told/disk
exec tar --sparse --xattrs --exclude=__pycache__ -cf - -C /told status disk -C /scratch reports tree >&8
"""
# As root: show the toolchains to the uid we drop to, in mounts of our own, then become that uid for good.
DROP_SCRIPT = """uid=$1; mnt=$2; shift 2; n=0
while [ "$1" != -- ]; do mount --rbind "$1" "$mnt/$n" || exit 125; n=$((n+1)); shift; done; shift
exec setpriv --reuid "$uid" --regid "$uid" --clear-groups --no-new-privs "$@"
"""
SCRATCH = ("tree", "work", "home", "homework", "tmp", "shm", "vartmp", "reports")


@dataclass(frozen=True)
class Frozen:
    """A prepared state on disk, and what of this machine goes with it."""

    state: Path  # holds tree, home, mnt, and bubblewrap where it had to be copied
    root: Path  # where runs see the tree
    uid: int
    bubblewrap: Path
    host: Host
    etc: Mapping[bool, Mapping[str, str]]  # with network or without → place on this machine → place in the sandbox

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


FROZEN = View()


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
        *_if(view.layer, "--ro-bind", str(view.layer), "/low/layer"),
        *_if(view.support, "--ro-bind", str(view.support), "/low/support"),
        *_read_only((source, f"/low{target}") for source, target in frozen.etc[command.network].items()),
        *_read_only((place, f"/low/toolchains/{n}") for n, place in enumerate(_toolchains(frozen))),
        "--size", str(limits.disk), "--tmpfs", "/scratch",
        "--size", "1048576", "--tmpfs", "/told",
        *(part for name in SCRATCH for part in ("--dir", f"/scratch/{name}")),
        "--", "/bin/sh", "-c", OUTER_SCRIPT, "sh",
    ]  # fmt: skip


def _inner(frozen: Frozen, view: View, command: Command, limits: Limits) -> list[str]:
    env = {**frozen.host.env, **command.env}
    program = f"/low/bubblewrap/{frozen.copied}" if frozen.copied else str(frozen.bubblewrap)
    return [
        "prlimit", f"--nproc={limits.processes}", "--core=0", "--",
        program, "--unshare-all", "--unshare-user", "--die-with-parent", "--cap-drop", "ALL", "--new-session",
        "--disable-userns", "--json-status-fd", "9", "--hostname", "selfheal", *_if(command.network, "--share-net"),
        *system_mounts(), "--proc", "/proc", "--dev", "/dev",
        *_read_only((f"/low{target}", target) for target in frozen.etc[command.network].values()),
        "--bind", "/scratch/shm", "/dev/shm", "--bind", "/scratch/tmp", "/tmp", "--bind", "/scratch/vartmp", "/var/tmp",  # noqa: S108
        *_read_only((f"/low/toolchains/{n}", str(root)) for n, root in enumerate(frozen.host.roots)),
        *(_lasting(frozen) if view.lasting else _overlaid(frozen, view)),
        "--bind", "/scratch/reports", REPORTS, *_if(view.support, "--ro-bind", "/low/support", SUPPORT),
        "--chdir", str(frozen.root),
        "--clearenv", *(part for name, value in env.items() for part in ("--setenv", name, value)), "--",
    ]  # fmt: skip


def _lasting(frozen: Frozen) -> list[str]:
    return ["--bind", "/low/tree", str(frozen.root), "--bind", "/low/home", HOME]


def _overlaid(frozen: Frozen, view: View) -> list[str]:
    """What is written goes to the scratch folder, whose size is limited. Nothing is created below the tree."""
    return [
        "--overlay-src", "/low/tree", *_if(view.layer, "--overlay-src", "/low/layer"),
        "--overlay", "/scratch/tree", "/scratch/work", str(frozen.root),
        "--overlay-src", "/low/home", "--overlay", "/scratch/home", "/scratch/homework", HOME,
    ]  # fmt: skip


def _toolchains(frozen: Frozen) -> list[str]:
    """Where the uid that runs reaches the toolchains: root mounts them for it."""
    if frozen.uid == os.geteuid():
        return [str(root) for root in frozen.host.roots]
    return [str(frozen.state / "mnt" / str(n)) for n in range(len(frozen.host.roots))]


def _dropped(frozen: Frozen, line: list[str]) -> list[str]:
    for place in _toolchains(frozen):
        Path(place).mkdir(exist_ok=True)
    drop = ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", DROP_SCRIPT, "sh"]
    return [*drop, str(frozen.uid), str(frozen.state / "mnt"), *map(str, frozen.host.roots), "--", *line]


def _read_only(pairs: Iterable[tuple[str, str]]) -> list[str]:
    return [part for source, target in pairs for part in ("--ro-bind", source, target)]


def _if(condition: object, *words: str) -> tuple[str, ...]:
    return words if condition else ()
