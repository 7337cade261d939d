"""Leases: which worker has which entries in hand, so that one picture is not worked on twice.

A lease is a time in SQL, taken for a batch, renewed while the batch is worked on, and given back
with its result. A worker that dies leaves a lease that runs out. Leases save work; they are not
what keeps data right: writes can be repeated without harm.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, or_, select, update

from lookalike.services.db import Database
from lookalike.services.metrics import FAILED
from lookalike.services.models import Entry, Picture, State, now

log = structlog.get_logger(__name__)

BEATS = 3
"""Renewals in the length of a lease, so that a late one does no harm."""

LONGEST = 60
"""Leases that work on one batch may last: half an hour, where the slowest takes minutes."""

SUSPECT = 3
"""Workers that an entry was lost with before it is worked on alone, to spare its neighbours."""

GIVE_UP = 6
"""Workers that an entry may be lost with before it is set aside."""

GAVE_UP = (
    f"Indexing this picture ended {GIVE_UP} workers one after the other, so it was set aside. "
    "Upload it again to try once more; the worker's log may say why."
)


class Leases:
    """Takes, renews and gives back leases of `length` on entries of one index."""

    def __init__(self, db: Database, length: timedelta) -> None:
        self._db = db
        self._length = length

    def plan(self, index_id: UUID, picture_ids: Sequence[UUID]) -> list[list[UUID]]:
        """The pending ones of these pictures in the groups they are to be worked on in.

        First all that are above suspicion, then each suspect alone, the least suspected first.
        Those that took too many workers with them are set aside as failed.
        """
        with self._db.read() as session:
            query = (
                select(Entry.picture_id, Entry.attempts)
                .where(*_pending(index_id, picture_ids), _free())
                .order_by(Entry.attempts, Entry.picture_id)
            )
            found = list(session.execute(query))
        plain = [picture_id for picture_id, attempts in found if attempts < SUSPECT]
        suspects = [[one] for one, attempts in found if SUSPECT <= attempts < GIVE_UP]
        if hopeless := [picture_id for picture_id, attempts in found if attempts >= GIVE_UP]:
            self._set_aside(index_id, hopeless)
        return [plain, *suspects] if plain else suspects

    def take(self, index_id: UUID, picture_ids: Sequence[UUID]) -> list[Picture]:
        """Lease those of these pictures that are pending and that nobody else has in hand."""
        with self._db.write() as session:
            query = select(Entry).where(*_pending(index_id, picture_ids), _free())
            entries = list(
                session.scalars(query.order_by(Entry.picture_id).with_for_update(skip_locked=True))
            )
            for entry in entries:
                entry.leased_until = now() + self._length
                entry.attempts += 1
            session.flush()
            ids = [entry.picture_id for entry in entries]
            rows = session.scalars(select(Picture).where(Picture.id.in_(ids)).order_by(Picture.id))
            return list(rows)

    @contextmanager
    def kept(self, index_id: UUID, picture_ids: Sequence[UUID]) -> Iterator[None]:
        """Renew the leases, of those that are still to be done, for as long as the block lasts.

        However long: a block that works on is no reason for others to begin it too. After
        `LONGEST` leases it counts as stuck, and they run out.
        """
        ended = threading.Event()
        arguments = (index_id, picture_ids, ended)
        beat = threading.Thread(target=self._beat, args=arguments, name="lease", daemon=True)
        beat.start()
        try:
            yield
        finally:
            ended.set()
            beat.join()

    def _beat(self, index_id: UUID, picture_ids: Sequence[UUID], ended: threading.Event) -> None:
        for _ in range(BEATS * LONGEST):
            if ended.wait(self._length.total_seconds() / BEATS):
                return
            try:
                self._renew(index_id, picture_ids)
            except Exception:  # they are done twice at worst
                log.exception("lease_not_renewed", pictures=len(picture_ids))

    def _renew(self, index_id: UUID, picture_ids: Sequence[UUID]) -> None:
        with self._db.write() as session:
            held = *_pending(index_id, picture_ids), Entry.leased_until.is_not(None)
            session.execute(update(Entry).where(*held).values(leased_until=now() + self._length))

    def give_back(self, index_id: UUID, picture_ids: Sequence[UUID], *, blameless: bool) -> None:
        """End the leases on what is still to be done.

        `blameless` says that a part's outage, and not one of the pictures, was in the way.
        """
        attempts = Entry.attempts - 1 if blameless else Entry.attempts
        with self._db.write() as session:
            session.execute(
                update(Entry)
                .where(*_pending(index_id, picture_ids), Entry.leased_until.is_not(None))
                .values(leased_until=None, queued_at=now(), attempts=attempts)
            )

    def _set_aside(self, index_id: UUID, picture_ids: Sequence[UUID]) -> None:
        with self._db.write() as session:
            aside = session.scalars(
                update(Entry)
                .where(*_pending(index_id, picture_ids), _free(), Entry.attempts >= GIVE_UP)
                .values(state=State.FAILED, code="gave_up", message=GAVE_UP, leased_until=None)
                .returning(Entry.picture_id)
            ).all()
        FAILED.labels("gave_up").inc(len(aside))


def _pending(index_id: UUID, picture_ids: Sequence[UUID]) -> tuple[ColumnElement[bool], ...]:
    return (
        Entry.index_id == index_id,
        # As an expression: by the plain column SQLite would walk through everything that is
        # pending, for every batch, as it takes that index for better than the primary key.
        Entry.state.concat("") == State.PENDING,
        Entry.picture_id.in_(picture_ids),
    )


def _free() -> ColumnElement[bool]:
    return or_(Entry.leased_until.is_(None), Entry.leased_until < now())
