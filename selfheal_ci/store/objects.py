"""Reads and keeps the bytes behind object ids, each through one git process that serves many."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack

from selfheal_ci import shell
from selfheal_ci.errors import ToolError
from selfheal_ci.store.git import ALONE, Git, git_program

AHEAD = 256  # ids that git is told before it is heard: fewer than a pipe holds
MISSING = "the checkout lacks it, as a partial clone does: fetch it whole (`git fetch --refetch --filter=tree:-1`)"


class Objects:
    """The blobs of one store. May be read by several threads."""

    def __init__(self, git: Git, stack: ExitStack) -> None:
        self._git = git
        self._lock = threading.Lock()
        self._reader = Reader(git, stack)

    def read(self, blob: str) -> bytes:
        """The bytes of a blob. Raises ToolError when they are not there."""
        with self._lock:
            self._reader.ask([blob])
            return self._reader.hear(blob)

    def read_all(self, blobs: Sequence[str]) -> Iterator[bytes]:
        """The bytes of many blobs, in this order, from a process of their own."""
        with ExitStack() as stack:
            reader = Reader(self._git, stack)
            for start in range(0, len(blobs), AHEAD):
                some = blobs[start : start + AHEAD]
                reader.ask(some)
                yield from map(reader.hear, some)

    def keep(self, contents: Iterable[bytes]) -> None:
        """Take all of these in. They are streamed through a file: no more than one is in memory."""
        with tempfile.TemporaryFile(dir=self._git.folder) as stream:
            for data in contents:
                stream.write(b"blob\ndata %d\n" % len(data))
                stream.write(data)
                stream.write(b"\n")
            if stream.tell():
                stream.seek(0)
                self._git.run("fast-import", "--quiet", "--depth=0", stdin=stream, env=ALONE, timeout=600)


class Reader:
    """A git process that is told ids and answers with bytes, in the same order. It ends with the stack."""

    def __init__(self, git: Git, stack: ExitStack) -> None:
        process = stack.enter_context(shell.serve([git_program(), "cat-file", "--batch"], env=git.environment()))
        assert process.stdin is not None  # noqa: S101  shell.serve gives all three
        assert process.stdout is not None  # noqa: S101
        self._in, self._out = process.stdin, process.stdout

    def ask(self, blobs: Iterable[str]) -> None:
        try:
            self._in.write("".join(f"{blob}\n" for blob in blobs).encode())
            self._in.flush()
        except BrokenPipeError as gone:
            raise ToolError("git cat-file ended", hint="run again") from gone

    def hear(self, blob: str) -> bytes:
        said = self._out.readline().split()
        if len(said) != 3 or said[1] != b"blob":  # noqa: PLR2004  id, type, size
            raise ToolError(f"the bytes of object {blob} are not there", hint=MISSING)
        data = self._out.read(int(said[2]))
        self._out.read(1)
        return data
