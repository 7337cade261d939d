"""Bulk imports over HTTP: start, watch, steer, and what failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast
from uuid import UUID

from flask import Response, request

from lookalike.services.errors import InvalidRequestError
from lookalike.services.importing.kinds import file_options, name_of
from lookalike.services.importing.receiving import Sent
from lookalike.services.importing.starting import Wanted
from lookalike.services.sources.names import shown
from lookalike.services.staging import Staged
from lookalike.web.api import Api, Binary, read_form
from lookalike.web.context import platform
from lookalike.web.import_answers import (
    FailuresAnswer,
    ImportAnswer,
    ImportsAnswer,
    answer_of,
    failed_item,
    is_ended,
)
from lookalike.web.import_requests import (
    FailuresQuery,
    ImportFields,
    ImportForm,
    ImportsQuery,
    NewImport,
    RetryRequest,
    SentFields,
    SentForm,
)
from lookalike.web.import_streams import csv_of, events_of
from lookalike.web.owner import is_owner

api = Api("imports")


@api.operation(
    "POST /imports",
    "Start an import",
    body=NewImport,
    form=ImportForm,
    answer=ImportAnswer,
    status=202,
)
def start_import(body: NewImport | None = None) -> ImportAnswer:
    """Start an import from a place of the server, or from the file that is sent."""
    if body is None:
        return _start_with_file()
    kind, options = (body.kind, {}) if body.kind else file_options(str(body.source.get("path", "")))
    wanted = Wanted(
        kind,
        options | body.source,
        shown(body.name) if body.name else name_of(kind, body.source),
        body.library,
        body.tags,
        body.dry_run,
        is_owner(),
    )
    return answer_of(platform().imports.start(wanted))


def _start_with_file() -> ImportAnswer:
    fields = read_form(ImportFields)
    files = request.files.getlist("file")
    if len(files) != 1 or set(request.files) != {"file"}:
        raise InvalidRequestError(
            "Send one archive, manifest or list as multipart/form-data, in the field `file`.",
            field="file",
        )
    filename = files[0].filename or ""
    kind, options = file_options(filename, fields.kind)
    wanted = Wanted(
        kind,
        options | fields.source,
        name_of(kind, {"path": filename}),
        fields.library,
        fields.tags,
        fields.dry_run,
    )
    return answer_of(platform().imports.start(wanted, cast(Staged, files[0].stream)))


@api.operation(
    "POST /imports/<uuid:import_id>/images",
    "Send files of an import",
    form=SentForm,
    answer=ImportAnswer,
)
def send_files(import_id: UUID) -> ImportAnswer:
    """Take the next files of an import of the kind `files`.

    `found` of the answer says how many have been dealt with, which is where to go on: files that
    are sent twice count once, and none are taken while the import is paused.
    """
    fields = read_form(SentFields)
    files = request.files.getlist("file")
    if len(files) != sum(not item.error for item in fields.items):
        raise InvalidRequestError(
            "Send one `file` for each of the `items` that has no error, in the same order.",
            field="file",
        )
    staged = (cast(Staged, file.stream) for file in files)
    sent = [
        Sent(item.name, None if item.error else next(staged), item.refusal())
        for item in fields.items
    ]
    platform().receiving.receive(import_id, fields.position, sent)
    return answer_of(platform().imports.get(import_id))


@api.operation(
    "GET /imports", "List imports, newest first", query=ImportsQuery, answer=ImportsAnswer
)
def list_imports(query: ImportsQuery) -> ImportsAnswer:
    """List imports."""
    found = platform().imports.list(query.limit + 1, query.cursor)
    more = len(found) > query.limit
    return ImportsAnswer(
        imports=[answer_of(one) for one in found[: query.limit]],
        next_cursor=found[query.limit - 1].row.id if more else None,
    )


@api.operation("GET /imports/<uuid:import_id>", "Show an import", answer=ImportAnswer)
def show_import(import_id: UUID) -> ImportAnswer:
    """Show one import."""
    return answer_of(platform().imports.get(import_id))


@api.operation("POST /imports/<uuid:import_id>/cancel", "End an import early", answer=ImportAnswer)
def cancel_import(import_id: UUID) -> ImportAnswer:
    """End it; what it has brought in stays."""
    return answer_of(platform().imports.cancel(import_id))


@api.operation("POST /imports/<uuid:import_id>/pause", "Pause an import", answer=ImportAnswer)
def pause_import(import_id: UUID) -> ImportAnswer:
    """Stop after the batch in hand."""
    return answer_of(platform().imports.pause(import_id))


@api.operation("POST /imports/<uuid:import_id>/resume", "Resume an import", answer=ImportAnswer)
def resume_import(import_id: UUID) -> ImportAnswer:
    """Go on where it was paused, or where it failed as a whole."""
    return answer_of(platform().imports.resume(import_id))


@api.operation(
    "POST /imports/<uuid:import_id>/perform", "Carry out a rehearsal", answer=ImportAnswer
)
def perform_import(import_id: UUID) -> ImportAnswer:
    """Do what was rehearsed, but for `files`, which are not kept: those are sent again."""
    return answer_of(platform().imports.perform(import_id))


@api.operation(
    "POST /imports/<uuid:import_id>/retry",
    "Try failed items again",
    body=RetryRequest,
    answer=ImportAnswer,
)
def retry_import(import_id: UUID, body: RetryRequest) -> ImportAnswer:
    """Try one failed item again, or all."""
    return answer_of(platform().imports.retry(import_id, body.position))


@api.operation(
    "POST /imports/<uuid:import_id>/undo",
    "Remove what an import alone brought in",
    answer=ImportAnswer,
)
def undo_import(import_id: UUID) -> ImportAnswer:
    """Remove its pictures, but none that was there before or that came in another way too."""
    return answer_of(platform().imports.undo(import_id))


@api.operation(
    "GET /imports/<uuid:import_id>/failures",
    "What failed in an import, as JSON or CSV",
    query=FailuresQuery,
    answer=FailuresAnswer,
)
def import_failures(import_id: UUID, query: FailuresQuery) -> FailuresAnswer | Response:
    """List failures a page at a time, or download all as CSV."""
    imports = platform().imports
    if query.format == "csv":
        imports.get(import_id)
        return csv_of(imports, import_id, query.code)
    page = imports.failures(import_id, query.limit, query.cursor, query.code)
    return FailuresAnswer(
        failures=[failed_item(one) for one in page.failures],
        codes=imports.codes(import_id),
        next_cursor=page.next_position,
    )


@api.operation(
    "GET /imports/<uuid:import_id>/events",
    "The import whenever it changes, as server-sent events, for 25 seconds",
    answer=Binary(("text/event-stream",)),
)
def import_events(import_id: UUID) -> Response:
    """Send `progress` events, each with what `GET /imports/{id}` answers.

    The stream ends after 25 seconds; the browser comes back with the id of the last event. Once
    the import has ended and that is known, the answer is 204 and it stays away.
    """
    imports = platform().imports
    imports.get(import_id)
    look: Callable[[], str] = lambda: answer_of(imports.get(import_id)).model_dump_json()  # noqa: E731
    return events_of(look, lambda: is_ended(imports.get(import_id)))
