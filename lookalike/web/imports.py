"""Bulk imports over HTTP: start, watch, steer, and what failed; and their pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias, cast
from uuid import UUID

from flask import Blueprint, Response, render_template, request
from pydantic import BaseModel, ConfigDict, Field, Json, field_validator

from lookalike.services.errors import (
    InvalidRequestError,
    MissingFileError,
    PictureError,
    TooLargeError,
)
from lookalike.services.importing.jobs import Wanted
from lookalike.services.importing.kinds import file_options, name_of
from lookalike.services.importing.progress import Progress
from lookalike.services.importing.receiving import Sent
from lookalike.services.labels import Tags
from lookalike.services.models import DEFAULT_LIBRARY, ImportFailure, ImportState
from lookalike.services.sources.names import MAX_NAME, shown
from lookalike.services.staging import Staged
from lookalike.web.api import Api, Binary, read_form
from lookalike.web.context import platform
from lookalike.web.import_streams import csv_of, events_of
from lookalike.web.owner import is_owner
from lookalike.web.pictures import FilePart
from lookalike.web.schemas import Failure

api = Api("imports")
pages = Blueprint("imports", __name__)


Kind: TypeAlias = Literal[
    "files", "folder", "zip", "tar", "webdataset", "manifest", "urls", "s3", "flickr30k"
]
"""What can be imported from."""


class NewImport(BaseModel):
    """An import from where the server can read by itself.

    `kind` is the kind of source, `source` its options, such as `{"path": "/srv/pictures"}` for a
    `folder` or `{"url": "s3://bucket/folder"}` for `s3`. `dry_run` only says what would happen.
    Without a kind, the name of the file at `path` tells it. `name` is what people see it as, by
    default where it comes from.

    `files` are sent afterwards (`POST /imports/{id}/images`); `source` then tells how many
    `files` there are and a `fingerprint` of them, 64 hexadecimal digits. Where an import of the
    same files has not come to its end, the answer is that one, and `found` says where to go on.
    In a rehearsal of theirs they are judged as they come and not kept.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Kind | Literal[""] = ""
    name: Annotated[str, Field(max_length=MAX_NAME)] = ""
    source: dict[str, Any] = {}
    library: str = DEFAULT_LIBRARY
    tags: Tags = []
    dry_run: bool = False


class ImportFields(BaseModel):
    """What goes with an uploaded archive, manifest or list. The file's name tells the kind.

    `tags` may repeat, or be one text with commas.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Kind | Literal[""] = ""
    source: Json[dict[str, Any]] = Field(default_factory=dict)
    library: str = DEFAULT_LIBRARY
    tags: Tags = []
    dry_run: bool = False

    @field_validator("tags", mode="before")
    @classmethod
    def _split(cls, texts: list[str]) -> list[str]:
        return [part for text in texts for part in text.split(",") if part.strip()]


class ImportForm(ImportFields):
    """An import from a file that is sent along."""

    file: FilePart
    source: dict[str, Any] = Field(default_factory=dict)


class SentItem(BaseModel):
    """A file of an import: its name, and what went wrong if its bytes are not among those sent."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=MAX_NAME)]
    error: Annotated[str, Field(max_length=MAX_NAME)] = ""
    code: Literal["missing_file", "too_large"] = "missing_file"

    def refusal(self) -> PictureError | None:
        """The error, None for a file that was sent."""
        kind = TooLargeError if self.code == "too_large" else MissingFileError
        return kind(self.error) if self.error else None


class SentFields(BaseModel):
    """What goes with files that are sent to an import.

    `position` is that of the first of `items`, which name each file in its order.
    """

    model_config = ConfigDict(extra="forbid")

    position: int = Field(ge=0, le=2**31 - 1)
    items: Json[list[SentItem]]


class SentForm(SentFields):
    """Files of an import: the bytes of all `items` without an error, in the same order."""

    items: list[SentItem] = Field(min_length=1)
    file: list[FilePart] = []


class ImportsQuery(BaseModel):
    """Which imports to list."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=50, ge=1, le=200)
    cursor: UUID | None = None


class FailuresQuery(BaseModel):
    """Which failures to list, and whether as JSON, a page at a time, or all as CSV."""

    model_config = ConfigDict(extra="forbid")

    code: str | None = Field(default=None, max_length=40)
    limit: int = Field(default=100, ge=1, le=1000)
    cursor: int = Field(default=0, ge=0, le=2**31 - 1)
    format: str = Field(default="json", pattern="^(json|csv)$")


class RetryRequest(BaseModel):
    """The position of the failed item that is tried again; without one, all are."""

    model_config = ConfigDict(extra="forbid")

    position: int | None = Field(default=None, ge=0, le=2**31 - 1)


class Rehearsal(BaseModel):
    """What an import would do: items by outcome, failures by code, bytes stored, seconds taken."""

    new: int
    duplicate: int
    failed: int
    codes: dict[str, int]
    bytes: int
    seconds: float


class ImportAnswer(BaseModel):
    """An import. Every item that was `found` is new, duplicate or failed.

    `done` are searchable; `pending` are stored and wait to be indexed. `total` is null while
    nobody knows it, and so are `rate` (items a second) and `seconds_left`. `message` says what it
    waits for, `error` why it ended.
    """

    id: UUID
    kind: str
    name: str
    source: dict[str, Any]
    library: str
    tags: list[str]
    dry_run: bool
    state: ImportState
    error: Failure | None
    message: str | None
    total: int | None
    found: int
    done: int
    new: int
    duplicate: int
    failed: int
    pending: int
    removed: int
    bytes: int
    rate: float | None
    seconds_left: float | None
    rehearsal: Rehearsal | None
    added_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class ImportsAnswer(BaseModel):
    """A stretch of imports, newest first; `next_cursor` continues it."""

    imports: list[ImportAnswer]
    next_cursor: UUID | None


class FailedItem(BaseModel):
    """An item that did not become searchable; `retry` says that it is about to be tried again."""

    position: int
    name: str
    code: str
    message: str
    picture_id: UUID | None
    retry: bool


class FailuresAnswer(BaseModel):
    """A stretch of failures in the order of the source, and how many there are by code."""

    failures: list[FailedItem]
    codes: dict[str, int]
    next_cursor: int | None


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
        failures=[_failed(one) for one in page.failures],
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


@pages.get("/imports")
def imports_page() -> str:
    """Start an import, and see those that there are."""
    return render_template("imports.html", roots=platform().settings.import_roots)


@pages.get("/imports/<uuid:import_id>")
def import_page(import_id: UUID) -> str:
    """One import, live. Raises NotFoundError."""
    name = platform().imports.get(import_id).row.name
    return render_template("import.html", import_id=import_id, name=name)


def is_ended(progress: Progress) -> bool:
    """Whether nothing about the import changes by itself any more."""
    return progress.row.state in {
        ImportState.DONE,
        ImportState.CANCELLED,
        ImportState.FAILED,
        ImportState.UNDONE,
    }


def answer_of(progress: Progress) -> ImportAnswer:
    """The API's view of an import."""
    row = progress.row
    return ImportAnswer(
        id=row.id,
        kind=row.kind,
        name=row.name,
        source=row.spec,
        library=row.library,
        tags=row.tags,
        dry_run=row.dry_run,
        state=row.state,
        error=Failure(code=row.code, message=row.message or "") if row.code else None,
        message=None if row.code else row.message,
        total=row.total,
        found=progress.found,
        done=progress.done,
        new=row.new,
        duplicate=row.duplicate,
        failed=row.failed,
        pending=progress.pending,
        removed=row.removed,
        bytes=row.bytes,
        rate=_rounded(progress.rate),
        seconds_left=_rounded(progress.seconds_left),
        rehearsal=Rehearsal(**row.rehearsal) if row.rehearsal else None,
        added_at=row.added_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _failed(one: ImportFailure) -> FailedItem:
    return FailedItem(
        position=one.position,
        name=one.name,
        code=one.code,
        message=one.message,
        picture_id=one.picture_id,
        retry=one.retry,
    )
