"""The anthropic client on a short lead: one try a call, no redirects, bounded answers. Importing this takes a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import anthropic
import httpx2

LARGEST = 1 << 20  # bytes of an answer
CONNECT = 10.0  # seconds

# Before any of these a server has not seen the whole request.
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)
_CONFIGURATION = (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError, httpx2.InvalidURL, UnicodeError)


class StatusError(Exception):
    """The server said no."""

    def __init__(self, no: anthropic.APIStatusError) -> None:
        super().__init__(str(no.api_message or no.message))
        self.status = no.status_code
        self.type = str(no.type or "")
        self.code = str(no.error_code or "")
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in no.response.headers.items()}


class LostError(Exception):
    """There is no whole answer. `may_be_billed`: the request was sent; `is_configuration`: the next time is no better."""

    def __init__(self, message: str, *, may_be_billed: bool = False, is_configuration: bool = False) -> None:
        super().__init__(message)
        self.may_be_billed = may_be_billed
        self.is_configuration = is_configuration


class Wire:
    """Sends requests to a server that speaks the Messages API."""

    def __init__(self, key: str, base_url: str) -> None:
        hooks: dict[str, list[Callable[..., Any]]] = {"request": [_stamp], "response": [_limit]}
        try:
            self._client = anthropic.Anthropic(
                api_key=key,
                base_url=base_url,
                max_retries=0,
                http_client=anthropic.DefaultHttpxClient(follow_redirects=False, event_hooks=hooks),
                default_headers={"accept-encoding": "identity"},
            )
        except (httpx2.InvalidURL, ValueError) as wrong:
            raise LostError(f"its address is wrong: {wrong}", is_configuration=True) from wrong

    def post(self, body: Mapping[str, Any], timeout: float) -> bytes:
        """The body of the answer. Raises StatusError, LostError."""
        limits = httpx2.Timeout(timeout, connect=min(CONNECT, timeout))
        try:
            return self._client.messages.with_raw_response.create(**body, timeout=limits).http_response.content
        except anthropic.APIStatusError as no:
            raise StatusError(no) from no
        except (anthropic.APIConnectionError, httpx2.HTTPError) as lost:
            raise _lost(lost) from lost

    def model(self, name: str, timeout: float) -> bytes | None:
        """What the models endpoint says of a model; None where there is no such answer."""
        try:
            asked = self._client.models.with_raw_response.retrieve(name, timeout=httpx2.Timeout(timeout))
            return asked.http_response.content
        except (anthropic.AnthropicError, httpx2.HTTPError, ValueError):
            return None


def _lost(lost: Exception) -> LostError:
    cause = lost.__cause__ or lost
    wrong = isinstance(cause, _CONFIGURATION)
    sent = not wrong and not isinstance(cause, _NOT_SENT)
    return LostError(str(cause) or type(cause).__name__, may_be_billed=sent, is_configuration=wrong)


class _Limited(httpx2.SyncByteStream):
    """A body that ends with an error when it is too large or takes too long: a trickle never runs into a read timeout."""

    def __init__(self, inner: httpx2.SyncByteStream, deadline: float) -> None:
        self._inner = inner
        self._deadline = deadline

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for chunk in self._inner:
            size += len(chunk)
            if size > LARGEST:
                raise httpx2.ReadError(f"the answer is larger than {LARGEST >> 20} MB")
            if time.monotonic() > self._deadline:
                raise httpx2.ReadTimeout("the answer took too long")
            yield chunk

    def close(self) -> None:
        self._inner.close()


def _stamp(request: httpx2.Request) -> None:
    request.extensions = {**request.extensions, "deadline": time.monotonic() + request.extensions["timeout"]["read"]}


def _limit(response: httpx2.Response) -> None:
    if isinstance(response.stream, httpx2.SyncByteStream):
        response.stream = _Limited(response.stream, response.request.extensions["deadline"])
