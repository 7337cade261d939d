"""Makes vectors and blobs agree with SQL after a picture was changed or removed.

Each such change writes an outbox item in its own transaction. It is settled right after the
commit; what a crash or an outage left unsettled is settled by a sweep.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from uuid import UUID

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lookalike.services.db import Database, lock
from lookalike.services.errors import UnavailableError
from lookalike.services.indexes import Indexes
from lookalike.services.models import Entry, OutboxItem, Picture, now
from lookalike.services.payloads import payload_of
from lookalike.services.ports import BlobStore
from lookalike.services.unused import remove_unused

log = structlog.get_logger(__name__)


def remember(session: Session, picture_id: UUID, sha256: str) -> None:
    """Promise, within the transaction that changes or removes the picture, to settle it."""
    lock(session, f"outbox {picture_id}")
    session.merge(OutboxItem(picture_id=picture_id, sha256=sha256, added_at=now(), until=None))


def remember_removal(session: Session, picture: Picture) -> None:
    """The same for a picture that is about to be removed, whoever has it in hand."""
    in_hand = select(func.max(Entry.leased_until)).where(Entry.picture_id == picture.id)
    remember(session, picture.id, picture.sha256)
    session.flush()
    session.get_one(OutboxItem, picture.id).until = session.scalar(in_hand)


SOON = 2.0
"""Seconds that somebody who changed or removed a picture waits until filters know of it."""

AT_ONCE = 4
"""Settlements that may be under way for people who wait. More are left to the sweeper: a vector
store that hangs must not hold the threads that serve everything else."""


MOST = 1000
"""Items that one sweep settles, so that what comes after it need not wait for a million of them."""


class Outbox:
    """Settles outbox items. Settling twice does no harm."""

    def __init__(self, db: Database, indexes: Indexes, blobs: BlobStore) -> None:
        self._db = db
        self._indexes = indexes
        self._blobs = blobs
        self._free = threading.Semaphore(AT_ONCE)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="outbox")

    def settle_soon(self, picture_ids: Sequence[UUID]) -> None:
        """Settle these items at once if all parts answer; a sweep does it if they do not."""
        if self._free.acquire(blocking=False):
            context = copy_context()
            wait([self._threads.submit(context.run, self._try, picture_ids)], SOON)

    def close(self) -> None:
        """End what is under way. Nothing else may be called after."""
        self._threads.shutdown(cancel_futures=True)

    def _try(self, picture_ids: Sequence[UUID]) -> None:
        try:
            self.settle(picture_ids)
        except UnavailableError as error:
            log.warning("settled_later", pictures=len(picture_ids), reason=error.message)
        except Exception:  # nobody waits for this thread's answer
            log.exception("not_settled", pictures=len(picture_ids))
        finally:
            self._free.release()

    def settle_left(self) -> int:
        """Settle what is left over, the oldest first, `MOST` of it; answers how many items."""
        oldest = select(OutboxItem).order_by(OutboxItem.added_at, OutboxItem.picture_id)
        with self._db.read() as session:
            items = list(session.scalars(oldest.limit(MOST)))
        for item in items:
            self._settle(item)
        return len(items)

    def settle(self, picture_ids: Sequence[UUID]) -> None:
        """Settle these items; ids without one are passed over. Raises UnavailableError."""
        with self._db.read() as session:
            query = select(OutboxItem).where(OutboxItem.picture_id.in_(picture_ids))
            items = list(session.scalars(query))
        for item in items:
            self._settle(item)

    def _settle(self, item: OutboxItem) -> None:
        closed = False
        while not closed:  # each further round is due to somebody else's finished change
            with self._db.read() as session:
                picture = session.get(Picture, item.picture_id)
                item = session.get(OutboxItem, item.picture_id) or item
            self._write_vectors(item.picture_id, picture)
            closed = self._close(item, picture.revision if picture else None)

    def _write_vectors(self, picture_id: UUID, picture: Picture | None) -> None:
        for collection in self._indexes.collections():
            if picture is None:
                collection.delete([picture_id])
            else:
                collection.set_payload({picture_id: payload_of(picture)})

    def _close(self, item: OutboxItem, revision: int | None) -> bool:
        """Forget the item, unless the picture or the promise is newer than what was read."""
        with self._db.write() as session:
            # In this order, as everywhere: bytes, then a picture's row, then its outbox item.
            lock(session, item.sha256)
            lock(session, f"outbox {item.picture_id}")
            current = session.scalar(select(Picture.revision).where(Picture.id == item.picture_id))
            promise = session.get(OutboxItem, item.picture_id)
            if current != revision or (promise and promise.added_at != item.added_at):
                return False
            if current is None:
                remove_unused(session, self._blobs, item.sha256)
            if promise and not (promise.until and promise.until > now()):
                session.delete(promise)
            return True
