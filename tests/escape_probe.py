"""Tries the ways out of a sandbox, and prints as JSON which are open: {channel: whether}. Needs nothing but Python.

    python3 escape_probe.py targets.json

The targets were planted for it: files, sockets, servers on loopback, a process. Every secret among them begins with
`planted-`, and only its hash is known here, so what is found was read where it was planted. It sends nothing beyond the
machine, reads no process but those that it is given (or, in a sandbox, sees), and changes no setting: what only an attempt
on the machine itself could tell, it asks of permissions and capabilities.
"""

# ruff: noqa: PTH103, PTH108, PTH112, PTH116, PTH118, PTH119, PTH120, PTH208

from __future__ import annotations

import ctypes
import ctypes.util
import errno
import fcntl
import hashlib
import json
import mmap
import os
import platform
import re
import resource
import signal
import socket
import stat
import struct
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

PATIENCE = 2  # seconds for each channel
PLANTED = re.compile(rb"planted-[0-9a-f]{32}")
CLOSED, OPEN, BROKEN = 0, 1, 2

Targets = dict[str, Any]  # what test_escape.py wrote
Check = Callable[[], bool]

kernel = ctypes.CDLL(None, use_errno=True)
SYSCALLS = {
    "x86_64": {"keyctl": 250, "perf_event_open": 298, "bpf": 321},
    "aarch64": {"keyctl": 219, "perf_event_open": 241, "bpf": 280},
}
PIDFD_GETFD = 438
SESSION_KEYRING, SEARCH, READ = -3, 10, 11
NEW_USER, NEW_MOUNTS, NEW_NETWORK = 0x10000000, 0x00020000, 0x40000000
PRIVATE = 0x44000  # MS_REC | MS_PRIVATE
NO_NEW_PRIVS, DETACH, SEIZE = 39, 17, 0x4206
SYSLOG_SIZE = 10
SET_HOSTNAME, SET_TIME, LOAD_MODULES, REBOOT = 21, 25, 16, 22  # capabilities: SYS_ADMIN and so on
HARMLESS = {(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2)}  # null zero full random urandom tty ptmx
TERMINALS = range(136, 144)


def channels(targets: Targets) -> dict[str, Check]:
    """Every channel that there is."""
    return {
        **_environment(targets),
        **_other_processes(targets),
        **_files(targets),
        **_sockets(targets),
        **_network(targets),
        **_handed_down(targets),
        **_shared_memory(targets),
        **_privileges(targets),
        **_writing(targets),
        **_machine(targets),
    }


# what the channels have in common -------------------------------------------------------------------------------------


def _ok(result: int) -> int:
    """The result of a call of the C library. Raises OSError when it failed."""
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _call(name: str, *arguments: Any) -> int:
    number = SYSCALLS.get(platform.machine(), {}).get(name)
    if number is None:
        raise OSError(errno.ENOSYS, name)
    return _ok(kernel.syscall(ctypes.c_long(number), *arguments))


def _is_secret(targets: Targets, data: bytes) -> bool:
    return any(hashlib.sha256(found).hexdigest() == targets["secret"] for found in PLANTED.findall(data))


def _holds_secret(targets: Targets, path: str | int) -> bool:
    """Whether a file, or what a descriptor leads to, holds it."""
    descriptor = path if isinstance(path, int) else os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    return _is_secret(targets, os.read(descriptor, 1 << 16))


def _is_the_hosts(targets: Targets, path: str) -> bool:
    about = os.stat(path)
    return bool([about.st_dev, about.st_ino] == targets["identities"].get(path))


def _pids(targets: Targets) -> list[int]:
    """The processes that we may look at: those we were given, else all that are to be seen."""
    return targets["scope"] or [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]


def _any_of(check: Callable[..., bool], values: Any) -> bool:
    for value in values:
        with suppress(OSError):
            if check(value):
                return True
    return False


def _status(pid: int | str, field: str) -> str:
    found = re.search(rf"^{field}:\s*(.*)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return found[1] if found else ""


# what a process has from the one that started it ----------------------------------------------------------------------


def _environment(targets: Targets) -> dict[str, Check]:
    def parents() -> Iterator[int]:
        pid = int(_status("self", "PPid"))
        while pid > 0 and (targets["scope"] is None or pid in {os.getppid(), *targets["scope"]}):
            yield pid
            pid = int(_status(pid, "PPid"))

    def reads(pid: int, name: str = "environ") -> bool:
        return _is_secret(targets, Path(f"/proc/{pid}/{name}").read_bytes())

    def names_a_socket() -> bool:
        return any(str(path) in value for path in targets["sockets"].values() for value in os.environ.values())

    return {
        "environment: a secret": lambda: any(_is_secret(targets, value) for value in os.environb.values()),
        "environment: the place of a socket": names_a_socket,
        "environment: of the first process": lambda: reads(targets["first"]),
        "environment: of a parent": lambda: _any_of(reads, parents()),
        "environment: of any process": lambda: _any_of(reads, _pids(targets)),
        "arguments: of any process": lambda: _any_of(partial(reads, name="cmdline"), _pids(targets)),
    }


class _Span(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def _other_processes(targets: Targets) -> dict[str, Check]:
    witness, address = int(targets["witness"]["pid"]), int(targets["witness"]["address"])

    def started(pid: int) -> int:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])

    def is_witness(pid: int) -> bool:
        return bool(started(pid) == targets["witness"]["started"])

    def is_not_ours() -> bool:
        """Whether the number is the witness's: in a sandbox it may be that of a process there."""
        with suppress(OSError):
            return is_witness(witness)
        return True

    def signals() -> bool:
        os.kill(witness, 0)
        return is_not_ours()

    def memory_file(pid: int) -> bool:
        memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
        return _is_secret(targets, os.pread(memory, 64, address))

    def memory_call(pid: int) -> bool:
        data = ctypes.create_string_buffer(64)
        ours = _Span(ctypes.cast(data, ctypes.c_void_p), 64)
        theirs = _Span(address, 64)
        _ok(kernel.process_vm_readv(pid, ctypes.byref(ours), 1, ctypes.byref(theirs), 1, 0))
        return _is_secret(targets, data.raw)

    def trace() -> bool:
        _ok(kernel.ptrace(SEIZE, witness, None, None))
        kernel.ptrace(DETACH, witness, None, None)
        return is_not_ours()

    def limits() -> bool:
        resource.prlimit(witness, resource.RLIMIT_NOFILE)
        return is_not_ours()

    def opened(pid: int) -> bool:
        return _any_of(partial(_holds_secret, targets), (f"/proc/{pid}/fd/{name}" for name in os.listdir(f"/proc/{pid}/fd")))

    def takes_descriptor(pid: int) -> bool:
        process = os.pidfd_open(pid)
        taken = _ok(kernel.syscall(ctypes.c_long(PIDFD_GETFD), process, targets["witness"]["descriptor"], 0))
        return _is_secret(targets, os.pread(taken, 64, 0))

    def through(name: str, pid: int) -> bool:
        return _holds_secret(targets, f"/proc/{pid}/{name}")

    def joins(pid: int) -> bool:
        _ok(kernel.setns(os.open(f"/proc/{pid}/ns/net", os.O_RDONLY), NEW_NETWORK))
        return True

    secret = str(targets["secret file"]).lstrip("/")
    return {
        "process: seen": lambda: _any_of(is_witness, _pids(targets)),
        "process: its root": lambda: _any_of(partial(through, f"root/{secret}"), _pids(targets)),
        "process: its folder": lambda: _any_of(partial(through, "cwd/secret"), _pids(targets)),
        "process: its open files": lambda: _any_of(opened, _pids(targets)),
        "process: a copy of its open file": lambda: _any_of(takes_descriptor, {witness, *_pids(targets)}),
        "process: its memory, as a file": lambda: _any_of(memory_file, _pids(targets)),
        "process: its memory, by a call": lambda: _any_of(memory_call, {witness, *_pids(targets)}),
        "process: a signal": signals,
        "process: ptrace": trace,
        "process: its limits": limits,
        "process: its namespaces": lambda: _any_of(joins, _pids(targets)),
    }


# what lies on the disk ------------------------------------------------------------------------------------------------


def _files(targets: Targets) -> dict[str, Check]:
    def reads(place: str) -> bool:
        here = place.replace(targets["home"], os.path.expanduser("~"), 1)  # noqa: PTH111
        return _any_of(partial(_holds_secret, targets), dict.fromkeys((place, here)))

    return {
        **{f"file: {name}": partial(reads, place) for name, place in targets["files"].items()},
        "file: /etc/passwd of the machine": lambda: _is_the_hosts(targets, "/etc/passwd"),
        "file: /etc/shadow": lambda: os.access("/etc/shadow", os.R_OK),
        "file: by its number": partial(_by_handle, targets),
        "folder: the engine's": lambda: os.listdir(targets["work"]) is not None,
        "folder: the machine's, beside /usr": lambda: _any_of(partial(_is_the_hosts, targets), targets["top folders"]),
    }


def _by_handle(targets: Targets) -> bool:
    """What no mount shows, a file system still finds by its number, for whoever has the right."""
    if not targets["handle"]:
        return False
    kind, number = targets["handle"]
    data = bytes.fromhex(number)
    handle = ctypes.create_string_buffer(struct.pack("Ii", len(data), kind) + data)

    def finds(beside: str) -> bool:
        file = _ok(kernel.open_by_handle_at(os.open(beside, os.O_RDONLY), handle, os.O_RDONLY))
        return _holds_secret(targets, file)

    return _any_of(finds, (os.path.dirname(targets["secret file"]), "/usr", "/", "/tmp", "/etc/passwd"))


# sockets and the network ----------------------------------------------------------------------------------------------


def _answers(targets: Targets, kind: int, family: int, address: Any) -> bool:
    """Whether a server says the secret to whoever knocks."""
    with socket.socket(family, kind) as knocking:
        if kind == socket.SOCK_DGRAM and family == socket.AF_UNIX:
            knocking.bind("")  # a name that the kernel chooses, to be answered at
        knocking.connect(address)
        knocking.send(b"knock\n")
        return _is_secret(targets, knocking.recv(4096))


@contextmanager
def short_name(path: str) -> Iterator[str]:
    """A name for a socket's path, which may be longer than an address has room for."""
    folder = os.open(os.path.dirname(path), os.O_PATH)
    try:
        yield f"/proc/self/fd/{folder}/{os.path.basename(path)}"
    finally:
        os.close(folder)


def _sockets(targets: Targets) -> dict[str, Check]:
    stream, datagram = socket.SOCK_STREAM, socket.SOCK_DGRAM

    def at_path(path: str, kind: int = stream) -> bool:
        with short_name(path) as name:
            return _answers(targets, kind, socket.AF_UNIX, name)

    def pipe() -> bool:
        os.open(targets["pipe"], os.O_WRONLY | os.O_NONBLOCK)  # fails where nobody reads
        return True

    def listed() -> bool:
        return targets["abstract stream"] in Path("/proc/net/unix").read_text()

    def vsock() -> bool:
        socket.socket(socket.AF_VSOCK, stream).close()
        return True

    return {
        **{f"socket: {name}": partial(at_path, path) for name, path in targets["sockets"].items()},
        "socket: datagrams in a folder": lambda: at_path(targets["datagram"], datagram),
        "socket: abstract": lambda: _answers(targets, stream, socket.AF_UNIX, "\0" + targets["abstract stream"]),
        "socket: abstract datagrams": lambda: _answers(
            targets, datagram, socket.AF_UNIX, "\0" + targets["abstract datagram"]
        ),
        "socket: listed": listed,
        "socket: to the hypervisor": vsock,  # no namespace holds these
        "pipe: in a folder": pipe,
    }


def _network(targets: Targets) -> dict[str, Check]:
    four, six, ports = socket.AF_INET, socket.AF_INET6, targets["ports"]

    def route(family: int, address: str) -> bool:
        with socket.socket(family, socket.SOCK_DGRAM) as unsent:
            unsent.connect((address, 9))  # finds the route; nothing is sent
        return True

    def default_route(file: str, column: int, wanted: str) -> bool:
        lines = [line.split() for line in Path(file).read_text().splitlines()]
        return any(line[column] == wanted and line[-1] != "lo" for line in lines if len(line) > column)

    def listed() -> bool:
        return f":{ports['tcp4']:04X} " in Path("/proc/net/tcp").read_text()

    def new(family: int, kind: int, protocol: int) -> bool:
        socket.socket(family, kind, protocol).close()
        return True

    return {
        "loopback: TCP": lambda: _answers(targets, socket.SOCK_STREAM, four, ("127.0.0.1", ports["tcp4"])),
        "loopback: UDP": lambda: _answers(targets, socket.SOCK_DGRAM, four, ("127.0.0.1", ports["udp4"])),
        "loopback: TCP over IPv6": lambda: _answers(targets, socket.SOCK_STREAM, six, ("::1", ports["tcp6"])),
        "loopback: UDP over IPv6": lambda: _answers(targets, socket.SOCK_DGRAM, six, ("::1", ports["udp6"])),
        "loopback: listed": listed,
        "network: interfaces": lambda: any(name != "lo" for _, name in socket.if_nameindex()),
        "network: default route": lambda: default_route("/proc/net/route", 1, "00000000"),
        "network: default route of IPv6": lambda: default_route("/proc/net/ipv6_route", 0, "0" * 32),
        "network: a way out": lambda: route(four, "192.0.2.1"),
        "network: a way out by IPv6": lambda: route(six, "2001:db8::1"),
        "network: a way to the cloud's metadata": lambda: route(four, "169.254.169.254"),
        "network: a resolver": lambda: "nameserver" in Path("/etc/resolv.conf").read_text(),
        "network: raw packets": lambda: new(four, socket.SOCK_RAW, socket.IPPROTO_ICMP),
        "network: whole frames": lambda: new(socket.AF_PACKET, socket.SOCK_RAW, 0),
    }


# terminal, descriptors, keys, memory ----------------------------------------------------------------------------------


def _handed_down(targets: Targets) -> dict[str, Check]:
    def terminals() -> Iterator[int]:
        with suppress(OSError):
            yield os.open("/dev/tty", os.O_RDWR)
        yield from (number for number in descriptors(0) if os.isatty(number))

    def descriptors(first: int = 3) -> list[int]:
        return [int(name) for name in os.listdir("/proc/self/fd") if int(name) >= first]

    def types(terminal: int) -> bool:
        fcntl.ioctl(terminal, termios.TIOCSTI, b" ")
        return True

    def opens_terminal() -> bool:
        os.open("/dev/tty", os.O_RDWR)
        return True

    def beside(descriptor: int) -> bool:
        return _holds_secret(targets, os.open("secret", os.O_RDONLY, dir_fd=descriptor))

    def whole(descriptor: int) -> bool:
        return _is_secret(targets, os.pread(descriptor, 4096, 0))

    def speaks(descriptor: int) -> bool:
        with socket.socket(fileno=descriptor) as inherited:
            inherited.settimeout(0.2)
            return _is_secret(targets, inherited.recv(4096, socket.MSG_PEEK))

    def key() -> bool:
        name = str(targets["key"]).encode()
        number = _call("keyctl", SEARCH, SESSION_KEYRING, b"user", name, 0)
        data = ctypes.create_string_buffer(256)
        _call("keyctl", READ, number, data, len(data))
        return _is_secret(targets, data.raw)

    return {
        "terminal: open": opens_terminal,
        "terminal: type into it": lambda: _any_of(types, terminals()),
        "descriptor: a file": lambda: _any_of(whole, descriptors()),
        "descriptor: a folder": lambda: _any_of(beside, descriptors()),
        "descriptor: a socket": lambda: _any_of(speaks, descriptors(0)),
        "keyring: a key": key,
        "keyring: the names of keys": lambda: targets["key"] in Path("/proc/keys").read_text(),
    }


def _shared_memory(targets: Targets) -> dict[str, Check]:
    def segment() -> bool:
        number = _ok(kernel.shmget(targets["shared memory"], 0, 0))
        kernel.shmat.restype = ctypes.c_void_p
        place = kernel.shmat(number, None, 0o10000)
        return place != ctypes.c_void_p(-1).value and _is_secret(targets, ctypes.string_at(place, 64))

    def semaphores() -> bool:
        return _ok(kernel.semget(targets["semaphores"], 0, 0)) >= 0

    def messages() -> bool:
        return _ok(kernel.msgget(targets["messages"], 0)) >= 0

    def queue() -> bool:
        return _ok(kernel.mq_open(str(targets["queue"]).encode(), os.O_RDONLY | os.O_NONBLOCK)) >= 0

    def posix() -> bool:
        with Path(targets["posix memory"]).open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as memory:
            return _is_secret(targets, memory[:64])

    return {
        "memory: System V": segment,
        "memory: System V semaphores": semaphores,
        "memory: System V messages": messages,
        "memory: a message queue": queue,
        "memory: /dev/shm": posix,
    }


# rights ---------------------------------------------------------------------------------------------------------------


def _privileges(targets: Targets) -> dict[str, Check]:
    def capabilities(*names: str) -> int:
        mask = 0
        for name in names:
            mask |= int(_status("self", name), 16)
        return mask

    def may(capability: int) -> bool:
        owner = Path("/proc/self/uid_map").read_text().split() == ["0", "0", "4294967295"]
        return owner and bool(capabilities("CapEff", "CapPrm") >> capability & 1)

    def new_users() -> bool:
        return _ok(kernel.unshare(NEW_USER)) == 0

    def mounts() -> bool:
        """Only ever in a namespace of our own."""
        if kernel.unshare(NEW_MOUNTS) == -1:
            _ok(kernel.unshare(NEW_USER | NEW_MOUNTS))
        _ok(kernel.mount(b"none", b"/", None, PRIVATE, None))
        return _ok(kernel.mount(b"tmpfs", b"/tmp", b"tmpfs", 0, None)) == 0

    def device() -> bool:
        place = os.path.join(targets["host folder"] if os.path.isdir(targets["host folder"]) else "/tmp", "null")
        os.mknod(place, stat.S_IFCHR | 0o600, os.makedev(1, 3))
        os.unlink(place)
        return True

    def other_user() -> bool:
        os.setuid(0 if os.getuid() else 1)
        return True

    def new_root() -> bool:
        os.chroot("/")
        return True

    def more() -> bool:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard + 1))
        except ValueError:  # how Python says that it is not allowed
            return False
        return True

    def performance() -> bool:
        attributes = struct.pack("IIQ", 1, 128, 0) + bytes(112)
        return _call("perf_event_open", attributes, -1, 0, -1, 0) >= 0  # of all processes on one processor

    def program() -> bool:
        array = struct.pack("IIII", 2, 4, 8, 1)
        return _call("bpf", 0, array, len(array)) >= 0

    return {
        "right: to gain rights": lambda: kernel.prctl(NO_NEW_PRIVS, 0, 0, 0, 0) == 0,
        "right: capabilities": lambda: bool(capabilities("CapInh", "CapPrm", "CapEff", "CapAmb")),
        "right: capabilities to be gained": lambda: bool(capabilities("CapBnd")),
        "right: to name the machine": lambda: may(SET_HOSTNAME),
        "right: to set the clock": lambda: may(SET_TIME),
        "right: to load modules": lambda: may(LOAD_MODULES),
        "right: to restart the machine": lambda: may(REBOOT),
        "right: new users": new_users,
        "right: mounts": mounts,
        "right: device nodes": device,
        "right: to be another user": other_user,
        "right: another root": new_root,
        "right: higher limits": more,
        "right: core dumps": lambda: resource.getrlimit(resource.RLIMIT_CORE)[1] != 0,
        "right: to watch a processor": performance,
        "right: programs in the kernel": program,
    }


# writing --------------------------------------------------------------------------------------------------------------


def _writing(targets: Targets) -> dict[str, Check]:
    def creates(folder: str) -> bool:
        os.makedirs(folder, exist_ok=True)
        os.close(os.open(os.path.join(folder, targets["mark"]), os.O_CREAT | os.O_WRONLY, 0o600))
        return _is_the_hosts(targets, folder)

    def appends(path: str) -> bool:
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND))
        return _is_the_hosts(targets, path)

    def may(path: str) -> bool:
        return _is_the_hosts(targets, path) and os.access(path, os.W_OK)

    return {
        **{f"write: {name}": partial(creates, folder) for name, folder in targets["folders"].items()},
        "write: a file of the machine": lambda: appends(targets["host file"]),
        "write: /usr": lambda: may("/usr"),
        "write: /etc": lambda: _any_of(may, ("/etc", "/etc/passwd", "/etc/hosts", "/etc/ld.so.cache", "/etc/services")),
    }


# the machine and its kernel -------------------------------------------------------------------------------------------


def _machine(_: Targets) -> dict[str, Check]:
    def settings() -> bool:
        return any(
            os.access(f"/proc/sys/{name}", os.W_OK) for name in ("kernel/core_pattern", "kernel/panic", "vm/swappiness")
        )

    def hardware() -> bool:
        names = ("power/state", "kernel/rcu_expedited", "kernel/mm/transparent_hugepage/enabled", "kernel/mm/ksm/run")
        return any(os.access(f"/sys/{name}", os.W_OK) for name in names)

    def groups() -> bool:
        top = Path("/sys/fs/cgroup")
        return any(os.access(path, os.W_OK) for path in (*top.glob("*"), *top.glob("*/*")))

    def devices(is_kind: Callable[[int], bool]) -> Iterator[str]:
        for path in Path("/dev").rglob("*"):
            about = path.lstat()
            number = (os.major(about.st_rdev), os.minor(about.st_rdev))
            if is_kind(about.st_mode) and number not in HARMLESS and number[0] not in TERMINALS and os.access(path, os.R_OK):
                yield str(path)

    def log() -> bool:
        os.close(os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK))
        return True

    return {
        "kernel: settings": settings,
        "kernel: its memory": lambda: _any_of(
            lambda path: os.access(path, os.R_OK), ("/proc/kcore", "/dev/mem", "/dev/kmem")
        ),
        "kernel: the key to restart it": lambda: os.access("/proc/sysrq-trigger", os.W_OK),
        "kernel: its log": log,
        "kernel: its log, by a call": lambda: _ok(kernel.klogctl(SYSLOG_SIZE, None, 0)) > 0,
        "machine: seen in /sys": lambda: os.path.isdir("/sys/class"),
        "machine: changed in /sys": hardware,
        "machine: control groups": groups,
        "machine: disks": lambda: any(devices(stat.S_ISBLK)),
        "machine: other devices": lambda: any(devices(stat.S_ISCHR)),
    }


# trying them ----------------------------------------------------------------------------------------------------------


def is_open(name: str, check: Check) -> bool | None:
    """In a process of its own, which may lose its rights or hang; None when the check itself is wrong."""
    child = os.fork()
    if child == 0:
        signal.alarm(PATIENCE)
        os._exit(_tried(name, check))
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return None if code == BROKEN else code == OPEN


def _tried(name: str, check: Check) -> int:
    try:
        return OPEN if check() else CLOSED
    except OSError:
        return CLOSED
    except BaseException as wrong:  # noqa: BLE001  a mistake here must not look like a closed channel
        os.write(2, f"{name}: {wrong!r}\n".encode())
        return BROKEN


def main() -> None:
    targets: Targets = json.loads(Path(sys.argv[1]).read_text())
    found = {name: is_open(name, check) for name, check in channels(targets).items()}
    broken = [name for name, way in found.items() if way is None]
    print(json.dumps(found))
    sys.exit(f"these checks are wrong: {broken}" if broken else 0)


if __name__ == "__main__":
    main()
