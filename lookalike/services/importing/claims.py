"""Who may go on with an import: one worker at a time, whichever dies or is asked twice.

A task carries the ticket that the row held when it was queued. Taking the row exchanges the ticket
and leases it for a while; passing it on exchanges the ticket again for the next task. So a task
that comes twice, or late, finds that its ticket is no longer good, and there is never more than
one task of an import that does anything.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import structlog
from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from lookalike.services.db import Database
from lookalike.services.errors import LookalikeError, NotFoundError
from lookalike.services.models import Import, ImportState, now

log = structlog.get_logger(__name__)

WORKING = (
    ImportState.QUEUED,
    ImportState.REHEARSING,
    ImportState.RUNNING,
    ImportState.UNDOING,
)
"""States in which there is something to do for workers."""

MOST = 100


class OvertakenError(LookalikeError):
    """Another worker has this import now: what was in hand is dropped, it does it again."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An import in hand: its row as it was when it was taken."""

    row: Import
    ticket: UUID

    @property
    def id(self) -> UUID:
        """The import's id."""
        return self.row.id


class Claims:
    """Takes imports, keeps them while they are worked on, and passes them on."""

    def __init__(self, db: Database, length: timedelta) -> None:
        self._db = db
        self._length = length

    def take(self, import_id: UUID, ticket: UUID) -> Claim | None:
        """Lease the import to the bearer of its ticket; None when there is nothing to do for it."""
        with self._db.write() as session:
            row = locked(session, import_id)
            if row is None or row.ticket != ticket or row.state not in WORKING:
                return None
            row.ticket, row.leased_until = uuid4(), now() + self._length
            if row.state == ImportState.QUEUED:
                row.state = ImportState.REHEARSING if row.dry_run else ImportState.RUNNING
                row.started_at = row.started_at or now()
            return Claim(row, row.ticket)

    def held(self, session: Session, claim: Claim) -> Import:
        """The row, whose lease is renewed, in a transaction. Raises OvertakenError."""
        row = locked(session, claim.id)
        if row is None or row.ticket != claim.ticket:
            raise OvertakenError("Another worker has taken this import over.")
        row.leased_until = now() + self._length
        return row

    @contextmanager
    def kept(self, claim: Claim) -> Iterator[None]:
        """Renew the lease for as long as the block lasts: one slow URL may outlast a lease."""
        ended = threading.Event()
        thread = threading.Thread(target=self._renew, args=(claim, ended), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _renew(self, claim: Claim, ended: threading.Event) -> None:
        while not ended.wait(self._length.total_seconds() / 3):
            try:
                with self._db.write() as session:
                    self.held(session, claim)
            except OvertakenError:
                return
            except LookalikeError as error:  # it may go better next time
                log.warning("import_lease_not_renewed", reason=error.message)

    def pass_on(self, claim: Claim) -> UUID | None:
        """End the lease; the ticket for the next task, None when there is nothing left to do."""
        with self._db.write() as session:
            row = self.held(session, claim)
            row.leased_until = None
            row.ticket = uuid4() if row.state in WORKING else None
            return row.ticket

    def fail(self, claim: Claim, code: str, message: str) -> None:
        """End the import as a whole, with a reason."""
        with self._db.write() as session:
            row = self.held(session, claim)
            row.state, row.code, row.message = ImportState.FAILED, code, message
            row.ended_at = now()

    def explain(self, claim: Claim, message: str) -> None:
        """Say what the import is waiting for."""
        with self._db.write() as session:
            self.held(session, claim).message = message

    def lost(self, before: datetime) -> list[tuple[UUID, UUID]]:
        """Imports whose worker or task is gone, each with a fresh ticket for a new task.

        `before` says how long ago those must have been queued that nobody has in hand.
        """
        with self._db.write() as session:
            query = (
                select(Import)
                .where(
                    Import.state.in_(WORKING),
                    or_(
                        Import.leased_until < now(),
                        Import.leased_until.is_(None) & (Import.updated_at < before),
                    ),
                )
                .limit(MOST)
                .with_for_update(skip_locked=True)
            )
            return [(row.id, ticket_for(row)) for row in session.scalars(query)]

    def end_all_leases(self) -> None:
        """Say that whoever held leases is dead, and that nothing is queued."""
        with self._db.write() as session:
            session.execute(
                update(Import).where(Import.state.in_(WORKING)).values(leased_until=now())
            )


def locked(session: Session, import_id: UUID) -> Import | None:
    """The row, which nobody else changes until this write ends."""
    return session.scalar(select(Import).where(Import.id == import_id).with_for_update())


def required(session: Session, import_id: UUID) -> Import:
    """The same. Raises NotFoundError."""
    row = locked(session, import_id)
    if row is None:
        raise unknown_import(import_id)
    return row


def unknown_import(import_id: UUID) -> NotFoundError:
    """The error for an import that is not there."""
    return NotFoundError("There is no import with this id.", id=str(import_id))


def ticket_for(row: Import) -> UUID:
    """A ticket for a new task; those before it are no longer good."""
    row.ticket, row.leased_until, row.updated_at = uuid4(), None, now()
    return row.ticket


def is_leased(row: Import) -> bool:
    """Whether a worker has it in hand."""
    return row.leased_until is not None and row.leased_until > now()
