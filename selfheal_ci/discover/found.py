"""What was found in a repository: commands, each with where it stands, and what could not be translated."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

TITLE = 2  # of names: where the step's own stands
LARGEST = 1 << 18  # bytes of a file that is read


@dataclass(frozen=True)
class Files:
    """A tree of files, at whichever revision; nothing of it is run."""

    paths: Collection[str]
    read_bytes: Callable[[str], bytes]

    def read(self, path: str) -> bytes | None:
        """The bytes of a file; None where there is none, or one larger than anybody writes."""
        data = self.read_bytes(path) if path in self.paths else None
        return data if data is not None and len(data) <= LARGEST else None

    def text(self, path: str) -> str:
        """A file as text; empty where there is none."""
        return (self.read(path) or b"").decode("utf-8", "replace")


@dataclass(frozen=True)
class Machine:
    """What the commands will run on, as far as a choice depends on it."""

    python: str = "3.11"  # what `python3` is
    others: tuple[str, ...] = ()  # other versions that have a command of their own


@dataclass(frozen=True)
class Origin:
    """A place in a file."""

    path: str
    line: int = 0  # from 1; 0: the file as a whole

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path


@dataclass(frozen=True)
class Note:
    """Something that could not be translated, and why."""

    origin: Origin
    what: str
    why: str


@dataclass(frozen=True)
class Script:
    """Lines that a CI gives to a shell."""

    run: str
    origin: Origin
    names: tuple[str, ...] = ()  # of the job: its key, its name; of the step, if it has one: its name, and as it is written
    env: Mapping[str, str] = field(default_factory=dict)
    folder: str = ""  # below the root
    pipefail: bool = False

    @property
    def title(self) -> str:
        """The step's name; empty where it has none."""
        return self.names[TITLE] if len(self.names) > TITLE else ""


@dataclass(frozen=True)
class Job:
    """Scripts that follow each other on one machine."""

    name: str
    origin: Origin
    scripts: tuple[Script, ...] = ()
    image: str | None = None
    python: bool = False  # its scripts expect a Python of their own
    services: bool = False
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Line:
    """One command of the configuration."""

    run: str
    origin: Origin


@dataclass(frozen=True)
class FoundStep:
    """A step of the configuration, and how the forge knows it."""

    name: str
    line: Line
    said: str  # the lines as the CI has them
    names: tuple[str, ...] = ()  # see Script
    build: tuple[str, ...] = ()
    fix: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()  # lines of setup

    @property
    def title(self) -> str:
        """The step's name in the CI; empty where it has none."""
        return self.names[TITLE] if len(self.names) > TITLE else ""


@dataclass(frozen=True)
class Found:
    """Everything that a configuration needs."""

    steps: tuple[FoundStep, ...] = ()
    setup: tuple[Line, ...] = ()
    image: str | None = None
    notes: tuple[Note, ...] = ()
