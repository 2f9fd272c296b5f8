"""Whether a run came to its limit of processes, by what was counted and by what it printed."""

from __future__ import annotations

import re

from selfheal_ci.values import Output

# What cannot start another says so. The words alone may be a test's, Errno 11 that of a lock or a socket.
SHELL = rb"Cannot fork|fork: .{0,20}Resource temporarily unavailable"
WORDS = re.compile(SHELL + rb"|can't start new thread|unable to create native thread")
SHELL_WORDS = re.compile(SHELL)
TRACEBACK = re.compile(  # Python's own, from the very call that starts one
    rb"(?:\b(?:os\.fork|pty\.fork|_start_new_thread)\(.*\n(?:[ ~^]+\n)?"
    rb"|\b(?:_fork_exec|fork_exec|_start_joinable_thread)\((?:.*\n){1,12}?)"
    rb"(?:E )? *(?:BlockingIOError: \[Errno 11\]|RuntimeError: can't start new thread)"
)


def is_crowded(output: Output, *, most: int, started: int, limit: int) -> bool:
    """most: threads that were seen at once; started: how many there were, one after the other.

    It is seen when counted, or told by what could not start another. A shell that cannot takes what it started with it
    before the next look: of that, only the number is left.
    """
    return (
        most >= limit * 0.95
        or _says(output, TRACEBACK)
        or (most >= limit * 0.5 and _says(output, WORDS))
        or (started >= limit and _says(output, SHELL_WORDS))
    )


def _says(output: Output, words: re.Pattern[bytes]) -> bool:
    return any(map(words.search, (output.head, output.tail)))
