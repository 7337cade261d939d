"""Who may go on with a long piece of work: one worker at a time, whichever dies or is asked twice.

The work is a row (an import, an index). A task carries the ticket that the row held when it was
queued. Taking the row exchanges the ticket and leases it for a while; passing it on exchanges the
ticket again for the next task. So a task that comes twice, or late, finds that its ticket is no
longer good, and there is never more than one task of a row that does anything.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar
from uuid import UUID, uuid4

import structlog
from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from lookalike.services.db import Database
from lookalike.services.errors import LookalikeError
from lookalike.services.models import Import, Index, now

log = structlog.get_logger(__name__)

Row = TypeVar("Row", Import, Index)

MOST = 100


class OvertakenError(LookalikeError):
    """Another worker has this now: what was in hand is dropped."""


class UnwantedError(OvertakenError):
    """Something else is wanted by now: what was in hand is dropped, and that is gone on with."""


@dataclass(frozen=True, slots=True)
class Claim(Generic[Row]):
    """A row in hand, as it was when it was taken."""

    row: Row
    ticket: UUID

    @property
    def id(self) -> UUID:
        """The row's id."""
        return self.row.id


class Claims(ABC, Generic[Row]):
    """Takes rows of `table`, keeps them while they are worked on, and passes them on."""

    table: type[Row]

    def __init__(self, db: Database, length: timedelta) -> None:
        self._db = db
        self._length = length

    @abstractmethod
    def working(self) -> ColumnElement[bool]:
        """The condition that there is something to do for workers."""

    @abstractmethod
    def is_working(self, row: Row) -> bool:
        """The same of a row."""

    @abstractmethod
    def begin(self, row: Row) -> None:
        """Note on the row that a worker has taken it up."""

    @abstractmethod
    def end(self, row: Row, code: str, message: str) -> None:
        """Note on the row that the work has failed as a whole."""

    def take(self, row_id: UUID, ticket: UUID) -> Claim[Row] | None:
        """Lease the row to the bearer of its ticket; None when there is nothing to do for it."""
        with self._db.write() as session:
            row = self.locked(session, row_id)
            if row is None or row.ticket != ticket or not self.is_working(row):
                return None
            row.ticket, row.leased_until = uuid4(), now() + self._length
            self.begin(row)
            return Claim(row, row.ticket)

    def held(self, session: Session, claim: Claim[Row]) -> Row:
        """The row, whose lease is renewed, in a transaction. Raises OvertakenError."""
        row = self.locked(session, claim.id)
        if row is None or row.ticket != claim.ticket:
            raise OvertakenError("Another worker has taken this over.")
        row.leased_until = now() + self._length
        return row

    @contextmanager
    def kept(self, claim: Claim[Row]) -> Iterator[None]:
        """Renew the lease for as long as the block lasts: one slow URL may outlast a lease."""
        ended = threading.Event()
        thread = threading.Thread(target=self._renew, args=(claim, ended), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _renew(self, claim: Claim[Row], ended: threading.Event) -> None:
        while not ended.wait(self._length.total_seconds() / 3):
            try:
                with self._db.write() as session:
                    self.held(session, claim)
            except OvertakenError:
                return
            except LookalikeError as error:  # it may go better next time
                log.warning("lease_not_renewed", row_id=str(claim.id), reason=error.message)

    def pass_on(self, claim: Claim[Row]) -> UUID | None:
        """End the lease; the ticket for the next task, None when there is nothing left to do."""
        with self._db.write() as session:
            row = self.held(session, claim)
            row.leased_until = None
            row.ticket = uuid4() if self.is_working(row) else None
            return row.ticket

    def fail(self, claim: Claim[Row], code: str, message: str) -> None:
        """End the work as a whole, with a reason."""
        with self._db.write() as session:
            self.end(self.held(session, claim), code, message)

    def explain(self, claim: Claim[Row], message: str | None) -> None:
        """Say what it is waiting for."""
        with self._db.write() as session:
            self.held(session, claim).message = message

    def lost(self, before: datetime) -> list[tuple[UUID, UUID]]:
        """Rows whose worker or task is gone, each with a fresh ticket for a new task.

        `before` says how long ago those must have been queued that nobody has in hand.
        """
        table = self.table
        waits = and_(table.leased_until.is_(None), table.updated_at < before)
        query = (
            select(table)
            .where(self.working(), or_(table.leased_until < now(), waits))
            .limit(MOST)
            .with_for_update(skip_locked=True, key_share=True)
        )
        with self._db.write() as session:
            return [(row.id, ticket_for(row)) for row in session.scalars(query)]

    def end_all_leases(self) -> None:
        """Say that whoever held leases is dead, and that nothing is queued."""
        with self._db.write() as session:
            session.execute(update(self.table).where(self.working()).values(leased_until=now()))

    def locked(self, session: Session, row_id: UUID) -> Row | None:
        """The row, which nobody else changes until this write ends.

        Others may refer to it meanwhile (`key_share`): uploads add entries to an index.
        """
        return locked(session, self.table, row_id)


def locked(session: Session, table: type[Row], row_id: UUID) -> Row | None:
    """See `Claims.locked`."""
    query = select(table).where(table.id == row_id)
    return session.scalar(query.with_for_update(key_share=True))


def ticket_for(row: Import | Index) -> UUID:
    """A ticket for a new task; those before it are no longer good."""
    row.ticket, row.leased_until, row.updated_at = uuid4(), None, now()
    return row.ticket


def is_leased(row: Import | Index) -> bool:
    """Whether a worker has it in hand."""
    return row.leased_until is not None and row.leased_until > now()
