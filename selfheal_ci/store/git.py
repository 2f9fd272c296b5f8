"""Runs git on a bare store of our own, in an environment in which nobody else has a say."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from selfheal_ci import shell
from selfheal_ci.errors import ToolError

if TYPE_CHECKING:
    from git import Git as Runner

ENVIRONMENT = {
    "PATH": shell.PATH,
    "HOME": "/nonexistent",
    "LANGUAGE": "C",
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ALLOW_PROTOCOL": "file:https:ssh",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
}


LEAST_ROOM = 1 << 16  # bytes without which a disk is full
BORROWED = "GIT_ALTERNATE_OBJECT_DIRECTORIES"
# For commands that write objects: git gives one that it finds elsewhere a new time, in the checkout as well.
ALONE = {BORROWED: ""}


@dataclass(frozen=True)
class Answer:
    """What git said, whether it worked or not."""

    exit_code: int
    stdout: bytes
    stderr: str


@dataclass(frozen=True)
class Git:
    """One bare store. Words are constants, object ids and full ref names; everything else goes through standard input."""

    folder: Path
    object_format: str = "sha1"
    borrowed: tuple[Path, ...] = ()  # folders with objects of others, which are read alone

    def run(
        self, *words: str, stdin: bytes | BinaryIO = b"", env: Mapping[str, str] | None = None, timeout: float = 120.0
    ) -> bytes:
        """Run a command that has no reason to fail. Raises ToolError when it does."""
        answer = self.ask(*words, stdin=stdin, env=env, timeout=timeout)
        if answer.exit_code:
            said = answer.stderr.strip() or f"exit code {answer.exit_code}"
            raise ToolError(f"git {words[0]} failed: {said}", hint=self._hint())
        return answer.stdout

    def ask(
        self, *words: str, stdin: bytes | BinaryIO = b"", env: Mapping[str, str] | None = None, timeout: float = 120.0
    ) -> Answer:
        """Run a command that may fail."""
        if not isinstance(stdin, bytes):
            return self._execute(words, stdin, env or {}, timeout)
        with tempfile.TemporaryFile(dir=self.folder) if stdin else Path(os.devnull).open("rb") as file:
            if stdin:
                file.write(stdin)
                file.seek(0)
            return self._execute(words, file, env or {}, timeout)

    def environment(self) -> dict[str, str]:
        """All that a git of ours sees of the world."""
        borrowed = b":".join(map(_quoted, self.borrowed))
        return ENVIRONMENT | {"GIT_DIR": str(self.folder), BORROWED: os.fsdecode(borrowed)}

    def _hint(self) -> str:
        if shutil.disk_usage(self.folder).free < LEAST_ROOM:
            return f"there is no room left in {self.folder}: make some, or let TMPDIR name another folder, and run again"
        return "is the repository complete? `git fsck` tells"

    def _execute(self, words: tuple[str, ...], stdin: BinaryIO, env: Mapping[str, str], timeout: float) -> Answer:
        clean = self.environment() | dict(env)
        try:
            exit_code, stdout, stderr = _runner(self.folder).execute(
                ["env", *_unset(clean), git_program(), *words],
                istream=stdin,
                env=clean,
                with_extended_output=True,
                with_exceptions=False,
                stdout_as_string=False,
                strip_newline_in_stdout=False,
                kill_after_timeout=timeout,
                shell=False,
            )
        except OSError as failed:
            raise ToolError(f"git {words[0]} does not start: {failed.strerror}", hint="run again") from failed
        assert isinstance(stdout, bytes)  # noqa: S101  asked for above
        if exit_code < 0 and stderr.startswith("Timeout: "):
            raise ToolError(f"git {words[0]} did not end within {timeout:.0f} s", hint="run again")
        return Answer(exit_code, stdout, stderr)


def _quoted(folder: Path) -> bytes:
    """The folder as git reads it in a list: its name may hold a colon, or a line feed."""
    return b'"' + re.sub(rb'[\n"\\]', lambda match: b"\\%03o" % ord(match[0]), os.fsencode(folder)) + b'"'


def git_program() -> str:
    """Where git is. Raises ToolError when it is nowhere."""
    found = shutil.which("git", path=shell.PATH)
    if found is None:
        raise ToolError("git: not found", hint="install git and run again")
    return found


def _unset(wanted: Mapping[str, str]) -> list[str]:
    """GitPython starts from our own environment, where GIT_DIR or GIT_CONFIG_COUNT may be set: `env` takes out the rest."""
    return [word for name in os.environ if name not in wanted for word in ("-u", name)]


def _runner(folder: Path) -> Runner:
    try:
        from git import Git as Runner  # noqa: PLC0415  it looks for a git program when it is imported
    except ImportError as missing:
        raise ToolError("git: not found", hint="install git and run again") from missing
    return Runner(folder)
