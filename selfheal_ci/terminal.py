"""Gives a program a terminal of its own, joined to the person's."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import subprocess
import termios
import tty
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from selfheal_ci import shell

IN, OUT = 0, 1


def interact(argv: Sequence[str], *, env: Mapping[str, str]) -> int:
    """Run a program on a new terminal until it ends; its exit code. What it does to its terminal stays there.

    The program does not control the terminal: its last child takes it with `setsid --ctty`, inside its namespaces.
    """
    ours, theirs = pty.openpty()
    if os.isatty(IN):
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, fcntl.ioctl(IN, termios.TIOCGWINSZ, b"\0" * 8))
    process = shell.start(argv, env=env, stdin=theirs, stdout=theirs)
    os.close(theirs)
    try:
        with _raw():
            _join(process, ours)
        return process.wait()
    finally:
        shell.kill_group(process)
        os.close(ours)


def _join(process: subprocess.Popen[bytes], terminal: int) -> None:
    """Copy what is typed and what is shown until the program closes its terminal."""
    sources = [terminal, IN]
    while process.poll() is None or terminal in select.select([terminal], [], [], 0)[0]:
        for source in select.select(sources, [], [], 0.2)[0]:
            try:
                data = os.read(source, 1 << 14)
            except OSError:  # the terminal has no other side any more
                data = b""
            if data:
                os.write(OUT if source == terminal else terminal, data)
            elif source == terminal:
                return
            else:
                sources.remove(IN)
                os.write(terminal, b"\x04")  # end of input, as a terminal says it


@contextmanager
def _raw() -> Iterator[None]:
    """The person's terminal passes every key on, for as long as this lasts."""
    if not os.isatty(IN):
        yield
        return
    before = termios.tcgetattr(IN)
    tty.setraw(IN)
    try:
        yield
    finally:
        termios.tcsetattr(IN, termios.TCSADRAIN, before)
