"""A session with a Dagger engine: opened, asked and closed, each within a bounded time."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, wait
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import IO, TYPE_CHECKING, Any, TypeVar

from selfheal_ci import shell
from selfheal_ci.engines.dagger_words import LOST, LostError, no_engine, refused_by_engine
from selfheal_ci.errors import EngineError

if TYPE_CHECKING:
    import dagger

T = TypeVar("T")

OLDEST = (0, 21)
CLOSING = 10.0  # seconds for the command line tool to take its leave
SESSION_PORT, SESSION_TOKEN = "DAGGER_SESSION_PORT", "DAGGER_SESSION_TOKEN"
RUNNER_HOST = "_EXPERIMENTAL_DAGGER_RUNNER_HOST"
# The tool reaches containers for us, never a model or a forge.
SECRETS = frozenset(
    {"ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "SELFHEAL_TOKEN", "SELFHEAL_LEDGER", "GITHUB_TOKEN", "GITLAB_TOKEN"}
)


@dataclass(frozen=True)
class Given:
    """A client that is connected already and the event loop it lives on, as inside a Dagger module."""

    client: dagger.Client
    loop: asyncio.AbstractEventLoop
    workdir: Path | None = None  # the module's scratch folder: all it may upload from


@dataclass(frozen=True)
class Session:
    """An engine that answers."""

    client: dagger.Client
    loop: asyncio.AbstractEventLoop
    workdir: Path | None = None
    asked: set[Future[Any]] = field(default_factory=set)  # and not answered yet
    lost: Event = field(default_factory=Event)  # set: nobody is there to take leave of

    def folder(self, path: Path) -> dagger.Directory:
        """A folder of this machine, as the engine sees it; never one it saw earlier at the same path."""
        if self.workdir is None:
            return self.client.host().directory(str(path), no_cache=True)
        return self.client.current_module().workdir(path.relative_to(self.workdir).as_posix())

    def file(self, path: Path) -> dagger.File:
        """A file of this machine, as the engine sees it."""
        if self.workdir is None:
            return self.client.host().file(str(path), no_cache=True)
        return self.client.current_module().workdir_file(path.relative_to(self.workdir).as_posix())

    def ask(self, question: Callable[[], Awaitable[T]], *, within: float) -> T:
        """Ask from any thread. A question that is not waited for any more is withdrawn, and what it runs is stopped.

        Raises dagger.ExecError when a command failed, LostError when the engine went away, EngineError when it refused or
        took too long.
        """
        if self.lost.is_set():
            raise LostError("the Dagger engine is gone", hint=LOST)
        answer = asyncio.run_coroutine_threadsafe(_translated(question), self.loop)
        self.asked.add(answer)
        try:
            return _wait(answer, within)
        except CancelledError as withdrawn:
            if self.lost.is_set():
                raise LostError("the Dagger engine is gone", hint=LOST) from withdrawn
            raise
        finally:
            self.asked.discard(answer)

    def stop(self) -> None:
        """Withdraw every question that is not answered yet; what it runs is stopped."""
        for answer in tuple(self.asked):
            answer.cancel()


@contextmanager
def open_session(
    environ: Mapping[str, str], *, patience: float, log: Callable[[str], None], given: Given | None = None
) -> Iterator[Session]:
    """Connect to the engine that is given, named or can be started, and leave nothing behind. Raises EngineError."""
    lost = Event()
    if given is not None:
        session = Session(given.client, given.loop, given.workdir, lost=lost)
        _check_version(session.ask(given.client.version, within=patience))
        yield session
        return
    with ExitStack() as stack:
        loop = stack.enter_context(_running_loop())
        port, token = _session_of(environ) or stack.enter_context(_served(environ, patience, log, loop, lost))
        client = stack.enter_context(_connected(port, token, patience, loop, lost))
        yield Session(client, loop, lost=lost)


def environments(environ: Mapping[str, str], hosts: Sequence[str]) -> Iterator[tuple[str, Mapping[str, str]]]:
    """What to connect with, in order: what the environment names, then each of these runner hosts."""
    named = next((name for name in (SESSION_PORT, RUNNER_HOST) if environ.get(name)), None)
    if named or not hosts:
        yield named or "one that is started here", environ
    without = {name: value for name, value in environ.items() if name not in {SESSION_PORT, SESSION_TOKEN}}
    for host in hosts:
        yield host, {**without, RUNNER_HOST: host}


def _session_of(environ: Mapping[str, str]) -> tuple[int, str] | None:
    """The session that `dagger run` and `dagger call` give to what they start."""
    port = environ.get(SESSION_PORT)
    if not port:
        return None
    token = environ.get(SESSION_TOKEN)
    if not token or not port.isdigit():
        raise EngineError(
            "DAGGER_SESSION_PORT names no session",
            hint="unset it, or start selfheal by `dagger run`, which sets DAGGER_SESSION_TOKEN too",
        )
    return int(port), token


@contextmanager
def _running_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, name="dagger", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        asyncio.run_coroutine_threadsafe(_cancel_the_rest(), loop).result(CLOSING)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(CLOSING)
        loop.close()


async def _cancel_the_rest() -> None:
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.wait(rest, timeout=CLOSING / 2) if rest else None


@contextmanager
def _connected(
    port: int, token: str, patience: float, loop: asyncio.AbstractEventLoop, lost: Event
) -> Iterator[dagger.Client]:
    import dagger  # noqa: PLC0415  it takes a second
    from dagger.client._config import ConnectConfig  # noqa: PLC0415
    from dagger.client._session import ConnectParams, SingleConnection  # noqa: PLC0415

    # The parts of dagger.Connection, which would start the command line tool itself and wait for it without end.
    # retry=None: a lost engine is told at once, instead of after 15 s by an exception of another library.
    config = ConnectConfig(retry=None, timeout=dagger.Timeout(None, connect=10.0))
    connection = SingleConnection(ConnectParams(port=port, session_token=token), config)
    client = dagger.Client.from_connection(connection)
    session = Session(client, loop)
    session.ask(connection.connect, within=patience)
    try:
        _check_version(session.ask(client.version, within=patience))
        yield client
    finally:
        wait([asyncio.run_coroutine_threadsafe(connection.close(), loop)], 1.0 if lost.is_set() else CLOSING)


def _check_version(version: str) -> None:
    found = re.match(r"v?(\d+)\.(\d+)", version)
    if found and (int(found[1]), int(found[2])) < OLDEST:
        raise EngineError(
            f"the Dagger engine is {version}, older than 0.21", hint="update Dagger, or unset what names this engine"
        )


@contextmanager
def _served(
    environ: Mapping[str, str],
    patience: float,
    log: Callable[[str], None],
    loop: asyncio.AbstractEventLoop,
    lost: Event,
) -> Iterator[tuple[int, str]]:
    """Start `dagger session`, which provides the engine and serves it until its standard input ends."""
    program = environ.get("_EXPERIMENTAL_DAGGER_CLI_BIN") or shutil.which("dagger", path=environ.get("PATH", ""))
    argv = [program or _download(patience, loop), "session", "--label", "dagger.io/sdk.name:python"]
    process = shell.serve(argv, env={name: value for name, value in environ.items() if name not in SECRETS})
    last = deque[str](maxlen=40)
    assert process.stdin and process.stdout and process.stderr  # noqa: PT018, S101  shell.serve pipes them
    ear = Thread(target=_listen, args=(process.stderr, last, log), name="dagger-log", daemon=True)
    ear.start()
    try:
        yield _first_line(process, process.stdout, last, ear, patience)
        if not lost.is_set():
            process.stdin.close()
            process.wait(CLOSING)
    except subprocess.TimeoutExpired:
        log("dagger session did not end by itself and was killed")
    finally:
        if process.poll() is None:
            shell.kill_group(process)
        process.stdout.close()


def _download(patience: float, loop: asyncio.AbstractEventLoop) -> str:
    """The command line tool in the version of the installed client, from its cache or from Dagger's own site."""
    import dagger  # noqa: PLC0415
    from dagger.provisioning._engine import Engine  # noqa: PLC0415

    async def find() -> str:
        return await Engine(dagger.Config(), AsyncExitStack()).get_cli()

    try:
        return _wait(asyncio.run_coroutine_threadsafe(find(), loop), patience)
    except dagger.ProvisionError as failed:
        raise EngineError(str(failed), hint="install the `dagger` command line tool, or use --engine local") from failed


def _listen(stream: IO[bytes], last: deque[str], log: Callable[[str], None]) -> None:
    with stream:
        for line in stream:
            text = line.decode("utf-8", "replace").rstrip()
            last.append(text)
            log(text)


def _first_line(
    process: subprocess.Popen[bytes], stdout: IO[bytes], last: deque[str], ear: Thread, patience: float
) -> tuple[int, str]:
    """Where the tool serves: one line of JSON, which a tool that hangs never writes."""
    line: Future[bytes] = Future()
    Thread(target=lambda: line.set_result(stdout.readline()), name="dagger-first-line", daemon=True).start()
    try:
        said = json.loads(line.result(patience))
        return int(said["port"]), str(said["session_token"])
    except TimeoutError as late:
        raise no_engine("", within=patience) from late
    except (ValueError, KeyError, TypeError) as broken:
        shell.kill_group(process)
        ear.join(1.0)
        raise no_engine("\n".join(last)) from broken


async def _translated(question: Callable[[], Awaitable[T]]) -> T:
    """The answer; what goes wrong with the engine as an error of ours, what goes wrong with a command as it comes."""
    import dagger  # noqa: PLC0415
    from gql.transport.exceptions import TransportError  # noqa: PLC0415  the client lets some of them through

    try:
        return await question()
    except dagger.ExecError:
        raise
    except dagger.QueryError as refused:
        raise refused_by_engine(str(refused)) from refused
    except dagger.InvalidQueryError as unknown:
        raise EngineError(
            f"the Dagger engine does not know what we ask: {_short(unknown)}", hint="use an engine of 0.21"
        ) from unknown
    except (dagger.DaggerError, TransportError, OSError) as lost:
        raise LostError(f"the Dagger engine is gone: {_short(lost)}", hint=LOST) from lost


def _wait(future: Future[T], within: float) -> T:
    try:
        return future.result(within)
    except TimeoutError as late:
        raise EngineError(f"the Dagger engine did not answer within {within:.0f} s", hint=LOST) from late
    finally:
        future.cancel()


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:400] or type(error).__name__
