"""What a forge's refusal means for the person who reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from selfheal_ci.errors import AccessError, ForgeError, UnwellError
from selfheal_ci.store.remote import KEPT
from selfheal_ci.words import one_line

BROKEN = 500  # and above: the forge's own fault
TOO_MANY = 429
UNAUTHORISED, FORBIDDEN, NOT_FOUND = 401, 403, 404
_LIMIT = re.compile(r"rate limit|abuse detection|too many requests|retry later", re.IGNORECASE)
_ARCHIVED = re.compile(r"archived|read-only", re.IGNORECASE)
_PROTECTED = re.compile(r"protected|rule violations|not allowed to push|creations being restricted|push rule", re.IGNORECASE)
_REQUESTS_OFF = re.compile(r"not permitted to (create|approve)", re.IGNORECASE)


@dataclass(frozen=True)
class Refusal:
    """A forge's answer that is none."""

    status: int  # of HTTP
    said: str
    wait: float = 0.0  # seconds that it asks for


@dataclass(frozen=True)
class Place:
    """Which repository is talked to, and what its tokens need."""

    forge: str  # "GitHub"
    project: str
    rights: str  # "contents: write and pull-requests: write"

    def error(self, refusal: Refusal) -> ForgeError:
        """The refusal as an error with its own next step."""
        said = one_line(refusal.said) or f"HTTP {refusal.status}"
        if refusal.status == TOO_MANY or (refusal.status == FORBIDDEN and _LIMIT.search(said)):
            return self._limited(refusal.wait)
        if refusal.status >= BROKEN:
            return UnwellError(f"{self.forge} is not well: HTTP {refusal.status}, {said}", hint=f"publish again; {KEPT}")
        return self._state(said) or self._right(refusal.status, said)

    def _state(self, said: str) -> ForgeError | None:
        """Where the repository is kept from changing, whoever asks."""
        if _ARCHIVED.search(said):
            return ForgeError(f"{self.project} is archived: nobody can write to it", hint=KEPT)
        if _PROTECTED.search(said):
            hint = f"let the token make such branches, or choose others with publish.branch-prefix; {KEPT}"
            return ForgeError(f"{self.forge} protects the branch: {said}", hint=hint)
        return None

    def _right(self, status: int, said: str) -> ForgeError:
        if status == UNAUTHORISED:
            return AccessError(f"{self.forge} does not take the token: {said}", hint="is it expired, or of another host?")
        if _REQUESTS_OFF.search(said):
            hint = "Settings → Actions → General → allow GitHub Actions to create pull requests, or give an App's token"
            return AccessError(f"{self.forge} lets this token open no request: {said}", hint=hint)
        if status in {FORBIDDEN, NOT_FOUND}:
            hint = f"the token needs {self.rights} for {self.project}; {KEPT}"
            return AccessError(f"{self.forge} does not let this token do it: {said}", hint=hint)
        return ForgeError(f"{self.forge} refused: {said}", hint=KEPT)

    def cut(self, why: Exception) -> UnwellError:
        """The connection broke: what was asked may be done or not."""
        return UnwellError(f"{self.forge} does not answer: {type(why).__name__}", hint=f"publish again; {KEPT}")

    def strange(self) -> UnwellError:
        """An answer that is none of the API's."""
        return UnwellError(f"{self.forge} answered something that cannot be read", hint=f"publish again; {KEPT}")

    def _limited(self, wait: float) -> UnwellError:
        minutes = f", for {wait / 60:.0f} more minutes" if wait > 60 else ""  # noqa: PLR2004
        why = f"{self.forge} is asked too often by this token{minutes}"
        return UnwellError(why, hint=f"publish again later: nothing is made twice; {KEPT}", wait=wait)


def waiting(headers: Mapping[str, str], now: float) -> float:
    """The seconds that a forge asks to be left alone for, as its headers say (names in small letters)."""
    after = _number(headers.get("retry-after"))
    if after is not None:
        return after
    reset = _number(headers.get("x-ratelimit-reset")) if headers.get("x-ratelimit-remaining") == "0" else None
    return max(reset - now, 0.0) if reset is not None else 0.0


def _number(text: str | None) -> float | None:
    return float(text) if text and re.fullmatch(r"\d{1,12}(\.\d{1,6})?", text) else None
