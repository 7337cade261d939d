"""At every start: finish what a crash or a lost queue left undone."""

from __future__ import annotations

from sqlalchemy import select

from lookalike.services.db import Database
from lookalike.services.models import Entry, State
from lookalike.services.outbox import Outbox
from lookalike.services.ports import IndexQueue


class Recovery:
    """Finds what a crash or a lost queue left undone and queues it again."""

    def __init__(self, db: Database, queue: IndexQueue, outbox: Outbox) -> None:
        self._db = db
        self._queue = queue
        self._outbox = outbox

    def run(self) -> int:
        """Settle left-over changes and queue every pending picture; answers how many."""
        self._outbox.settle_all()
        with self._db.read() as session:
            pending = session.scalars(
                select(Entry.picture_id)
                .where(Entry.state == State.PENDING)
                .distinct()
                .order_by(Entry.picture_id)
            )
            ids = list(pending)
        self._queue.put(ids)
        return len(ids)
