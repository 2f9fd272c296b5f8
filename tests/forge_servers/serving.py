"""What both loopback forges are made of: real HTTP, a bare repository, strict reading, and faults around each effect."""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.builders import git

TOKEN = "ghs_forgeToken123"
Handler = Callable[..., "Answer"]


@dataclass(frozen=True)
class Asked:
    """One request, as it came."""

    method: str
    path: str  # below the API's root, decoded piece by piece
    query: Mapping[str, str]
    body: Any
    route: str = ""


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """The request is not what the API takes, or may not be done."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(str(answer.body))
        self.answer = answer


class Fault(StrEnum):
    """How an effect breaks; `after`: it is done all the same."""

    BAD_GATEWAY_BEFORE = "502 before"
    BAD_GATEWAY_AFTER = "502 after"
    RESET_BEFORE = "reset before"
    RESET_AFTER = "reset after"
    KILLED_BEFORE = "killed before"
    KILLED_AFTER = "killed after"

    @property
    def is_after(self) -> bool:
        return self.value.endswith("after")


@dataclass(frozen=True)
class Plan:
    """The nth effect breaks."""

    nth: int
    fault: Fault
    kill: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Route:
    """One path of the API."""

    method: str
    pattern: str  # "/repos/{repo}/git/blobs"
    handler: Handler
    body: Any = None  # see _mismatch
    query: frozenset[str] = frozenset()

    def match(self, method: str, path: str) -> dict[str, str] | None:
        parts = re.split(r"\{(\w+)\}", self.pattern)
        regex = "".join(f"(?P<{part}>[^/]+)" if number % 2 else re.escape(part) for number, part in enumerate(parts))
        found = re.fullmatch(regex, path) if method == self.method else None
        return {name: unquote(value) for name, value in found.groupdict().items()} if found else None

    def wrong(self, asked: Asked) -> str | None:
        """Why the API would not take this."""
        if strange := set(asked.query) - self.query:
            return f"unknown parameters {sorted(strange)}"
        if self.body is None:
            return None if asked.body is None else "a body where none goes"
        return _mismatch(asked.body, self.body, "")


class ForgeServer:
    """A forge on loopback. `problems` has every request that the real one would not understand."""

    root = ""  # of the API

    def __init__(self, remote: Path, project: str = "ada/cart") -> None:
        self.remote, self.project = remote, project
        self.asked: list[Asked] = []
        self.effects: list[str] = []
        self.problems: list[str] = []
        self.plan: Plan | None = None
        self.says: dict[str, Answer] = {}  # instead of a route's own answer, by "METHOD pattern"
        self.allowed = {TOKEN}
        self.lock = threading.RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.request_queue_size = 64
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def routes(self) -> Iterator[Route]:
        raise NotImplementedError

    def tokens(self, headers: Mapping[str, str]) -> str | None:
        kind, _, token = headers.get("authorization", "").partition(" ")
        return token if kind in {"Bearer", "token"} else None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._routes = list(self.routes())
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def git(self, *words: str, stdin: bytes = b"") -> str:
        return git(self.remote, *words, stdin=stdin)

    def branch(self, name: str) -> str | None:
        told = self.git("for-each-ref", "--format=%(objectname)", f"refs/heads/{name}")
        return told or None

    def answer(self, asked: Asked, headers: Mapping[str, str]) -> Answer:
        """What the forge says, strictly."""
        if not asked.path.startswith(self.root):
            return self._problem(asked, 404, "a path outside the API")
        if self.tokens(headers) not in self.allowed:
            return Answer(401, {"message": "Bad credentials"})
        path = asked.path.removeprefix(self.root)
        for route in self._routes:
            if (parts := route.match(asked.method, path)) is not None:
                return self._answer(route, parts, asked)
        return self._problem(asked, 404, "no such path")

    def _answer(self, route: Route, parts: dict[str, str], asked: Asked) -> Answer:
        if wrong := route.wrong(asked):
            return self._problem(asked, 422, wrong)
        self.asked.append(Asked(asked.method, asked.path, asked.query, asked.body, route.pattern))
        if said := self.says.get(f"{route.method} {route.pattern}"):
            return said
        if parts.pop("repo", self.project.replace("/", "%2F")) not in {self.project, self.project.replace("/", "%2F")}:
            return Answer(404, {"message": "Not Found"})
        try:
            with self.lock:
                return route.handler(asked, **parts)
        except Refused as refused:
            return refused.answer

    def _problem(self, asked: Asked, status: int, why: str) -> Answer:
        self.problems.append(f"{asked.method} {asked.path}: {why} {asked.body}")
        return Answer(status, {"message": why})

    def respond(self, asked: Asked, headers: Mapping[str, str]) -> Answer | None:
        """The answer, around which a fault may happen; None: the connection is reset."""
        if asked.method == "GET":
            return self.answer(asked, headers)
        with self.lock:
            self.effects.append(f"{asked.method} {asked.path}")
            plan = self.plan if self.plan and len(self.effects) == self.plan.nth else None
        done = self.answer(asked, headers) if plan is None or plan.fault.is_after else None
        if plan is None:
            return done
        if plan.fault.value.startswith("502"):
            return Answer(502, {"message": "Bad Gateway"})
        if plan.fault.value.startswith("killed"):
            plan.kill()
        return None

    def _handler(forge: ForgeServer) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _serve(self) -> None:
                data = self.rfile.read(int(self.headers.get("content-length") or "0"))
                parts = urlsplit(self.path)
                query = dict(parse_qsl(parts.query, keep_blank_values=True))
                body = json.loads(data) if data else None
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = forge.respond(Asked(self.command, parts.path, query, body), headers)
                if answer is None:
                    self._reset()
                else:
                    self._send(answer)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _serve

            def _reset(self) -> None:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()

            def _send(self, answer: Answer) -> None:
                raw = b"" if answer.status == 204 else json.dumps(answer.body).encode()
                head = {"content-type": "application/json", "content-length": str(len(raw)), **answer.headers}
                self.send_response(answer.status)
                for name, value in head.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def _mismatch(value: Any, wanted: Any, place: str) -> str | None:
    """Why a body is not as it must be: names with "?" may be missing, `[type]` is a list, a type or several are as they are."""
    if isinstance(wanted, Mapping):
        return _fields(value, wanted, place)
    if isinstance(wanted, list):
        if not isinstance(value, list):
            return f"{place} is no list"
        return next(filter(None, (_mismatch(item, wanted[0], f"{place}[]") for item in value)), None)
    fits = isinstance(value, wanted) and not (isinstance(value, bool) and wanted is int)
    return None if fits else f"{place} is {value!r}"


def _fields(value: Any, wanted: Mapping[str, Any], place: str) -> str | None:
    if not isinstance(value, dict):
        return f"{place or 'the body'} is no object"
    known = {name.rstrip("?"): (inner, name.endswith("?")) for name, inner in wanted.items()}
    if strange := set(value) - set(known):
        return f"unknown fields {sorted(strange)} in {place or 'the body'}"
    for name, (inner, optional) in known.items():
        if name not in value and not optional:
            return f"{name} is missing"
        if name in value and (wrong := _mismatch(value[name], inner, f"{place}.{name}")):
            return wrong
    return None
