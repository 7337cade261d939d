"""Imports as people handle them: start, look, pause, resume, cancel, retry, undo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from lookalike.services.db import Database
from lookalike.services.importing import ledger, steps
from lookalike.services.importing.claims import free_ticket, required, unknown_import
from lookalike.services.importing.files import Files
from lookalike.services.importing.forecast import codes
from lookalike.services.importing.progress import Progress
from lookalike.services.importing.reading import Opener
from lookalike.services.importing.retrying import retry
from lookalike.services.importing.starting import Starting, Wanted
from lookalike.services.models import Import, ImportFailure, ImportState, now
from lookalike.services.ports import IndexQueue, WorkQueue
from lookalike.services.queueing import queue_pictures, queue_work
from lookalike.services.staging import Staged

LEFT = (ImportState.PAUSED, ImportState.CANCELLED, ImportState.FAILED)
"""States in which no worker goes on, while pictures that it has brought in may still fail."""


@dataclass(frozen=True, slots=True)
class FailurePage:
    """Failures in the order of the source; `next_position` continues, None at the end."""

    failures: list[ImportFailure]
    next_position: int | None


class Imports:
    """Starts imports, shows them, and tells workers what to do with them."""

    def __init__(
        self,
        db: Database,
        queue: WorkQueue,
        indexing_queue: IndexQueue,
        open_source: Opener,
        files: Files,
    ) -> None:
        self._db = db
        self._queue = queue
        self._indexing = indexing_queue
        self._starting = Starting(db, queue, open_source, files)

    def start(self, wanted: Wanted, staged: Staged | None = None) -> Progress:
        """Record the import and queue it; `staged` is the uploaded file to read from.

        Files that were being sent before go on where that stopped, in the same import.
        Raises SourceError when the source cannot be opened at all, NotFoundError for an unknown
        library. When this returns, the import is carried out whatever happens.
        """
        self._starting.check(wanted, staged)
        if begun := self._starting.begun(wanted):
            return self._change(begun, steps.send_on)
        return self.get(self._starting.start(wanted, staged))

    def get(self, import_id: UUID) -> Progress:
        """One import. Raises NotFoundError."""
        with self._db.read() as session:
            row = session.get(Import, import_id)
            if row is None:
                raise unknown_import(import_id)
            told = _told(session, row)
        return told or self._collected(import_id)

    def list(self, limit: int, cursor: UUID | None = None) -> list[Progress]:
        """Up to `limit` imports, newest first, from behind `cursor` on."""
        with self._db.read() as session:
            query = select(Import).order_by(Import.id.desc()).limit(limit)
            if cursor is not None:
                query = query.where(Import.id < cursor)
            told = {row.id: _told(session, row) for row in session.scalars(query)}
        return [one or self._collected(import_id) for import_id, one in told.items()]

    def pause(self, import_id: UUID) -> Progress:
        """Stop after the batch in hand, until it is resumed. Raises InvalidRequestError."""
        return self._change(import_id, steps.pause)

    def resume(self, import_id: UUID) -> Progress:
        """Go on where it was paused, or where it failed as a whole. Raises InvalidRequestError."""
        return self._change(import_id, steps.resume)

    def cancel(self, import_id: UUID) -> Progress:
        """End it; what it has brought in stays. Raises InvalidRequestError."""
        return self._change(import_id, steps.cancel)

    def undo(self, import_id: UUID) -> Progress:
        """Take away what it alone brought in. Raises InvalidRequestError."""
        return self._change(import_id, steps.undo)

    def perform(self, import_id: UUID) -> Progress:
        """Do what was rehearsed. Raises InvalidRequestError."""
        return self._change(import_id, steps.perform)

    def retry(self, import_id: UUID, position: int | None = None) -> Progress:
        """Try failed items again: the one at this position, or all.

        Raises InvalidRequestError, NotFoundError where nothing has failed there.
        """
        picture_ids: list[UUID] = []

        def change(session: Session, row: Import) -> None:
            picture_ids.extend(retry(session, row, position))

        progress = self._change(import_id, change)
        queue_pictures(self._indexing, picture_ids)
        return progress

    def failures(
        self, import_id: UUID, limit: int, start: int = 0, code: str | None = None
    ) -> FailurePage:
        """Up to `limit` failures from position `start` on, of one code or of all.

        Raises NotFoundError.
        """
        self.get(import_id)
        query = select(ImportFailure).where(
            ImportFailure.import_id == import_id, ImportFailure.position >= start
        )
        if code is not None:
            query = query.where(ImportFailure.code == code)
        with self._db.read() as session:
            found = list(session.scalars(query.order_by(ImportFailure.position).limit(limit + 1)))
        return FailurePage(found[:limit], found[limit].position if len(found) > limit else None)

    def codes(self, import_id: UUID) -> dict[str, int]:
        """How many failures it has by code, the most frequent first. Raises NotFoundError."""
        row = self.get(import_id).row
        with self._db.read() as session:
            return codes(session, row)

    def _collected(self, import_id: UUID) -> Progress:
        """The import with what failed since no worker goes on with it."""
        with self._db.write() as session:
            row = required(session, import_id)
            while not ledger.collect_failures(session, row):
                pass
            return _progress(session, row)

    def _change(self, import_id: UUID, change: Callable[[Session, Import], object]) -> Progress:
        with self._db.write() as session:
            row = required(session, import_id)
            change(session, row)
            row.updated_at = now()
            # A worker that has it in hand sees the new state and goes on by itself.
            ticket = free_ticket(row)
        if ticket is not None:
            queue_work(self._queue.put_import, import_id, ticket)
        return self.get(import_id)


def _told(session: Session, row: Import) -> Progress | None:
    """How far it is; None where something has failed that does not count as failed yet."""
    left = row.state in LEFT and ledger.has_uncollected(session, row)
    return None if left else _progress(session, row)


def _progress(session: Session, row: Import) -> Progress:
    stored = row.state not in {ImportState.DONE, ImportState.UNDOING, ImportState.UNDONE}
    return Progress(row, ledger.pending(session, row.id) if stored else 0)
