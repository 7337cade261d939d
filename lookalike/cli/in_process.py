"""Requests to an app in this process, whose bodies it reads while they are made."""

from __future__ import annotations

from collections.abc import Iterable
from io import BufferedReader, RawIOBase
from typing import Any, cast

import httpx
from flask import Flask


class InProcessTransport(httpx.BaseTransport):
    """As httpx.WSGITransport, but no body is held in memory: it may be a large archive."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """See BaseTransport."""
        body = BufferedReader(_Body(cast(httpx.SyncByteStream, request.stream)))

        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            told = {"wsgi.input": body, "wsgi.input_terminated": True}
            return self._app.wsgi_app(environ | told, start_response)

        head = httpx.Request(request.method, request.url, headers=request.headers)
        return httpx.WSGITransport(app=app).handle_request(head)


class _Body(RawIOBase):
    """The bytes of these parts, one after the other."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = iter(parts)
        self._left = b""

    def readable(self) -> bool:
        """See RawIOBase."""
        return True

    def readinto(self, buffer: Any) -> int:
        """See RawIOBase."""
        while not self._left:
            part = next(self._parts, None)
            if part is None:
                return 0
            self._left = part
        taken = self._left[: len(buffer)]
        buffer[: len(taken)] = taken
        self._left = self._left[len(taken) :]
        return len(taken)
