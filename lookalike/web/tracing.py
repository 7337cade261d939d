"""Gives every request an id, which its log events, its answer and its tasks carry."""

from __future__ import annotations

import re
from uuid import uuid4

from flask import Flask, Response, g, request
from structlog.contextvars import bind_contextvars, clear_contextvars, unbind_contextvars

HEADER = "X-Request-ID"
ACCEPTABLE = re.compile(r"[A-Za-z0-9._-]{1,100}")


def trace(app: Flask) -> None:
    """Take the id that a proxy has given, or make one."""
    app.before_request(_begin)
    app.after_request(_tell)
    app.teardown_request(lambda _error: unbind_contextvars("request_id"))


def _begin() -> None:
    given = request.headers.get(HEADER, "")
    g.request_id = given if ACCEPTABLE.fullmatch(given) else uuid4().hex
    clear_contextvars()
    bind_contextvars(request_id=g.request_id)


def _tell(response: Response) -> Response:
    response.headers[HEADER] = g.request_id
    return response
