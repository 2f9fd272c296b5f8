"""Plants what the probe looks for: files, sockets, servers, memory, a process; and the caller that has them all."""

from __future__ import annotations

import ctypes
import hashlib
import json
import mmap
import os
import pty
import secrets
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from selfheal_ci.engines.host import unused_uid
from tests.escape_probe import short_name

ROOT = Path(__file__).parents[1]
PATIENCE = 240.0  # seconds for all that one caller does
SHARED = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"))  # folders that everybody may write
TOP_FOLDERS = ("/var/lib", "/var/log", "/root", "/home", "/opt", "/srv", "/run", "/boot", "/mnt")
ETC = ("/etc/passwd", "/etc/hosts", "/etc/ld.so.cache", "/etc/services")
kernel = ctypes.CDLL(None, use_errno=True)

CREDENTIALS = (
    ".aws/credentials", ".azure/msal_token_cache.json", ".bash_history", ".bundle/config", ".cargo/credentials.toml",
    ".composer/auth.json", ".config/gcloud/application_default_credentials.json", ".config/gh/hosts.yml",
    ".config/glab-cli/config.yml", ".config/pip/pip.conf", ".config/rclone/rclone.conf", ".docker/config.json",
    ".gem/credentials", ".git-credentials", ".gitconfig", ".gnupg/private-keys-v1.d/0.key", ".gradle/gradle.properties",
    ".kube/config", ".local/share/keyrings/login.keyring", ".m2/settings.xml", ".mozilla/firefox/logins.json", ".netrc",
    ".npmrc", ".password-store/mail.gpg", ".pgpass", ".pip/pip.conf", ".pypirc", ".ssh/id_ed25519",
    ".terraform.d/credentials.tfrc.json", ".vault-token", ".yarnrc.yml",
)  # fmt: skip

WITNESS = """
import ctypes, os, sys, time
secret, uid, file = sys.argv[1], int(sys.argv[2]), os.open(sys.argv[3], os.O_RDONLY)
kernel = ctypes.CDLL(None)
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(uid); os.setuid(uid)
kernel.prctl(4, 1, 0, 0, 0)  # others may look at it
kernel.prctl(0x59616d61, ctypes.c_ulong(-1), 0, 0, 0)  # and trace it
memory = ctypes.create_string_buffer(secret.encode())
print(ctypes.addressof(memory), file, flush=True)
time.sleep(600)
"""


@dataclass
class Planted:
    """The targets, and the process that they were planted around."""

    home: Path  # with checkout, host and tools beside it
    temp: Path  # in the folder for temporary files, which everybody shares
    secret: str = field(default_factory=lambda: f"planted-{secrets.token_hex(16)}")
    life: ExitStack = field(default_factory=ExitStack)

    @property
    def top(self) -> Path:
        return self.home.parent

    @property
    def mark(self) -> str:
        return f"escaped-{hashlib.sha256(self.secret.encode()).hexdigest()[:16]}"

    @cached_property
    def files(self) -> dict[str, str]:
        """Name in the probe → place."""
        other = {
            "checkout/.env": self.top / "checkout/.env",
            "checkout/.git/config": self.top / "checkout/.git/config",
            "checkout/way, a link in the tree": self.top / "checkout/way",
            "beside the checkout": self.top / "secret",
            "in a folder of the machine": self.top / "host/secret",
            "in the settings of a toolchain": self.top / "tools/etc/token",
            "in the folder for temporary files": self.temp / "secret",
        }
        return {f"~/{name}": str(self.home / name) for name in CREDENTIALS} | {
            name: str(path) for name, path in other.items()
        }

    @cached_property
    def sockets(self) -> dict[str, str]:
        return {
            "in a folder": str(self.top / "host/service.sock"),
            "in the folder for temporary files": str(self.temp / "service.sock"),
            "in the checkout": str(self.top / "checkout/service.sock"),
            "ssh agent": str(self.temp / "agent.1"),
            "gpg agent": str(self.home / ".gnupg/S.gpg-agent"),
            "docker": str(self.top / "host/docker.sock"),
            "D-Bus": str(self.temp / "bus"),
            "the user's services": str(self.top / "run/systemd-private"),
        }

    @cached_property
    def folders(self) -> dict[str, str]:
        """Where nothing may be written."""
        folders = {
            "the checkout": self.top / "checkout", "the checkout's hooks": self.top / "checkout/.git/hooks",
            "a folder of the machine": self.top / "host", "HOME": self.home, "a toolchain": self.top / "tools/bin",
            "the folder for temporary files": self.temp, **{str(path): path for path in SHARED}, "the engine's folder": self.temp / "work",
        }  # fmt: skip
        return {name: str(path) for name, path in folders.items()}

    @property
    def environ(self) -> dict[str, str]:
        """Of the caller."""
        tools = (self.top / "tools/bin", self.home / ".cargo/bin", self.home / ".local/bin", self.home / ".aws/bin")
        return {
            "PATH": ":".join([*map(str, tools), f"{sys.prefix}/bin", os.environ["PATH"]]),
            "HOME": str(self.home),
            "GITHUB_TOKEN": self.secret,
            "ANTHROPIC_API_KEY": self.secret,
            "HTTPS_PROXY": f"http://user:{self.secret}@127.0.0.1:1",
            "LANG": "C.UTF-8",
            "SSH_AUTH_SOCK": self.sockets["ssh agent"],
            "DOCKER_HOST": f"unix://{self.sockets['docker']}",
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={self.sockets['D-Bus']}",
            "XDG_RUNTIME_DIR": str(self.top / "run"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def plant(self) -> dict[str, Any]:
        """Plant everything; what the probe is told."""
        self._plant_files()
        number = int.from_bytes(os.urandom(3), "big") | 1 << 24
        abstract = f"selfheal-{secrets.token_hex(8)}"
        told: dict[str, Any] = {
            "secret": hashlib.sha256(self.secret.encode()).hexdigest(),
            "mark": self.mark,
            "home": str(self.home),
            "files": self.files,
            "sockets": self.sockets,
            "folders": self.folders,
            "secret file": str(self.top / "secret"),
            "host folder": str(self.top / "host"),
            "host file": str(self.top / "host/plain"),
            "pipe": str(self.top / "host/pipe"),
            "datagram": str(self.top / "host/datagrams.sock"),
            "work": str(self.temp / "work"),
            "abstract stream": abstract,
            "abstract datagram": f"{abstract}-datagram",
            "top folders": TOP_FOLDERS,
            "shared memory": number, "semaphores": number, "messages": number,
            "queue": f"/{abstract}",
            "posix memory": f"/dev/shm/{abstract}",
            "key": f"key-of-{abstract}",
            "handle": number_of(self.top / "secret"),
        }  # fmt: skip
        told["ports"] = self._serve(told)
        self._share(told)
        told["witness"] = self._witness()
        places = map(Path, (*self.folders.values(), *TOP_FOLDERS, told["host file"], "/usr", "/etc", *ETC))
        told["identities"] = {str(path): [path.stat().st_dev, path.stat().st_ino] for path in places if path.exists()}
        return told

    def _plant_files(self) -> None:
        for folder in (".cargo/bin", ".local/bin", ".aws/bin"):
            (self.home / folder).mkdir(parents=True)
        for folder in ("tools/bin", "tools/lib", "checkout/.git/hooks", "host", "run"):
            (self.top / folder).mkdir(parents=True)
        (self.temp / "work").mkdir()
        (self.top / "checkout/way").symlink_to(self.home / ".netrc")
        for place in map(Path, self.files.values()):
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.is_symlink():
                place.write_text(f"[remote]\ntoken = {self.secret}\n")
        (self.top / "host/plain").write_text("untouched\n")
        os.mkfifo(self.top / "host/pipe")
        self.life.callback(os.close, os.open(self.top / "host/pipe", os.O_RDWR))
        for path in (self.top, *self.top.rglob("*"), self.temp, *self.temp.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o777 if path.is_dir() else 0o666)  # what keeps anybody out is the sandbox, no mode

    def _serve(self, told: Mapping[str, Any]) -> dict[str, int]:
        """Servers that say the secret to whoever knocks."""
        unix, datagram = socket.AF_UNIX, socket.SOCK_DGRAM
        for path in (*self.sockets.values(), told["datagram"]):
            with short_name(path) as name:
                self._server(unix, name, datagram if path == told["datagram"] else socket.SOCK_STREAM)
            Path(path).chmod(0o777)
        self._server(unix, "\0" + told["abstract stream"], socket.SOCK_STREAM)
        self._server(unix, "\0" + told["abstract datagram"], datagram)
        ports = {"tcp6": 1, "udp6": 1}
        for name, family, address in (("4", socket.AF_INET, "127.0.0.1"), ("6", socket.AF_INET6, "::1")):
            with suppress(OSError):
                ports[f"tcp{name}"] = self._server(family, (address, 0), socket.SOCK_STREAM)
                ports[f"udp{name}"] = self._server(family, (address, 0), datagram)
        return ports

    def _server(self, family: int, address: Any, kind: int) -> int:
        server = self.life.enter_context(closing(socket.socket(family, kind)))
        server.bind(address)
        if kind == socket.SOCK_STREAM:
            server.listen()
        threading.Thread(target=self._answer, args=(server,), daemon=True).start()
        name = server.getsockname()
        return int(name[1]) if isinstance(name, tuple) else 0

    def _answer(self, server: socket.socket) -> None:
        while server.fileno() >= 0:
            with suppress(OSError, ValueError):
                if not select.select([server], [], [], 0.2)[0]:
                    continue
                if server.type == socket.SOCK_DGRAM:
                    server.sendto(self.secret.encode(), server.recvfrom(4096)[1])
                    continue
                with server.accept()[0] as caller:
                    caller.recv(4096)
                    caller.sendall(self.secret.encode())

    def _share(self, told: Mapping[str, Any]) -> None:
        """Memory of all kinds, open to everybody."""
        create, everybody = 0o1000, 0o666
        number = told["shared memory"]
        kernel.shmat.restype = ctypes.c_void_p
        memory = kernel.shmget(number, mmap.PAGESIZE, create | everybody)
        self.life.callback(kernel.shmctl, memory, 0, None)
        place = kernel.shmat(memory, None, 0)
        ctypes.memmove(place, self.secret.encode(), len(self.secret))
        kernel.shmdt(ctypes.c_void_p(place))
        self.life.callback(kernel.semctl, kernel.semget(number, 1, create | everybody), 0, 0)
        self.life.callback(kernel.msgctl, kernel.msgget(number, create | everybody), 0, None)
        kernel.mq_open(told["queue"].encode(), os.O_RDWR | os.O_CREAT, everybody, None)
        self.life.callback(kernel.mq_unlink, told["queue"].encode())
        posix = Path(told["posix memory"])
        posix.write_text(self.secret)
        posix.chmod(everybody)
        self.life.callback(posix.unlink)

    def _witness(self) -> dict[str, int]:
        """A process with the secret in its environment, arguments, folder, files and memory."""
        uid = unused_uid() if os.geteuid() == 0 else os.geteuid()
        words = [sys.executable, "-I", "-c", WITNESS, self.secret, str(uid), str(self.top / "secret")]
        process = subprocess.Popen(words, env={"TOKEN": self.secret}, cwd=self.top, stdout=subprocess.PIPE, text=True)
        self.life.callback(_end, process)
        assert process.stdout is not None
        address, descriptor = map(int, process.stdout.readline().split())
        started = int(Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[19])
        return {"pid": process.pid, "address": address, "descriptor": descriptor, "started": started}

    def start(self, told: Mapping[str, Any], *words: str | Path) -> Any:
        """Start the caller, with its terminal, its open files and its environment; what it prints."""
        (self.temp / "targets.json").write_text(json.dumps(told))
        ours, theirs = pty.openpty()
        near, far = socket.socketpair()
        near.sendall(self.secret.encode() * 1000)
        handed = [os.open(self.top / "secret", os.O_RDONLY), os.open(self.top, os.O_RDONLY), far.fileno()]
        with near, far:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.escape_caller", self.temp / "targets.json", *words],
                cwd=ROOT, env=self.environ, stdin=theirs, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True, pass_fds=handed, start_new_session=True,
            )  # fmt: skip
            try:
                out, err = process.communicate(timeout=PATIENCE)
            finally:
                _end(process)
                for number in (ours, theirs, *handed[:2]):
                    os.close(number)
        assert process.returncode == 0, err
        return json.loads(out)


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()


def number_of(path: Path) -> tuple[int, str] | None:
    """What its file system calls a file: the kind of number, and the number."""
    handle = ctypes.create_string_buffer((128).to_bytes(4, sys.byteorder) + bytes(132))
    if kernel.name_to_handle_at(-100, os.fsencode(path), handle, ctypes.byref(ctypes.c_int()), 0):
        return None
    size, kind = (int.from_bytes(handle.raw[at : at + 4], sys.byteorder, signed=True) for at in (0, 4))
    return kind, handle.raw[8 : 8 + size].hex()
