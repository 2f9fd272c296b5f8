"""A loopback server that answers what a forge's API says of jobs, page by page."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class JobsApi:
    """What it says to one request after the other, the last one for good; and what it was asked."""

    answers: Sequence[Any]  # JSON, bytes, or (status, headers)
    trickle: float = 0.0  # seconds between single bytes
    url: str = ""
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)


@contextmanager
def serving(*answers: Any, trickle: float = 0.0) -> Iterator[JobsApi]:
    api = JobsApi(answers, trickle)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = api.answers[min(len(api.asked), len(api.answers) - 1)]
            api.asked.append((self.path, dict(self.headers)))
            status, headers = answer if isinstance(answer, tuple) else (200, {})
            body = answer if isinstance(answer, bytes) else json.dumps(answer if status == 200 else {}).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self._send(body)

        def _send(self, body: bytes) -> None:
            try:
                for at in range(len(body)) if api.trickle else ():
                    self.wfile.write(body[at : at + 1])
                    self.wfile.flush()
                    time.sleep(api.trickle)
                self.wfile.write(b"" if api.trickle else body)
            except OSError:
                pass  # who asked has enough

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    api.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
