"""A web server on loopback that behaves as badly as it is told."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

GOOD = b"bytes of a picture"


def answer(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    """A whole HTTP answer; `length` is what it claims."""
    size = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {size}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def redirect(to: str) -> bytes:
    """An answer that leads to `to`."""
    return answer(b"", f"Location: {to}", status="302 Found")


def drip(connection: socket.socket, begin: bytes, every: float = 0.05) -> None:
    """Send `begin`, then a byte now and then for as long as somebody listens."""
    connection.sendall(begin)
    for _ in range(1000):
        connection.sendall(b"x")
        time.sleep(every)


def flood(connection: socket.socket) -> None:
    """A body without end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(bytes(65536))


def silence(connection: socket.socket) -> None:
    """Nothing at all, until the other side has enough."""
    connection.settimeout(10)
    connection.recv(1)


BODY = b"HTTP/1.1 200 OK\r\n\r\n"
BOMB = gzip.compress(bytes(200 * 1024))
ANSWERS: Mapping[str, bytes | Callable[[socket.socket], None]] = {
    "/good": answer(GOOD),
    "/chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n12\r\n"
    + GOOD
    + b"\r\n0\r\n\r\n",
    "/html": answer(b"<html>", "Content-Type: image/jpeg"),
    "/gzip": answer(gzip.compress(GOOD), "Content-Encoding: gzip"),
    "/deflate": answer(zlib.compress(GOOD), "Content-Encoding: deflate"),
    "/brotli": answer(GOOD, "Content-Encoding: br"),
    "/bomb": answer(BOMB, "Content-Encoding: gzip"),
    "/no-gzip": answer(GOOD, "Content-Encoding: gzip"),
    "/missing": answer(b"", status="404 Not Found"),
    "/failing": answer(b"", status="500 Oh"),
    "/partial": answer(b"", status="206 Partial Content"),
    "/large": answer(bytes(300 * 1024)),
    "/endless": flood,
    "/short": answer(GOOD, length=1000),
    "/negative": answer(GOOD, length=-5),
    "/slow-headers": lambda connection: drip(connection, b"HTTP/1.1 200 OK\r\nX: "),
    "/slow-body": lambda connection: drip(connection, BODY),
    "/slow-chunks": lambda connection: drip(
        connection, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0000"
    ),
    "/silent": silence,
    "/nonsense": b"\x00\xff" * 1000,
    "/empty": b"",
    "/many-headers": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000 + b"\r\n",
    "/long-header": b"HTTP/1.1 200 OK\r\nA: " + b"b" * 100_000 + b"\r\n\r\n",
    "/bad-chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "/once": redirect("/good"),
    "/loop": redirect("/loop"),
    "/to-file": redirect("file:///etc/passwd"),
    "/to-nowhere": redirect("http://"),
    "/to-metadata": redirect("http://169.254.169.254/latest/meta-data/"),
    "/to-decimal": redirect("http://2852039166/"),
    "/to-mapped": redirect("http://[::ffff:10.0.0.1]/"),
    "/to-other-loopback": redirect("http://127.0.0.2/"),
    "/to-nonsense": redirect("http://[::1"),
    "/in-words": redirect("/1%202\xe9"),
}


class BadServer:
    """Serves `ANSWERS` on loopback, and counts who came."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.visits = 0
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.base = f"http{'s' if tls else ''}://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.visits += 1
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                if self._tls:
                    connection = self._tls.wrap_socket(connection, server_side=True)
                path = connection.recv(65536).split(b" ")[1].decode()
                given = ANSWERS.get(path, answer(b"", status="404 Not Found"))
                if callable(given):
                    given(connection)
                else:
                    connection.sendall(given)
            except OSError:
                return
