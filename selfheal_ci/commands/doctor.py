"""Says what this machine can do, by trying, and what to install next."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer

import click

from selfheal_ci import config
from selfheal_ci.config import Settings
from selfheal_ci.engines.bubblewrap import Frozen
from selfheal_ci.engines.docker import ask_docker
from selfheal_ci.engines.images import USUAL
from selfheal_ci.engines.local import LocalEngine
from selfheal_ci.engines.sandbox import LocalSandbox
from selfheal_ci.engines.states import States, open_folder, own_folder
from selfheal_ci.errors import EngineError, SelfhealError, ToolError, UsageError
from selfheal_ci.values import Command, Limits, Recipe, Tree
from selfheal_ci.wiring.engine_choice import choose, given
from selfheal_ci.wiring.workplace import workplace

NO_FOLDER = "no folder is named for prepared states, HOME is not set either"
MODEL_KEYS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
START_DOCKER = "start Docker to heal with --engine dagger"
TRYING = 60.0  # seconds for a Dagger engine that is given to answer
INTERFACES = "awk -F: 'NR > 2 { print $1 }' /proc/net/dev"


@dataclass(frozen=True)
class Check:
    """One thing that was tried. needed: nothing can be healed here without it."""

    name: str
    works: bool
    said: str
    hint: str = ""
    needed: bool = False


def run_doctor(cache_dir: str | None, *, environ: Mapping[str, str]) -> int:
    """Try everything and print a line for each; 0 when steps can be healed here, else 7."""
    checks = list(examine(environ, cache_dir))
    for check in checks:
        sign = "ok" if check.works else "no" if check.needed else "--"
        click.echo(f"{sign}  {check.name}: {check.said}")
        if check.hint and not check.works:
            click.echo(f"      {check.hint}")
    return 7 if any(check.needed and not check.works for check in checks) else 0


def run_clean(cache_dir: str | None, *, environ: Mapping[str, str]) -> int:
    """Remove the prepared states that no healing uses, and say what went; 0."""
    folder = config.cache_folder(cache_dir, environ)
    if folder is None or not os.path.lexists(folder):
        click.echo(f"nothing is kept: there is no {folder}" if folder else f"nothing is kept: {NO_FOLDER}")
        return 0
    try:
        states = States(own_folder(folder))
    except OSError as closed:
        raise UsageError(f"nothing can be removed from {folder}: {closed.strerror}") from closed
    if not os.access(folder, os.W_OK):
        raise UsageError(f"nothing can be removed from {folder}: it cannot be written")
    gone, used = states.shrink(0)
    stays = f"; {used} in use stay{'s' * (used == 1)}" if used else ""
    click.echo(f"removed {gone / (1 << 20):,.0f} MB of prepared states from {folder}{stays}")
    return 0


def examine(environ: Mapping[str, str], cache_dir: str | None = None) -> Iterator[Check]:
    """Every check, in the order in which a person would want to know."""
    yield Check("python", True, sys.version.split()[0])
    git = shutil.which("git", path=environ.get("PATH"))
    yield Check("git", git is not None, git or "not found", "install git: culprits and fix branches need it", needed=True)
    local, *more = _sandbox(environ)
    yield from (local, *more)
    yield _cache(cache_dir, environ)
    yield from _dagger(environ)
    yield _taken(environ, local=local)
    key = next((name for name in MODEL_KEYS if environ.get(name)), None)
    yield Check(
        "model", key is not None, f"{key} is set" if key else "no key", "set ANTHROPIC_API_KEY; all else heals without"
    )


def _sandbox(environ: Mapping[str, str]) -> Iterator[Check]:
    try:
        with workplace() as work:
            engine = LocalEngine(lambda _tree, _into: None, work, Limits(), environ)
            with engine.prepare(Tree("", work / "checkout", {}), Recipe()) as sandbox, _server() as port:
                program = sandbox.frozen.bubblewrap
                yield Check("local sandbox", True, f"starts, by bubblewrap {program.version}", needed=True)
                yield _overlays(sandbox.frozen.overlays)
                yield _network(sandbox.frozen)
                yield _isolation(sandbox, port)
    except (EngineError, ToolError) as error:
        yield Check("local sandbox", False, error.message, error.hint, needed=True)


def _overlays(there: bool) -> Check:
    hint = "a newer system (Linux 6.6) saves the copy: heal there where the tree is large"
    said = "folders are laid over each other" if there else "not here: every run gets a copy of the tree"
    return Check("overlays", there, said, hint)


def _network(frozen: Frozen) -> Check:
    if frozen.bridge:
        return Check("network of setup", True, f"its own, by {frozen.bridge.name}")
    said = "this machine's: setup reaches what listens on its loopback"
    if frozen.unbridged:
        hint = "what is installed does not start; where one does, setup reaches the outside, and nothing on this machine"
        return Check("network of setup", False, f"{said} ({frozen.unbridged})", hint)
    hint = "install passt (pasta) or slirp4netns: setup then reaches the outside, and nothing on this machine"
    return Check("network of setup", False, said, hint)


def _isolation(sandbox: LocalSandbox, port: int) -> Check:
    """Whether a step reaches our server: Python ends with 1 where it was refused."""
    try:
        exit_code = sandbox.run(Command(_reach(port), timeout=20)).exit_code
    except EngineError as broken:
        return Check("isolation", False, broken.message, "run again", needed=True)
    if exit_code == 1:
        return Check("isolation", True, "a step reaches no network", needed=True)
    if exit_code == 0:
        return Check("isolation", False, "a step reaches this machine's network", "report it: see SECURITY.md", needed=True)
    return Check("isolation", False, f"could not be tried (exit code {exit_code})", "install python3 where PATH finds it")


def _cache(cache_dir: str | None, environ: Mapping[str, str]) -> Check:
    hint = "name a folder that is yours with --cache-dir; without one, every healing prepares anew"
    folder = config.cache_folder(cache_dir, environ)
    if folder is None:
        return Check("prepared states", False, NO_FOLDER, hint)
    try:
        count, size = States(open_folder(folder)).usage()
    except UsageError as unsafe:
        return Check("prepared states", False, unsafe.message, hint)
    except OSError as closed:
        return Check("prepared states", False, f"{folder}: {closed.strerror}", hint)
    return Check("prepared states", True, f"{count} in {folder}, {size / (1 << 20):,.0f} MB; --clean removes them")


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


def _dagger(environ: Mapping[str, str]) -> Iterator[Check]:
    if named := given(Settings(), environ):
        yield from _engine(named, environ)
        return
    docker = ask_docker(environ)
    if docker.version:
        yield Check("dagger", True, f"docker {docker.version} answers; it starts an engine when one is used")
    elif docker.installed:
        yield Check("dagger", False, docker.said, START_DOCKER)
    elif shutil.which("dagger", path=environ.get("PATH")):
        yield Check("dagger", True, "dagger is installed, docker is not: what else starts an engine is seen when it is used")
    else:
        yield Check("dagger", False, "no session, no dagger, no docker", "install Docker to heal with --engine dagger")


def _engine(named: str, environ: Mapping[str, str]) -> Iterator[Check]:
    """The engine that is given: its version, and whether a step reaches a network there."""
    from selfheal_ci.engines.dagger import DaggerEngine  # noqa: PLC0415  its client takes a second

    try:
        with workplace() as work:
            engine = DaggerEngine(lambda _tree, _into: None, work, USUAL, Limits(), environ, patience=TRYING)
            with engine.prepare(Tree("", work / "checkout", {}), Recipe()) as sandbox:
                yield Check("dagger", True, f"{named}: engine {sandbox.version} answers")
                seen = sandbox.run(Command(INTERFACES, timeout=20)).output.text.split()
    except SelfhealError as error:
        yield Check("dagger", False, f"{named}: {error.message}", error.hint)
        return
    alone = seen == ["lo"]
    said = "a step reaches no network" if alone else f"a step has more than a loopback: {' '.join(seen)}"
    yield Check("isolation on dagger", alone, said, "do not heal with this engine; report it: see SECURITY.md")


def _taken(environ: Mapping[str, str], *, local: Check) -> Check:
    """The engine that --engine auto takes here."""
    obstacle = None if local.works else EngineError(local.said, hint=local.hint)
    try:
        with_setup = choose(Settings(setup=("true",)), environ, lambda: obstacle)
    except EngineError as none:
        return Check("engine", False, none.message, none.hint, needed=True)
    if with_setup.engine == "local":
        return Check("engine", local.works, "local")
    without = "local" if local.works else "none"
    return Check("engine", True, f"dagger where `setup` is configured ({with_setup.why}), else {without}")
