"""Imports as people handle them: start, look, pause, resume, cancel, retry, undo."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from lookalike.services import entries
from lookalike.services.claims import is_leased, ticket_for
from lookalike.services.db import Database
from lookalike.services.errors import (
    InvalidRequestError,
    NotFoundError,
    SourceError,
)
from lookalike.services.importing import ledger
from lookalike.services.importing.claims import (
    WORKING,
    required,
    unknown_import,
)
from lookalike.services.importing.files import Files
from lookalike.services.importing.forecast import codes
from lookalike.services.importing.kinds import FILES
from lookalike.services.importing.progress import Progress
from lookalike.services.importing.reading import Opener
from lookalike.services.libraries import require_library
from lookalike.services.models import (
    Entry,
    Import,
    ImportedPicture,
    ImportFailure,
    ImportState,
    State,
    new_id,
    now,
)
from lookalike.services.ports import IndexQueue, WorkQueue
from lookalike.services.queueing import queue_pictures, queue_work
from lookalike.services.slices import sliced
from lookalike.services.staging import Staged

MOST_BEGUN = 100
"""Unfinished imports among which a sender's own is looked for."""

LEFT = (ImportState.PAUSED, ImportState.CANCELLED, ImportState.FAILED)
"""States in which no worker goes on, while pictures that it has brought in may still fail."""

UNFINISHED = (
    ImportState.QUEUED,
    ImportState.REHEARSING,
    ImportState.RUNNING,
    ImportState.PAUSED,
    ImportState.FAILED,
)
"""States of an import that its sender can go on with."""

ENDED = (ImportState.CANCELLED, ImportState.DONE, ImportState.FAILED)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be imported: a kind of source, its options, and what its pictures get.

    `of_owner` says that whoever wants it owns the data folder: any file may be read then.
    """

    kind: str
    spec: Mapping[str, Any]
    name: str
    library: str
    tags: Sequence[str] = ()
    dry_run: bool = False
    of_owner: bool = False


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
        self._open = open_source
        self._files = files

    def start(self, wanted: Wanted, staged: Staged | None = None) -> Progress:
        """Record the import and queue it; `staged` is the uploaded file to read from.

        Files that were being sent before go on where that stopped, in the same import.
        Raises SourceError when the source cannot be opened at all, NotFoundError for an unknown
        library. When this returns, the import is carried out whatever happens.
        """
        with self._db.read() as session:
            require_library(session, wanted.library)
        if staged is not None:
            staged.seal()
        # Opened here as well, so that a wrong address or a broken archive is told at once.
        self._try_to_open(wanted, staged)
        if wanted.kind == FILES and (begun := self._begun(wanted)):
            return self._change(begun, _send_on)
        import_id = new_id()
        row = Import(
            id=import_id,
            kind=wanted.kind,
            spec=dict(wanted.spec),
            name=wanted.name,
            file_key=self._files.store(import_id, staged) if staged else None,
            library=wanted.library,
            tags=list(wanted.tags),
            dry_run=wanted.dry_run,
            of_owner=wanted.of_owner,
            total=wanted.spec["files"] if wanted.kind == FILES else None,
        )
        with self._db.write() as session:
            require_library(session, wanted.library)
            session.add(row)
            session.flush()
            ticket = ticket_for(row)
        queue_work(self._queue.put_import, import_id, ticket)
        return self.get(import_id)

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
        return self._change(import_id, _pause)

    def resume(self, import_id: UUID) -> Progress:
        """Go on where it was paused, or where it failed as a whole. Raises InvalidRequestError."""
        return self._change(import_id, _resume)

    def cancel(self, import_id: UUID) -> Progress:
        """End it; what it has brought in stays. Raises InvalidRequestError."""
        return self._change(import_id, _cancel)

    def undo(self, import_id: UUID) -> Progress:
        """Take away what it alone brought in. Raises InvalidRequestError."""
        return self._change(import_id, _undo)

    def perform(self, import_id: UUID) -> Progress:
        """Do what was rehearsed. Raises InvalidRequestError."""
        return self._change(import_id, _perform)

    def retry(self, import_id: UUID, position: int | None = None) -> Progress:
        """Try failed items again: the one at this position, or all.

        Raises InvalidRequestError, NotFoundError where nothing has failed there.
        """
        picture_ids: list[UUID] = []

        def change(session: Session, row: Import) -> None:
            picture_ids.extend(_retry(session, row, position))

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

    def _begun(self, wanted: Wanted) -> UUID | None:
        """The newest import of these very files that has not come to its end."""
        unfinished = Import.state.in_(UNFINISHED)
        query = select(Import).where(
            unfinished, Import.kind == FILES, Import.library == wanted.library
        )
        with self._db.read() as session:
            rows = session.scalars(query.order_by(Import.id.desc()).limit(MOST_BEGUN))
            same = (row.id for row in rows if _is_same(row, wanted))
            return next(same, None)

    def _try_to_open(self, wanted: Wanted, staged: Staged | None) -> None:
        # The source closes what it is given.
        file = staged.path.open("rb") if staged else None
        with ExitStack() as stack:
            if file is not None:
                stack.enter_context(file)
            try:
                source = self._open(wanted.kind, wanted.spec, file=file, anywhere=wanted.of_owner)
            except InvalidRequestError as error:  # the options of the source
                raise SourceError(error.message, **error.details) from error
            stack.enter_context(closing(source))

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
            ticket = ticket_for(row) if row.state in WORKING and not is_leased(row) else None
        if ticket is not None:
            queue_work(self._queue.put_import, import_id, ticket)
        return self.get(import_id)


def _is_same(row: Import, wanted: Wanted) -> bool:
    told = row.spec == wanted.spec and row.tags == list(wanted.tags)
    return told and row.dry_run == wanted.dry_run


def _told(session: Session, row: Import) -> Progress | None:
    """How far it is; None where something has failed that does not count as failed yet."""
    left = row.state in LEFT and ledger.has_uncollected(session, row)
    return None if left else _progress(session, row)


def _progress(session: Session, row: Import) -> Progress:
    stored = row.state not in {ImportState.DONE, ImportState.UNDOING, ImportState.UNDONE}
    return Progress(row, ledger.pending(session, row.id) if stored else 0)


def _pause(_session: Session, row: Import) -> None:
    if row.state == ImportState.PAUSED:
        return
    if row.state not in {ImportState.QUEUED, ImportState.REHEARSING, ImportState.RUNNING}:
        raise _impossible(row, "paused")
    row.state, row.message = ImportState.PAUSED, None


def _resume(_session: Session, row: Import) -> None:
    if row.state in WORKING:
        return
    if row.state not in {ImportState.PAUSED, ImportState.FAILED}:
        raise _impossible(row, "resumed")
    _again(row)


def _send_on(session: Session, row: Import) -> None:
    """Go on with files that somebody is about to send: the time without any ends here."""
    _resume(session, row)
    row.received_at = now()


def _cancel(_session: Session, row: Import) -> None:
    if row.state == ImportState.CANCELLED:
        return
    if row.state not in {*WORKING, ImportState.PAUSED} or row.state == ImportState.UNDOING:
        raise _impossible(row, "cancelled")
    row.state, row.ended_at, row.cut_short = ImportState.CANCELLED, now(), True


def _undo(_session: Session, row: Import) -> None:
    if row.state in {ImportState.UNDOING, ImportState.UNDONE}:
        return
    if row.dry_run:
        raise InvalidRequestError("This was a rehearsal: it stored nothing that could be undone.")
    if row.state not in {*ENDED, ImportState.PAUSED}:
        raise InvalidRequestError("It is still running. Pause or cancel it, then undo it.")
    row.state, row.ended_at = ImportState.UNDOING, None
    row.code, row.message = None, None


def _perform(session: Session, row: Import) -> None:
    if not row.dry_run or row.state != ImportState.DONE:
        raise InvalidRequestError("Only a rehearsal that is done can be carried out.")
    if row.kind == FILES:
        raise InvalidRequestError(
            "The files of this rehearsal were sent and are not kept here. Import them from where "
            "they are: give the same command without --dry-run."
        )
    session.execute(delete(ImportFailure).where(ImportFailure.import_id == row.id))
    row.dry_run, row.started_at, row.exhausted = False, None, False
    row.position = row.new = row.duplicate = row.failed = row.bytes = 0
    _again(row)


def _again(row: Import) -> None:
    row.state, row.ended_at = ImportState.QUEUED, None
    row.code, row.message = None, None
    row.rate, row.rated_at = None, None
    row.received_at = now()


def _retry(session: Session, row: Import, position: int | None) -> list[UUID]:
    """Mark what is to be read again; the pictures that are to be indexed again."""
    if row.dry_run or row.state not in {*ENDED, ImportState.RUNNING, ImportState.PAUSED}:
        raise _impossible(row, "tried again")
    wanted = _wanted(row.id, position)
    failed = list(session.scalars(select(ImportFailure.picture_id).where(*wanted)))
    if not failed:
        raise NotFoundError("Nothing has failed there, or it has been tried again already.")
    stored = [picture_id for picture_id in failed if picture_id is not None]
    if not _lacks_file(row):
        unstored = (*wanted, ImportFailure.picture_id.is_(None))
        session.execute(update(ImportFailure).where(*unstored).values(retry=True))
    elif not stored:
        raise InvalidRequestError(
            "These files are not kept here. Import them again; what is in already is not stored "
            "twice."
        )
    for some in sliced(stored):
        _index_again(session, row, wanted, some)
    if row.state in ENDED:
        _again(row)
    return stored


FROM_FILES = frozenset({"zip", "tar", "webdataset", "manifest", "urls"})
"""Kinds of sources that are read from a file: an uploaded one, or one that `path` names."""


def _lacks_file(row: Import) -> bool:
    """Whether what was not stored cannot be read again."""
    if row.kind == FILES:
        return True
    return row.kind in FROM_FILES and row.file_key is None and row.spec.get("path") is None


def _wanted(import_id: UUID, position: int | None) -> list[ColumnElement[bool]]:
    wanted = [ImportFailure.import_id == import_id]
    return wanted if position is None else [*wanted, ImportFailure.position == position]


def _index_again(
    session: Session,
    row: Import,
    wanted: Sequence[ColumnElement[bool]],
    picture_ids: Sequence[UUID],
) -> None:
    """Make failed pictures pending, and count their items as what they were before."""
    links = session.scalars(
        select(ImportedPicture).where(
            ImportedPicture.import_id == row.id, ImportedPicture.picture_id.in_(picture_ids)
        )
    )
    for link in links:
        ledger.shift(row, link, failed=-1)
    session.execute(delete(ImportFailure).where(*wanted, ImportFailure.picture_id.in_(picture_ids)))
    session.execute(
        update(Entry)
        .where(Entry.picture_id.in_(picture_ids), Entry.state == State.FAILED)
        .values(**entries.afresh())
    )


def _impossible(row: Import, what: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"An import that is {row.state} cannot be {what}.", state=str(row.state)
    )
