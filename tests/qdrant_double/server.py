"""The double's HTTP side: the server's envelope, and faults on demand."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import ValidationError
from pydantic_core import to_json
from qdrant_client import models
from qdrant_client.http.exceptions import UnexpectedResponse

from tests.qdrant_double.engine import Engine, refused
from tests.qdrant_double.routes import route


@dataclass(frozen=True)
class Seen:
    """A request that reached the double; `body` as it was sent, `key` the API key with it.

    `query` is what follows the `?`, by name.
    """

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes
    key: str

    @property
    def json(self) -> Any:
        """The body, understood as JSON."""
        return json.loads(self.body)


class Double:
    """A Qdrant server on a port of loopback. Use it as a context manager.

    `seen` holds the requests, but for those to `/_double`. `failures` holds the status codes
    that the next requests are answered with instead, `delay` the seconds that each answer waits.
    The same over HTTP: `POST /_double/delay {"seconds": 5}` and `POST /_double/empty`.
    """

    def __init__(self, engine: Engine | None = None, port: int = 0) -> None:
        self.engine = engine or Engine()
        self.seen: deque[Seen] = deque(maxlen=10_000)
        self.failures: deque[int] = deque()
        self.delay = 0.0
        self._http = Server(("127.0.0.1", port), Handler)
        self._http.double = self
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> Double:
        threading.Thread(target=self.serve, name="qdrant double", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self.close()

    def serve(self) -> None:
        """Answer until the process ends or the context is left."""
        self._http.serve_forever(poll_interval=0.05)

    def close(self) -> None:
        """Let go of the port and of the engine's files."""
        self._http.server_close()
        self.engine.close()

    def answer(self, asked: Seen) -> tuple[int, bytes]:
        """Status and body of the answer to one request."""
        started = time.monotonic()
        try:
            result = self._result(asked)
        except UnexpectedResponse as error:
            return error.status_code or 500, error.content
        except ValidationError as error:
            return 400, refused(400, f"Format error in JSON body: {error}").content
        if isinstance(result, models.VersionInfo):  # the one answer without an envelope
            return 200, to_json(result)
        seconds = time.monotonic() - started
        return 200, to_json({"result": result, "status": "ok", "time": seconds})

    def _result(self, asked: Seen) -> Any:
        if (asked.method, asked.path) == ("POST", "/_double/delay"):
            self.delay = float(asked.json["seconds"])
            return self.delay
        time.sleep(self.delay)
        if (asked.method, asked.path) == ("POST", "/_double/empty"):
            return self.engine.empty()
        self.seen.append(asked)
        if self.failures:
            raise refused(self.failures.popleft(), "a failure that a test asked for")
        return self._routed(asked)

    def _routed(self, asked: Seen) -> Any:
        found = route(asked.method, asked.path)
        if found is None:
            raise refused(404, f"Not found: {asked.method} {asked.path}")
        one, collection = found
        parsed = one.body.validate_json(asked.body) if one.body else None
        return one.handle(self.engine, unquote(collection), parsed)


class Server(ThreadingHTTPServer):
    """One thread a connection, none of which keeps the process alive."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    double: Double


class Handler(BaseHTTPRequestHandler):
    """One connection, kept open between requests as a server does."""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a small answer waits 40 ms for an acknowledgement
    wbufsize = -1

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url, key = urlsplit(self.path), self.headers.get("api-key", "")
        asked = Seen(self.command, url.path, dict(parse_qsl(url.query)), body, key)
        status, answer = self.server.double.answer(asked)
        with suppress(ConnectionError):  # who asked has gone, after a time-out of their own
            self._send(status, answer)

    do_GET = do_POST = do_PUT = do_DELETE = _any  # noqa: N815 - the names that http.server calls

    def _send(self, status: int, answer: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """Stay quiet."""
