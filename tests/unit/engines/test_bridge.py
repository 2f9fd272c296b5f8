"""A network of its own for setup: with a stand-in that leads nowhere, and with the real ones where they are installed."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from selfheal_ci.engines import bridge, local
from selfheal_ci.engines.bridge import Bridge, bridges
from selfheal_ci.values import Command, Limits, Recipe
from tests.builders_tree import a_tree, exporter

FILES = {"a": b"x"}
ALONE = Bridge("alone", ("unshare", "--user", "--map-root-user", "--net", "--"), "192.0.2.53")
BROKEN = Bridge("broken", ("/bin/false",), "192.0.2.54")


@contextmanager
def a_server() -> Iterator[int]:
    """Something that listens on this machine's loopback; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_accept, args=(server,), daemon=True).start()
        yield server.getsockname()[1]


def _accept(server: socket.socket) -> None:
    with suppress(OSError):  # closed
        while True:
            server.accept()[0].close()


def told_by_setup(line: str) -> tuple[str | None, str]:
    with tempfile.TemporaryDirectory(prefix="selfheal-test-") as folder:
        engine = local.LocalEngine(exporter(FILES), Path(folder), Limits(), os.environ)
        setup = Recipe((f"({line}) > ~/told 2>&1; true",))
        with engine.prepare(a_tree(Path(folder) / "checkout", FILES), setup) as sandbox:
            used = sandbox.frozen.bridge
            return used.name if used else None, sandbox.run(Command("cat ~/told", 20.0)).output.text


def reach(port: int) -> str:
    return f"python3 -c \"import socket; socket.create_connection(('127.0.0.1', {port}), 2); print('reached')\" | tail -1"


def test_setup_reaches_nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "bridges", lambda: [BROKEN, ALONE])

    with a_server() as port:
        name, told = told_by_setup(f"id -u; cat /etc/resolv.conf; {reach(port)}")

    uid = 60999 if os.geteuid() == 0 else os.geteuid()
    assert (name, told.splitlines()[:2]) == ("alone", [str(uid), "nameserver 192.0.2.53"])
    assert "reached" not in told


def test_without_a_bridge_setup_has_this_machines_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "bridges", lambda: [BROKEN])

    with a_server() as port:
        name, told = told_by_setup(reach(port))

    assert (name, told) == (None, "reached\n")


def test_a_step_without_network_has_none_with_a_bridge_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "bridges", lambda: [ALONE])

    with tempfile.TemporaryDirectory(prefix="selfheal-test-") as folder:
        engine = local.LocalEngine(exporter(FILES), Path(folder), Limits(), os.environ)
        with engine.prepare(a_tree(Path(folder) / "checkout", FILES), Recipe()) as sandbox:
            told = sandbox.run(Command("cat /etc/resolv.conf; tail -n +3 /proc/net/dev | cut -d: -f1", 20.0)).output.text

    assert told.split() == ["lo"]


@pytest.mark.parametrize("name", ["pasta", "slirp4netns"])
def test_a_real_bridge_leads_out_and_not_in(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [each for each in bridges() if each.name == name]
    if not found or not os.access("/dev/net/tun", os.W_OK):
        pytest.skip(f"{name} is not installed here, or may not make a device")
    monkeypatch.setattr(local, "bridges", lambda: found)

    with a_server() as port:
        used, told = told_by_setup(f"tail -n +2 /proc/net/route; {reach(port)}")

    if used is None:
        pytest.skip(f"{name} does not start here")
    assert "reached" not in told
    assert "00000000" in told


def test_the_better_bridge_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("slirp4netns", "pasta"):
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setattr(bridge, "PATHS", str(tmp_path))

    assert [found.name for found in bridges()] == ["pasta", "slirp4netns"]
