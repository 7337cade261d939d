"""Gives the pictures that an index lacks their entries, so many at a time, and queues them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func, insert, select, update
from sqlalchemy.orm import Session

from lookalike.services import entries
from lookalike.services.db import Database
from lookalike.services.failpoints import reach
from lookalike.services.models import Entry, Picture, State, now
from lookalike.services.ports import IndexQueue, VectorCollection
from lookalike.services.queueing import MOST, queue_pictures
from lookalike.services.records import Queue
from lookalike.services.reindexing.claims import Claim, Claims
from lookalike.services.reindexing.refilling import lost
from lookalike.services.slices import sliced

TOGETHER = 1_000
"""Pictures that get their entries in one transaction: some 20 ms, in which SQLite has no other."""


@dataclass(frozen=True, slots=True)
class Fed:
    """How an index stood after it was fed: entries still pending, and whether all have one."""

    pending: int
    complete: bool


class Feeding:
    """Feeds indexes that are being built. What is in an index already is never queued again."""

    def __init__(self, db: Database, claims: Claims, queue: IndexQueue, most_pending: int) -> None:
        """`most_pending` bounds what waits in the queue, however many pictures there are."""
        self._db = db
        self._claims = claims
        self._queue = queue
        self._most_pending = most_pending

    def feed(self, claim: Claim) -> Fed:
        """Queue as much as there is room for. Raises OvertakenError."""
        while True:
            ids, fed = self._enter(claim)
            reach("build_feed")
            queue_pictures(self._queue, ids)
            if not ids:
                return fed

    def refill(self, claim: Claim, collection: VectorCollection) -> bool:
        """Queue again what the collection has lost, if anything; whether it had.

        A sweep only sees to collections that are quite empty, and this one was worked on since.
        Raises OvertakenError and UnavailableError.
        """
        ids = lost(self._db, claim.row, collection)
        for part in sliced(ids):
            self._start_over(claim, part)
            queue_pictures(self._queue, part)
        return bool(ids)

    def requeue(self, index_id: UUID) -> None:
        """Queue again what is pending, after a pause; what is behind the first of it is swept.

        It waits from now on: in the pause nobody was to take it up.
        """
        pending = Entry.index_id == index_id, Entry.state == State.PENDING
        with self._db.write() as session:
            session.execute(update(Entry).where(*pending).values(pending_since=now()))
            ids = list(session.scalars(select(Entry.picture_id).where(*pending).limit(MOST)))
        for some in sliced(ids):
            with self._db.write() as session:
                held = *pending, Entry.picture_id.in_(some)
                session.execute(
                    update(Entry).where(*held).values(queued_at=now(), leased_until=None)
                )
            queue_pictures(self._queue, some)

    def _start_over(self, claim: Claim, ids: Sequence[UUID]) -> None:
        with self._db.write() as session:
            self._claims.wanted(session, claim)
            session.execute(
                update(Entry)
                .where(Entry.index_id == claim.id, Entry.picture_id.in_(ids))
                .values(**entries.afresh())
            )

    def _enter(self, claim: Claim) -> tuple[Sequence[UUID], Fed]:
        with self._db.write() as session:
            row = self._claims.wanted(session, claim)
            pending = _pending(session, row.id)
            room = min(self._most_pending - pending, TOGETHER)
            ids = _next(session, row.id, row.position, room)
            if not ids and not pending:
                # Once more from the start: some were in other hands when they had their turn.
                ids = _next(session, row.id, None, room)
            _add_entries(session, row.id, ids)
            row.position = ids[-1] if ids else row.position
            complete = not (pending or ids or _lacking(session, row.id))
            return ids, Fed(pending + len(ids), complete)


def _pending(session: Session, index_id: UUID) -> int:
    query = select(func.count()).where(Entry.index_id == index_id, Entry.state == State.PENDING)
    return session.scalar(query) or 0


def _next(session: Session, index_id: UUID, after: UUID | None, room: int) -> list[UUID]:
    """The next pictures that have no entry, held so that nobody removes or adds to them.

    Those that somebody else has in hand are passed over: waiting for an upload that waits for
    this index would never end.
    """
    if room < 1:
        return []
    query = select(Picture.id).where(_has_none(index_id)).order_by(Picture.id).limit(room)
    if after is not None:
        query = query.where(Picture.id > after)
    return list(session.scalars(query.with_for_update(skip_locked=True, read=True, key_share=True)))


def _lacking(session: Session, index_id: UUID) -> bool:
    return bool(session.scalar(select(select(Picture.id).where(_has_none(index_id)).exists())))


def _has_none(index_id: UUID) -> ColumnElement[bool]:
    return ~exists().where(Entry.picture_id == Picture.id, Entry.index_id == index_id)


def _add_entries(session: Session, index_id: UUID, ids: Sequence[UUID]) -> None:
    if ids:
        entry = {"index_id": index_id, "state": State.PENDING, "queue": Queue.BULK}
        session.execute(insert(Entry), [{"picture_id": one, **entry} for one in ids])
