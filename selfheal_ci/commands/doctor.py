"""Says what this machine can do, by trying, and what to install next."""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import click

from selfheal_ci.engines.local import LocalEngine
from selfheal_ci.errors import EngineError
from selfheal_ci.values import Command, Limits, Recipe, Tree

MODEL_KEYS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")


@dataclass(frozen=True)
class Check:
    """One thing that was tried. needed: nothing can be healed here without it."""

    name: str
    works: bool
    said: str
    hint: str = ""
    needed: bool = False


def run_doctor(*, environ: Mapping[str, str]) -> int:
    """Try everything and print a line for each; 0 when steps can be healed here, else 7."""
    checks = list(examine(environ))
    for check in checks:
        sign = "ok" if check.works else "no" if check.needed else "--"
        click.echo(f"{sign}  {check.name}: {check.said}")
        if check.hint and not check.works:
            click.echo(f"      {check.hint}")
    return 7 if any(check.needed and not check.works for check in checks) else 0


def examine(environ: Mapping[str, str]) -> Iterator[Check]:
    """Every check, in the order in which a person would want to know."""
    yield Check("python", True, sys.version.split()[0])
    git = shutil.which("git", path=environ.get("PATH"))
    yield Check("git", git is not None, git or "not found", "install git: culprits and fix branches need it", needed=True)
    yield from _sandbox(environ)
    yield _dagger(environ)
    key = next((name for name in MODEL_KEYS if environ.get(name)), None)
    yield Check(
        "model", key is not None, f"{key} is set" if key else "no key", "set ANTHROPIC_API_KEY; all else heals without"
    )


def _sandbox(environ: Mapping[str, str]) -> Iterator[Check]:
    with tempfile.TemporaryDirectory(prefix="selfheal-") as folder:
        work = Path(folder)
        engine = LocalEngine(lambda _tree, _into: None, work, Limits(), environ)
        tree = Tree("", work / "checkout", {})
        try:
            with engine.prepare(tree, Recipe()) as sandbox, _server() as port:
                yield Check("local sandbox", True, "starts", needed=True)
                tried = sandbox.run(Command(_reach(port), timeout=20))
                yield _isolation(tried.exit_code)
        except EngineError as error:
            yield Check("local sandbox", False, error.message, error.hint, needed=True)


def _isolation(exit_code: int | None) -> Check:
    """What the attempt to reach our server says: Python ends with 1 where it was refused."""
    if exit_code == 1:
        return Check("isolation", True, "a step reaches no network", needed=True)
    if exit_code == 0:
        return Check("isolation", False, "a step reaches this machine's network", "report it: see SECURITY.md", needed=True)
    return Check("isolation", False, f"could not be tried (exit code {exit_code})", "install python3 where PATH finds it")


def _reach(port: int) -> str:
    """A shell line that succeeds only where it reaches our server on this machine's loopback."""
    connect = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2)"
    return f'exec python3 -c "{connect}" 2>/dev/null'


@contextmanager
def _server() -> Iterator[int]:
    """A web server on this machine's loopback; gives its port."""
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def _dagger(environ: Mapping[str, str]) -> Check:
    for name in ("DAGGER_SESSION_PORT", "_EXPERIMENTAL_DAGGER_RUNNER_HOST", "_EXPERIMENTAL_DAGGER_CLI_BIN"):
        if environ.get(name):
            return Check("dagger", True, f"{name} is set")
    path = environ.get("PATH")
    for program in ("dagger", "docker"):
        if shutil.which(program, path=path):
            return Check("dagger", True, f"{program} is installed; whether an engine answers is seen when it is used")
    return Check("dagger", False, "no session, no dagger, no docker", "install Docker to heal with --engine dagger")
