"""No way leads out of the local sandbox; and the same ways are open to the same probe beside it, or it would prove nothing.

Everything that the probe looks for was planted for it. Dagger's engine is left out: over the stub, the test would look at
the stub's own isolation.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.escape_targets import ROOT, SHARED, Planted, number_of
from tests.snapshots import seen

KINDS = ("a step", "a fixer", "a step with changes", "a step on a copy", "a step with network", "setup")

# A run that is given the network has a way out. Without a bridge it is this machine's network, as SECURITY says.
WAY_OUT = frozenset({
    "network: interfaces", "network: default route", "network: default route of IPv6", "network: a way out",
    "network: a way out by IPv6", "network: a way to the cloud's metadata", "network: a resolver",
})  # fmt: skip
INSIDE = frozenset({
    "socket: abstract", "socket: abstract datagrams", "socket: listed", "loopback: TCP", "loopback: UDP",
    "loopback: TCP over IPv6", "loopback: UDP over IPv6", "loopback: listed",
})  # fmt: skip
NETWORKED = frozenset({"a step with network", "setup"})

ADMINISTER, EXCEED = 21, 24  # capabilities: SYS_ADMIN, SYS_RESOURCE

# What root alone has, and only where nothing has been taken from it.
ROOTS = frozenset({
    "file: /etc/shadow", "process: its namespaces", "network: raw packets", "network: whole frames",
    "right: capabilities", "right: to name the machine", "right: to set the clock", "right: to load modules",
    "right: to restart the machine", "right: device nodes", "right: to be another user", "right: another root",
    "right: to watch a processor", "right: programs in the kernel", "write: /usr", "write: /etc",
    "kernel: settings", "kernel: its log, by a call", "machine: changed in /sys", "machine: control groups",
})  # fmt: skip


def _routes(family: int, address: str) -> bool:
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as unsent:
        unsent.connect((address, 9))
        return True
    return False


def _has_terminal_input() -> bool:
    setting = Path("/proc/sys/dev/tty/legacy_tiocsti")
    return not setting.exists() or setting.read_text().strip() == "1" or _is_whole_root()


def _may(capability: int) -> bool:
    status = Path("/proc/self/status").read_text()
    return bool(int(status.partition("CapEff:")[2].split()[0], 16) >> capability & 1)


def _is_whole_root() -> bool:
    return os.geteuid() == 0 and _may(ADMINISTER)


# What not every machine has: why, and how to tell.
DEPENDS: Mapping[str, tuple[str, Callable[[], bool]]] = {
    "file: by its number": (
        "root, and a file system that numbers its files",
        lambda: _is_whole_root() and number_of(ROOT) is not None,
    ),
    "loopback: TCP over IPv6": ("IPv6", lambda: _routes(socket.AF_INET6, "::1")),
    "loopback: UDP over IPv6": ("IPv6", lambda: _routes(socket.AF_INET6, "::1")),
    "network: interfaces": ("a network", lambda: len(socket.if_nameindex()) > 1),
    "network: default route": ("a network", lambda: _routes(socket.AF_INET, "192.0.2.1")),
    "network: default route of IPv6": ("a network with IPv6", lambda: _routes(socket.AF_INET6, "2001:db8::1")),
    "network: a way out": ("a network", lambda: _routes(socket.AF_INET, "192.0.2.1")),
    "network: a way out by IPv6": ("a network with IPv6", lambda: _routes(socket.AF_INET6, "2001:db8::1")),
    "network: a way to the cloud's metadata": ("a network", lambda: _routes(socket.AF_INET, "169.254.169.254")),
    "network: a resolver": ("a network", lambda: "nameserver" in Path("/etc/resolv.conf").read_text()),
    "socket: to the hypervisor": ("a kernel with vsock", lambda: Path("/dev/vsock").exists()),
    "process: its limits": ("the same user, or the right to exceed limits", lambda: os.geteuid() != 0 or _may(EXCEED)),
    "right: mounts": ("root, or users of its own that may mount", _is_whole_root),
    "right: higher limits": ("the right to exceed limits", lambda: _may(EXCEED)),
    "terminal: type into it": ("a kernel before 6.2, or its old setting, or root", _has_terminal_input),
    "memory: a message queue": ("a kernel with message queues", lambda: Path("/proc/sys/fs/mqueue").exists()),
    "kernel: its memory": ("root, and a kernel that shows it", lambda: _is_whole_root() and Path("/proc/kcore").exists()),
    "kernel: the key to restart it": ("root, and a kernel with that key", lambda: os.access("/proc/sysrq-trigger", os.W_OK)),
    "kernel: its log": ("root, and the device", lambda: _is_whole_root() and Path("/dev/kmsg").exists()),
    "machine: disks": (
        "root, and disks",
        lambda: _is_whole_root() and any(map(Path.is_block_device, Path("/dev").iterdir())),
    ),
    "machine: other devices": ("devices that this user may open", _is_whole_root),
}


@dataclass(frozen=True)
class Found:
    """What the probe found in each kind of run, and beside the sandbox; and the machine before and after the sandboxes."""

    runs: Mapping[str, dict[str, Any]]
    beside: Mapping[str, bool]
    secret: str
    before: Mapping[str, tuple[object, ...]]
    after: Mapping[str, tuple[object, ...]]
    dropped: list[str]  # in folders that everybody may write


@pytest.fixture(scope="module")
def found(request: pytest.FixtureRequest) -> Iterator[Found]:
    cache = getattr(request.config, "cache", None)
    kept = cache.mkdir("escape") if cache else None  # not in /tmp, of which every sandbox has its own
    with tempfile.TemporaryDirectory(dir=kept) as top, tempfile.TemporaryDirectory(prefix="selfheal-escape-") as temp:
        planted = Planted(Path(top, "home"), Path(temp))
        marks = [folder / planted.mark for folder in SHARED]
        with planted.life:
            told = planted.plant()
            before = _machine(planted)
            runs = planted.start({**told, "scope": None, "first": 1}, planted.top / "checkout", planted.temp / "work")
            after, dropped = _machine(planted), [str(mark) for mark in marks if mark.exists()]
            witness = told["witness"]["pid"]
            beside = planted.start({**told, "scope": [witness], "first": witness})
            for mark in marks:
                mark.unlink(missing_ok=True)
        yield Found(runs, beside, planted.secret, before, after, dropped)


def _machine(planted: Planted) -> dict[str, tuple[object, ...]]:
    """All that was planted; in the folder for temporary files, what the caller and the engine write there is theirs."""
    temporary = seen(planted.temp)
    ours = [path for path in temporary if Path(path).name not in {planted.temp.name, "targets.json", "work"}]
    return {**seen(planted.top), **{path: temporary[path] for path in ours}}


@pytest.mark.parametrize("kind", KINDS)
def test_no_channel_leads_out_of(found: Found, kind: str) -> None:
    run = found.runs[kind]
    granted = WAY_OUT if kind in NETWORKED else frozenset()
    granted |= INSIDE if kind in NETWORKED and not run["bridged"] else frozenset()
    said = json.loads(run["said"])

    assert [name for name, is_open in said.items() if is_open and name not in granted] == []
    assert (said.keys(), run["exit code"]) == (found.beside.keys(), 0)


def test_nothing_of_the_machine_changed_and_no_secret_came_out(found: Found) -> None:
    assert found.after == found.before
    assert found.dropped == []
    assert found.secret not in json.dumps(found.runs)


def test_beside_the_sandbox_the_same_probe_finds_them_open(found: Found) -> None:
    expected = found.beside.keys() - ROOTS - DEPENDS.keys()
    expected |= {name for name, (_, is_there) in DEPENDS.items() if is_there()}
    expected |= ROOTS if _is_whole_root() else set()

    assert len(found.beside) > 120, len(found.beside)
    assert len(found.beside.keys() - ROOTS - DEPENDS.keys()) > 80
    assert expected - {name for name, is_open in found.beside.items() if is_open} == set()


def test_every_channel_has_its_place(found: Found) -> None:
    assert found.beside.keys() >= WAY_OUT | INSIDE | ROOTS | DEPENDS.keys()
    assert ROOTS.isdisjoint(DEPENDS)
