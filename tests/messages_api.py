"""A loopback server that speaks the Messages API, as far as a client of it can tell. Says what it is told to, in order."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What the server does with one request."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0  # seconds before anything is sent
    cut: int | None = None  # bytes of the body sent before the connection is closed
    reset: bool = False  # the connection is reset, nothing is sent
    trickle: float = 0.0  # seconds between single bytes of the body


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    path: str
    headers: Mapping[str, str]
    body: Any


def proposes(input: Any, **more: Any) -> Answer:
    """A call of `propose_fix`."""
    call = {"type": "tool_use", "id": "toolu_1", "name": "propose_fix", "input": input}
    return message([{"type": "text", "text": "I see."}, call], stop_reason="tool_use", **more)


def fixes(path: str, old: str, new: str, **more: Any) -> Answer:
    """A call of `propose_fix` with one edit."""
    return proposes(a_fix(path, old, new), **more)


def declines(verdict: str, root_cause: str = "because", **more: Any) -> Answer:
    return proposes(a_proposal(verdict=verdict, root_cause=root_cause), **more)


def says(text: str, **more: Any) -> Answer:
    """Text alone."""
    return message([{"type": "text", "text": text}], **more)


def message(content: Sequence[Any], *, stop_reason: str | None = "end_turn", usage: Any = None, **more: Any) -> Answer:
    body = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": list(content),
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": usage if usage is not None else {"input_tokens": 1000, "output_tokens": 200},
        **more,
    }
    return raw(json.dumps(body).encode())


def raw(body: bytes, status: int = 200, **headers: str) -> Answer:
    return Answer(status, body, {"content-type": "application/json", **headers})


def fails(status: int, type: str = "api_error", *, code: str | None = None, text: str = "no", **headers: str) -> Answer:
    """An error as the API words it; headers with underscores for dashes."""
    error: dict[str, Any] = {"type": type, "message": text}
    if code:
        error["details"] = {"error_code": code}
    body = json.dumps({"type": "error", "error": error}).encode()
    return Answer(status, body, {"content-type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}})


def a_proposal(**more: Any) -> dict[str, Any]:
    usual = {"verdict": "fix", "root_cause": "a.py:1 is wrong", "edits": [], "risk": "low", "expected_tests": []}
    return usual | more


def a_fix(path: str, old: str, new: str) -> dict[str, Any]:
    return a_proposal(edits=[{"path": path, "old_str": old, "new_str": new}])


class MessagesServer:
    """Answers requests in order and keeps them; after the last answer it says 500."""

    def __init__(self, answers: Sequence[Answer], models: Answer | None = None) -> None:
        self.asked_models: list[str] = []
        self._models = models or Answer(404, b"{}")  # what it says of every model
        self.requests: list[Request] = []
        self._answers = list(answers)
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> MessagesServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _next(self, request: Request) -> Answer:
        with self._lock:
            self.requests.append(request)
            left = len(self._answers) - len(self.requests)
            return self._answers[len(self.requests) - 1] if left >= 0 else fails(500, text="no more answers")

    def _handler(server: MessagesServer) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.asked_models.append(self.path)
                server._stopping.wait(server._models.delay)
                try:
                    self._send(server._models)
                except OSError:
                    self.close_connection = True

            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers.get("content-length", "0")))
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = server._next(Request(self.path, headers, json.loads(data)))
                server._stopping.wait(answer.delay)
                try:
                    self._send(answer)
                except OSError:
                    self.close_connection = True

            def _send(self, answer: Answer) -> None:
                if answer.reset:
                    linger = struct.pack("ii", 1, 0)
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    self.close_connection = True
                    self.connection.close()
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                if answer.trickle:
                    self._trickle(answer)
                else:
                    self.wfile.write(answer.body[: answer.cut])
                self.close_connection = answer.cut is not None

            def _trickle(self, answer: Answer) -> None:
                for byte in answer.body:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    if server._stopping.wait(answer.trickle):
                        return

            def log_message(self, *_: object) -> None:
                pass

        return Handler
