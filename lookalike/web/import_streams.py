"""Answers about imports that take a while: server-sent events, and failures as CSV."""

from __future__ import annotations

import csv
import hashlib
import io
import time
from collections.abc import Callable, Iterator
from threading import BoundedSemaphore
from uuid import UUID

from flask import Response, current_app, request

from lookalike.services.importing.jobs import Imports
from lookalike.services.models import ImportFailure
from lookalike.web.context import platform

STREAM_SECONDS = 25.0
"""A stream holds a thread of the server, and proxies cut what is silent for long."""

LOOK_SECONDS = 0.5
SILENT_SECONDS = 10.0
"""After so long without news a comment is sent, so that a browser that is gone is noticed."""

RETRY_MILLISECONDS = 1000
SEMAPHORE = "lookalike-streams"
COLUMNS = ("position", "name", "code", "message", "picture_id")
FORMULAS = ("=", "+", "-", "@", "\t", "\r")
PAGE = 1000


def events_of(look: Callable[[], str], is_ended: Callable[[], bool]) -> Response:
    """What `look` gives, now and whenever it changes, until `is_ended` or time is up.

    The id of an event stands for what it says: whoever comes back knowing it hears only news.
    """
    known = request.headers.get("Last-Event-ID", "")
    if is_ended() and known == _digest(look()):
        return Response(status=204)
    slots = _slots()
    # Half of the threads stay free for everything else; whoever finds none comes back later.
    lasting = STREAM_SECONDS if slots.acquire(blocking=False) else 0.0
    events = _events(look, is_ended, known, lasting)
    response = Response(events, mimetype="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    if lasting:
        response.call_on_close(slots.release)
    return response


def _events(
    look: Callable[[], str], is_ended: Callable[[], bool], known: str, lasting: float
) -> Iterator[str]:
    yield f"retry: {RETRY_MILLISECONDS}\n\n"
    until = spoken = time.monotonic()
    until += lasting
    while True:
        ended, data = is_ended(), look()
        if _digest(data) != known:
            known, spoken = _digest(data), time.monotonic()
            yield f"event: progress\nid: {known}\ndata: {data}\n\n"
        elif time.monotonic() - spoken > SILENT_SECONDS:
            spoken = time.monotonic()
            yield ":\n\n"
        if ended or time.monotonic() > until:
            return
        time.sleep(LOOK_SECONDS)


def _digest(data: str) -> str:
    return hashlib.sha256(data.encode()).hexdigest()[:16]


def _slots() -> BoundedSemaphore:
    most = max(1, platform().settings.web_threads // 2)
    slots: BoundedSemaphore = current_app.extensions.setdefault(SEMAPHORE, BoundedSemaphore(most))
    return slots


def csv_of(imports: Imports, import_id: UUID, code: str | None) -> Response:
    """All failures as a table that spreadsheets open, a row each."""
    response = Response(_rows(imports, import_id, code), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="failures-{import_id}.csv"'
    return response


def _rows(imports: Imports, import_id: UUID, code: str | None) -> Iterator[str]:
    yield _line(COLUMNS)
    start: int | None = 0
    while start is not None:
        page = imports.failures(import_id, PAGE, start, code)
        yield "".join(_line(_cells(one)) for one in page.failures)
        start = page.next_position


def _cells(one: ImportFailure) -> tuple[str, ...]:
    return (str(one.position), one.name, one.code, one.message, str(one.picture_id or ""))


def _line(cells: tuple[str, ...]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(_inert(cell) for cell in cells)
    return buffer.getvalue()


def _inert(cell: str) -> str:
    """The cell as a text for spreadsheets too, which else would compute what begins like this."""
    return f"'{cell}" if cell.startswith(FORMULAS) else cell
