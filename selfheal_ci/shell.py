"""The one place that starts processes."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from selfheal_ci.errors import ToolError

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


PACKAGES = {
    "coreutils": ("chmod", "chown", "df", "rm"),
    "mount": ("mount",),
    "util-linux": ("nsenter", "prlimit", "setpriv", "setsid", "unshare"),
}


@dataclass(frozen=True)
class Finished:
    """A program of ours that ended by itself."""

    exit_code: int
    stdout: bytes
    stderr: bytes


def run(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdin: bytes = b"",
    timeout: float = 120.0,
) -> Finished:
    """Run one of our tools to its end, in a process group of its own, with just this environment.

    Raises ToolError when the program does not start or exceeds `timeout` seconds. Not for code under repair.
    """
    try:
        process = subprocess.Popen(
            [os.fspath(part) for part in argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
        )
    except OSError as failed:
        raise _no_start(argv[0], failed) from failed
    with process:
        try:
            stdout, stderr = process.communicate(stdin, timeout)
        except subprocess.TimeoutExpired as late:
            raise ToolError(f"{argv[0]} did not end within {timeout:.0f} s", hint="run again") from late
        finally:
            if process.poll() is None:
                kill_group(process)
    return Finished(process.returncode, stdout, stderr)


def start(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    """Start a program whose output is streamed: standard output and error come through one pipe. Raises ToolError."""
    try:
        return subprocess.Popen(
            [os.fspath(part) for part in argv],
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            env=dict(env),
            start_new_session=True,
        )
    except OSError as failed:
        raise _no_start(argv[0], failed) from failed


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Whoever asks this process to end is heard when this is over: what starts in here is known by then, and can be ended.

    Elsewhere than in the main thread nobody is interrupted anyway.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard: list[int] = []
    known = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    handlers = {number: handler for number, handler in known.items() if callable(handler)}
    for number in handlers:
        signal.signal(number, lambda number, _: heard.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    for asked in heard[:1]:
        handlers[signal.Signals(asked)](asked, None)


def serve(argv: Sequence[str | Path], *, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a tool of ours that serves until its standard input ends; all three streams are the caller's."""
    try:
        return subprocess.Popen(
            [os.fspath(part) for part in argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(env),
            start_new_session=True,
        )
    except OSError as missing:
        raise ToolError(f"{argv[0]} does not start: {missing.strerror}", hint="give the path of a program") from missing


def package_of(program: str) -> str:
    """What to install to have it."""
    return next((package for package, programs in PACKAGES.items() if program in programs), program)


def _no_start(program: str | Path, failed: OSError) -> ToolError:
    said = "not found" if isinstance(failed, FileNotFoundError) else f"it does not start: {failed.strerror}"
    return ToolError(f"{program}: {said}", hint=f"install {package_of(Path(program).name)} and run again")


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all of its group, and wait for it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
