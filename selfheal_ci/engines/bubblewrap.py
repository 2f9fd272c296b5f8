"""The command lines of a sandbox: an outer one of ours, which hands over what an inner one, theirs, left behind."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from selfheal_ci.engines.bridge import Bridge
from selfheal_ci.engines.host import Bubblewrap, system_mounts
from selfheal_ci.engines.toolchains import HOME, SYSTEM, Host, resolved
from selfheal_ci.errors import EngineError
from selfheal_ci.values import REPORTS, SUPPORT, Command, Limits

# The outer one: run the inner one without our pipe, which comes as standard input; then hand over its exit code, reports
# and changed files. The exit code has a place of its own, where a full disk does not matter. The id of the next process is
# the number of all that were started here.
OUTER_SCRIPT = """exec 8>&0 </dev/null
[ ! -e /low/seccomp ] || exec 7</low/seccomp
"$@" 8>&- 9>/told/status
df -P -k /scratch >/told/disk
sh -c 'echo $$' >/told/started
exec tar --sparse --xattrs --anchored '--exclude=*/__pycache__' -cf - \\
  -C /told status disk started -C /scratch reports tree >&8 2>/dev/null
"""
# The same where folders cannot be laid over each other.
COPY_SCRIPT = Path(__file__).with_name("copying.sh").read_text()
# The same for a person at a terminal, who leaves nothing behind.
SHELL_SCRIPT = """[ ! -e /low/seccomp ] || exec 7</low/seccomp
exec "$@" 9>/dev/null
"""
# As root: show the toolchains to the uid we drop to, in mounts of our own, then become that uid for good.
DROP_SCRIPT = """uid=$1; mnt=$2; shift 2; n=0
while [ "$1" != -- ]; do mount --rbind "$1" "$mnt/$n" || exit 125; n=$((n+1)); shift; done; shift
exec setpriv --reuid "$uid" --regid "$uid" --clear-groups "$@"
"""
# No checkout may be one of these, or hold one; nor lie in one of the second line.
NEEDED = (HOME, "/tmp", "/var/tmp", "/etc", *SYSTEM)  # noqa: S108  "/" and "/home" hold one
CLOSED = ("/proc", "/dev", "/sys", REPORTS, SUPPORT)
STATUS, LISTS = 1 << 20, 256 << 20  # bytes for what the outer one notes
SCRATCH = ("tree", "work", "home", "homework", "tmp", "shm", "vartmp", "reports")


@dataclass(frozen=True)
class Frozen:
    """A prepared state on disk, and what of this machine goes with it."""

    tree: Path
    home: Path
    work: Path  # holds mnt, and seccomp where there is a filter
    root: Path  # where runs see the tree
    uid: int
    bubblewrap: Bubblewrap
    host: Host
    etc: Mapping[bool, Mapping[str, str]]  # with network or without → place on this machine → place in the sandbox
    bridge: Bridge | None = None  # how a command with network gets one of its own; None: it has the host's
    unbridged: str = ""  # what those said that are installed and give it none
    layers: tuple[Path, ...] = ()  # laid over the tree for every run, the lowest first
    overlays: bool = True  # whether folders can be laid over each other here; else every run gets a copy
    size: int = 0  # bytes that a copy takes

    @property
    def filter(self) -> Path | None:
        """The system calls that are refused, as bubblewrap takes them."""
        file = self.work / "seccomp"
        return file if file.is_file() else None

    @property
    def places(self) -> Mapping[Path, str]:
        """Where the uid that runs reaches what is shown to it: root mounts it for that uid."""
        sources = (*self.host.roots, self.tree, self.home, *self.layers)  # roots first: they keep their numbers
        if self.uid == os.geteuid():
            return {source: str(source) for source in sources}
        return {source: str(self.work / "mnt" / str(n)) for n, source in enumerate(sources)}


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
    line = [*_bridge(frozen, command), *_outer(frozen, view, command, limits), *_inner(frozen, view, command, limits)]
    return line if frozen.uid == os.geteuid() else _dropped(frozen, line)


def _bridge(frozen: Frozen, command: Command) -> tuple[str, ...]:
    """What comes before a command with network, as the uid that it would have without."""
    if not (frozen.bridge and command.network):
        return ()
    gid = os.getegid() if frozen.uid == os.geteuid() else frozen.uid
    return (*frozen.bridge.words, "unshare", "--user", f"--map-user={frozen.uid}", f"--map-group={gid}", "--")


def _outer(frozen: Frozen, view: View, command: Command, limits: Limits) -> list[str]:
    bind = "--bind" if view.lasting else "--ro-bind"
    places, layers = frozen.places, _layers(frozen, view)
    copies = not frozen.overlays and not view.lasting
    return [
        str(frozen.bubblewrap.program),
        "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent",
        *_if(not command.network, "--unshare-net"),
        *system_mounts(), "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp",  # noqa: S108  the sandbox's own
        bind, places[frozen.tree], "/low/tree",
        bind, places[frozen.home], "/low/home",
        *_read_only(frozen.bubblewrap.folders.items()),
        *_if(frozen.filter, "--ro-bind", str(frozen.filter), "/low/seccomp"),
        *_read_only((places.get(layer, str(layer)), f"/low/layers/{n}") for n, layer in enumerate(layers)),
        *_if(view.support, "--ro-bind", str(view.support), "/low/support"),
        *_read_only((source, f"/low{target}") for source, target in frozen.etc[command.network].items()),
        *_read_only((places[root], f"/low/toolchains/{n}") for n, root in enumerate(frozen.host.roots)),
        "--size", str(limits.disk + (frozen.size if copies else 0)), "--tmpfs", "/scratch",
        "--size", str(LISTS if copies else STATUS), "--tmpfs", "/told",
        *(part for name in SCRATCH for part in ("--dir", f"/scratch/{name}")),
        "--", "/bin/sh", "-c", SHELL_SCRIPT if view.terminal else COPY_SCRIPT if copies else OUTER_SCRIPT, "sh",
    ]  # fmt: skip


def _inner(frozen: Frozen, view: View, command: Command, limits: Limits) -> list[str]:
    env = {**frozen.host.env, **command.env}
    return [
        "prlimit", f"--nproc={limits.processes}", "--core=0", "--",
        frozen.bubblewrap.inside,
        "--unshare-all", "--unshare-user", "--die-with-parent", "--cap-drop", "ALL", "--new-session", "--disable-userns",
        *_if(frozen.filter, "--seccomp", "7"), "--json-status-fd", "9", "--hostname", "selfheal",
        *_if(command.network, "--share-net"),
        *system_mounts(), "--proc", "/proc", *_hidden(), "--dev", "/dev",
        *_read_only((f"/low{target}", target) for target in frozen.etc[command.network].values()),
        "--bind", "/scratch/shm", "/dev/shm", "--bind", "/scratch/tmp", "/tmp", "--bind", "/scratch/vartmp", "/var/tmp",  # noqa: S108
        *_home(frozen, view),  # first: the others may lie below it
        *_read_only((f"/low/toolchains/{n}", str(root)) for n, root in enumerate(frozen.host.roots)),
        *_tree(frozen, view),
        "--bind", "/scratch/reports", REPORTS, *_if(view.support, "--ro-bind", "/low/support", SUPPORT),
        "--remount-ro", "/", "--remount-ro", "/dev",  # its own, without a size; what is mounted below stays
        "--chdir", str(frozen.root),
        "--clearenv", *(part for name, value in env.items() for part in ("--setenv", name, value)), "--",
    ]  # fmt: skip


def _hidden() -> list[str]:
    """What /proc tells of this machine's users, whatever the namespace."""
    return _read_only(("/dev/null", place) for place in ("/proc/keys", "/proc/key-users") if Path(place).exists())


def _home(frozen: Frozen, view: View) -> tuple[str, ...]:
    if view.lasting:
        return ("--bind", "/low/home", HOME)
    if not frozen.overlays:
        return ("--bind", "/scratch/home", HOME)
    return ("--overlay-src", "/low/home", "--overlay", "/scratch/home", "/scratch/homework", HOME)


def _tree(frozen: Frozen, view: View) -> tuple[str, ...]:
    """What is written goes to the scratch folder, whose size is limited. Nothing is created below the tree."""
    if view.lasting:
        return ("--bind", "/low/tree", str(frozen.root))
    if not frozen.overlays:
        return ("--bind", "/scratch/tree", str(frozen.root))
    layers = (part for n in range(len(_layers(frozen, view))) for part in ("--overlay-src", f"/low/layers/{n}"))
    return ("--overlay-src", "/low/tree", *layers, "--overlay", "/scratch/tree", "/scratch/work", str(frozen.root))


def _layers(frozen: Frozen, view: View) -> tuple[Path, ...]:
    return () if view.lasting else (*frozen.layers, *((view.layer,) if view.layer else ()))


def _dropped(frozen: Frozen, line: list[str]) -> list[str]:
    for source, place in frozen.places.items():
        if source.is_file():
            Path(place).touch()
        else:
            Path(place).mkdir(exist_ok=True)
    drop = ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", DROP_SCRIPT, "sh"]
    return [*drop, str(frozen.uid), str(frozen.work / "mnt"), *map(str, frozen.places), "--", *line]


def _read_only(pairs: Iterable[tuple[str, str]]) -> list[str]:
    return [part for source, target in pairs for part in ("--ro-bind", source, target)]


def _if(condition: object, *words: str) -> tuple[str, ...]:
    return words if condition else ()
