"""What is answered about imports over HTTP, and how it is made from what the services know."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from lookalike.services.importing.progress import Progress
from lookalike.services.importing.steps import ENDED
from lookalike.services.models import ImportFailure, ImportState
from lookalike.web.schemas import Failure


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


def is_ended(progress: Progress) -> bool:
    """Whether nothing about the import changes by itself any more."""
    return progress.row.state in {*ENDED, ImportState.UNDONE}


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


def failed_item(one: ImportFailure) -> FailedItem:
    """The API's view of a failure."""
    return FailedItem(
        position=one.position,
        name=one.name,
        code=one.code,
        message=one.message,
        picture_id=one.picture_id,
        retry=one.retry,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
