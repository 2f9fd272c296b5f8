"""What a Dagger engine and its command line tool say when they break, and what a person can do about it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from selfheal_ci.errors import EngineError

LOST = "run again; `selfheal doctor` tells which engine would be taken"
NO_ENGINE = "start Docker or name an engine in _EXPERIMENTAL_DAGGER_RUNNER_HOST; or use --engine local"
FULL = (
    "no space left on device|disk quota exceeded",
    "the disk of the Dagger engine is full",
    "free it there (docker system prune; dagger core engine local-cache prune), or give the engine a larger one",
)
GONE = re.compile(
    "shutting down|connection (refused|reset|closed)|broken pipe|transport is closing|unexpected EOF"
    "|error reading from server|session .*not found|client .*not found|no active session"
    "|use of closed network connection|code = Unavailable",
    re.IGNORECASE,
)
Words = Sequence[tuple[str, str, str]]  # what it says → what happened, what to do

TOOL: Words = (
    FULL,
    ("unknown (command|flag|shorthand)", "the `dagger` command line tool is of another version",
     "take one of 0.21, or unset _EXPERIMENTAL_DAGGER_CLI_BIN: then the right one is fetched"),
    ("incompatible (engine|client) version", "the Dagger engine and its command line tool are of different versions",
     "take both of 0.21: unset _EXPERIMENTAL_DAGGER_RUNNER_HOST, or update the engine that it names"),
    (r"docker daemon|docker\.sock", "no Docker answers, which would start the Dagger engine", NO_ENGINE),
    ("pull|manifest|registry|toomanyrequests|no such host|i/o timeout|TLS handshake",
     "the image of the Dagger engine cannot be pulled",
     "see that this machine reaches registry.dagger.io, or name a running engine in _EXPERIMENTAL_DAGGER_RUNNER_HOST"),
    ("executable file not found|no .*container runtime|driver", "nothing here can start a Dagger engine", NO_ENGINE),
)  # fmt: skip
IMAGE: Words = (
    ("unauthorized|authorization|authentication|denied|forbidden|insufficient_scope", "may not be pulled",
     "is its name right? Where it needs a login: docker login REGISTRY, on the machine where selfheal runs"),
    ("toomanyrequests|rate limit", "may not be pulled now: too many pulls",
     "wait, or log in: docker login; the same image from another registry has another limit"),
    ("manifest unknown|not found|does not exist", "is not there", "mend `image` in the configuration"),
    ("dial tcp|no such host|i/o timeout|TLS|certificate|connection refused", "cannot be reached",
     'see that the engine reaches its registry; an image from a file needs none: image = "file:PATH"'),
)  # fmt: skip
FETCHING = re.compile(
    r"resolve image|source metadata|pull|registry|manifest|docker\.io|failed to (fetch|resolve|do request)"
)


class LostError(EngineError):
    """The engine went away in the middle: what was asked says nothing, and may be asked again."""


class RefusedError(EngineError):
    """The engine is there and will not."""

    def __init__(self, said: str) -> None:
        super().__init__(f"the Dagger engine refused: {short(said)}", hint=LOST)
        self.said = said


def no_engine(said: str, *, within: float = 0.0) -> EngineError:
    """Why `dagger session` gave no engine: what it said last, or that it said nothing in so many seconds."""
    if within:
        return EngineError(f"`dagger session` did not answer within {within:.0f} s", hint=NO_ENGINE)
    happened, hint = _meaning(said, TOOL) or ("`dagger session` gave no engine", NO_ENGINE)
    return EngineError(f"{happened}: {short(said) or 'it said nothing'}", hint=hint)


def refused_by_engine(said: str) -> EngineError:
    """What an answer means that is none."""
    if GONE.search(said):
        return LostError(f"the Dagger engine is gone: {short(said)}", hint=LOST)
    return full_disk(said) if re.search(FULL[0], said) else RefusedError(said)


def full_disk(said: str) -> EngineError:
    """There is no room left where the engine writes."""
    return EngineError(f"{FULL[1]}: {short(said)}", hint=FULL[2])


def no_image(said: str, image: str) -> EngineError | None:
    """Why an image cannot be had; None where this is about something else."""
    if not FETCHING.search(said):
        return None
    happened, hint = _meaning(said, IMAGE) or ("cannot be pulled", "mend `image` in the configuration, or run again")
    return EngineError(f"the image {image} {happened}: {short(said)}", hint=hint)


def short(said: str) -> str:
    """The end of it, in one line."""
    return " ".join(said.split())[-400:]


def _meaning(said: str, words: Words) -> tuple[str, str] | None:
    return next(((what, hint) for pattern, what, hint in words if re.search(pattern, said, re.IGNORECASE)), None)
