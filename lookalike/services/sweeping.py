"""Finds what a crash, an outage or a lost queue left undone, and has it done.

Runs at every start and every few seconds after that, in one process at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, and_, exists, or_, select, update

from lookalike.services import entries
from lookalike.services.db import Database
from lookalike.services.errors import ConfigurationError, UnavailableError
from lookalike.services.importing.carrying import Carrying
from lookalike.services.importing.files import Files
from lookalike.services.indexes import Indexes, OpenIndex, worked_index_ids
from lookalike.services.models import Entry, Index, State, now
from lookalike.services.outbox import Outbox
from lookalike.services.ports import IndexQueue
from lookalike.services.recall.replaying import Replaying
from lookalike.services.records import Queue
from lookalike.services.reindexing import refilling
from lookalike.services.reindexing.building import Building
from lookalike.services.slices import sliced

log = structlog.get_logger(__name__)

OVERDUE = timedelta(hours=1)
"""The same while its queue is not empty: then it probably waits its turn, however long that is."""

MOST = 10_000
"""Pictures queued by one run, so that a million pending ones do not fill the queue at once."""

LONG_AGO = timedelta(days=1)


class Sweeping:
    """Brings everything that is pending to its end, sooner or later.

    An entry that has been queued for longer than `forgotten` while its queue is empty counts as
    lost: a worker takes what it finds at once, but the message may be on its way, or be held back
    for a moment after an outage.
    """

    def __init__(
        self,
        db: Database,
        queue: IndexQueue,
        outbox: Outbox,
        indexes: Indexes,
        carrying: Carrying,
        building: Building,
        import_files: Files,
        replaying: Replaying,
        forgotten: timedelta,
    ) -> None:
        self._db = db
        self._forgotten = forgotten
        self._queue = queue
        self._outbox = outbox
        self._indexes = indexes
        self._carrying = carrying
        self._building = building
        self._import_files = import_files
        self._replaying = replaying
        self._complained = ""
        self._count_next = time.monotonic() + forgotten.total_seconds()

    def start_alone(self) -> int:
        """`run` for the only process there is: whoever held leases before it is dead."""
        with self._db.write() as session:
            session.execute(
                update(Entry)
                .where(Entry.state == State.PENDING)
                .values(leased_until=None, queued_at=now() - LONG_AGO)
            )
        self._carrying.start_alone()
        self._building.start_alone()
        return self.run()

    def run(self) -> int:
        """Settle changes, refill emptied collections, queue lost entries; answers how many.

        Does nothing while another process is at it: two would do the same twice.

        Imports and builds that nobody goes on with are queued too, and files that no import needs
        any more are removed. A queue that may forget its tasks is complained of, once.

        The live collection gets its alias again, should it have lost it, collections of retired
        indexes go, should one have come back, and searches that were sampled are replayed.

        A part that is down, or a mistake of ours, holds up only the step that meets it.
        """
        with self._db.alone("sweep") as alone:
            return self._run() if alone else 0

    def _run(self) -> int:
        for step in (
            self._check_queue,
            self._outbox.settle_left,
            self._refill,
            self._indexes.name_live,
            self._indexes.drop_retired,
            self._import_files.tidy,
            self._queue_lost_work,
            self._replaying.run,
        ):
            _try(step)
        lost = self._claim_lost()
        for queue, rows in groupby(sorted(lost), key=lambda row: row[0]):
            self._queue.put([picture_id for _, picture_id in rows], Queue(queue))
        if lost:
            log.info("requeued", pictures=len(lost))
        return len(lost)

    def _check_queue(self) -> None:
        """Complain of a queue that may forget: at the start it may have been out of reach."""
        try:
            self._queue.check()
        except ConfigurationError as error:
            if error.message != self._complained:
                log.error("queue_not_safe", reason=error.message)
            self._complained = error.message

    def _queue_lost_work(self) -> None:
        waiting = bool(self._queue.waiting()[Queue.BULK])
        self._carrying.queue_lost(self._forgotten, waiting=waiting)
        self._building.queue_lost(self._forgotten, waiting=waiting)

    def _refill(self) -> None:
        """Have everything embedded again that a collection was to have and has not.

        Whether it is empty is asked each time, how many vectors it has now and then.
        """
        counting = time.monotonic() >= self._count_next
        if counting:
            self._count_next = time.monotonic() + self._forgotten.total_seconds()
        for index in self._indexes.fed():
            with self._db.read() as session:
                indexed = session.scalar(select(exists().where(*_indexed(index.id))))
            if indexed and index.collection.is_empty():
                log.error("collection_emptied", index_id=str(index.id))
                self._start_over(index.id)
            elif indexed and counting:
                self._bring_back(index)

    def _bring_back(self, index: OpenIndex) -> None:
        with self._db.read() as session:
            row = session.get_one(Index, index.id)
        ids = refilling.lost(self._db, row, index.collection)
        if ids:
            log.error("vectors_lost", index_id=str(index.id), pictures=len(ids))
        for some in sliced(ids):
            self._start_over(index.id, Entry.picture_id.in_(some))

    def _start_over(self, index_id: UUID, *wanted: ColumnElement[bool]) -> None:
        with self._db.write() as session:
            afresh = entries.afresh() | {"queued_at": now() - LONG_AGO}
            session.execute(update(Entry).where(*_indexed(index_id), *wanted).values(**afresh))

    def _claim_lost(self) -> Sequence[tuple[str, UUID]]:
        """Queue and picture of each lost entry, now marked as queued afresh."""
        waiting = self._queue.waiting()
        with self._db.write() as session:
            query = (
                select(Entry)
                .where(Entry.state == State.PENDING, self._lost(waiting))
                .where(Entry.index_id.in_(worked_index_ids()))
                .order_by(Entry.queued_at)
                .limit(MOST)
                .with_for_update(skip_locked=True)
            )
            entries = list(session.scalars(query))
            for entry in entries:
                entry.queued_at, entry.leased_until = now(), None
        return list({(str(entry.queue), entry.picture_id) for entry in entries})

    def _lost(self, waiting: Mapping[Queue, int]) -> ColumnElement[bool]:
        patience = {queue: OVERDUE if waiting.get(queue) else self._forgotten for queue in Queue}
        forgotten = (
            and_(Entry.queue == queue, Entry.queued_at < now() - long)
            for queue, long in patience.items()
        )
        holder_died = Entry.leased_until < now()
        return or_(holder_died, and_(Entry.leased_until.is_(None), or_(*forgotten)))


def _try(step: Callable[[], object]) -> None:
    try:
        step()
    except UnavailableError as error:
        log.warning("sweep_step_failed", step=step.__qualname__, reason=error.message)
    except Exception:  # the steps after it, and what is lost, must not wait for a mended program
        log.exception("sweep_step_failed", step=step.__qualname__)


def _indexed(index_id: UUID) -> tuple[ColumnElement[bool], ...]:
    return Entry.index_id == index_id, Entry.state == State.INDEXED
