"""How the platform is doing: counts, queue, live index, and whether each part answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy import func, select, text

from lookalike.services.db import Database
from lookalike.services.errors import LookalikeError
from lookalike.services.indexes import Indexes, worked_index_ids
from lookalike.services.models import Entry, Index, IndexState, State, now
from lookalike.services.pictures import Pictures
from lookalike.services.ports import BlobStore, IndexQueue
from lookalike.services.records import Queue

log = structlog.get_logger(__name__)

OK = "ok"


@dataclass(frozen=True, slots=True)
class StatusReport:
    """Pictures by state in the live index, batches waiting in each queue, the live index.

    `oldest_seconds` is how long each queue's oldest picture has been pending; `indexes` are all
    that are not retired, newest first.
    """

    pictures: Mapping[State, int]
    waiting: Mapping[Queue, int]
    workers: int
    index_id: UUID
    model: str
    oldest_seconds: Mapping[Queue, float]
    indexes: Sequence[Index]


@dataclass(frozen=True, slots=True)
class Readiness:
    """For each part its state: `ok`, or the sentence that says what is wrong with it."""

    parts: Mapping[str, str]

    @property
    def ready(self) -> bool:
        """Whether all parts are."""
        return all(state == OK for state in self.parts.values())


class Status:
    """Reports on the platform."""

    def __init__(
        self,
        db: Database,
        pictures: Pictures,
        indexes: Indexes,
        queue: IndexQueue,
        blobs: BlobStore,
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._pictures = pictures
        self._indexes = indexes
        self._queue = queue

    def pictures(self) -> Mapping[State, int]:
        """Pictures by state in the live index."""
        return self._pictures.counts()

    def waiting(self) -> Mapping[Queue, int]:
        """Batches that wait in each queue."""
        return self._queue.waiting()

    def workers(self) -> int:
        """Workers that are alive."""
        return len(self._queue.workers())

    def oldest_seconds(self) -> Mapping[Queue, float]:
        """For each queue how long its oldest picture has been pending; 0 without one.

        However often it was queued meanwhile. What waits for an index that is paused, or whose
        mean is not known yet, does not count: no worker is to take it up.
        """
        query = (
            select(Entry.queue, func.min(Entry.pending_since))
            .where(Entry.index_id.in_(worked_index_ids()), Entry.state == State.PENDING)
            .group_by(Entry.queue)
        )
        with self._db.read() as session:
            oldest = {Queue(queue): since for queue, since in session.execute(query)}
        return {
            queue: (now() - oldest[queue]).total_seconds() if queue in oldest else 0.0
            for queue in Queue
        }

    def report(self) -> StatusReport:
        """The figures of this moment. Raises UnavailableError when they cannot be had."""
        live = self._indexes.live()
        return StatusReport(
            self.pictures(),
            self.waiting(),
            self.workers(),
            live.id,
            live.model,
            self.oldest_seconds(),
            self._standing_indexes(),
        )

    def _standing_indexes(self) -> Sequence[Index]:
        query = select(Index).where(Index.state != IndexState.RETIRED).order_by(Index.id.desc())
        with self._db.read() as session:
            return session.scalars(query).all()

    def readiness(self) -> Readiness:
        """Ask each part that a search or an upload needs."""
        database = _state("database", self._ask_database)
        checks: dict[str, Callable[[], object]] = {
            # Only the database knows which vectors are live; that is no fault of theirs.
            "vectors": self._ask_vectors if database == OK else self._indexes.check_store,
            "queue": self._queue.waiting,
            "blobs": lambda: self._blobs.exists("readiness"),
        }
        others = {name: _state(name, check) for name, check in checks.items()}
        return Readiness({"database": database, **others})

    def _ask_vectors(self) -> None:
        self._indexes.live().collection.check()

    def _ask_database(self) -> None:
        with self._db.read() as session:
            session.execute(text("SELECT 1"))


def _state(name: str, check: Callable[[], object]) -> str:
    try:
        check()
    except LookalikeError as error:
        return error.message
    except Exception:  # whoever asks wants to hear of every part, above all of a broken one
        log.exception("part_not_ready", part=name)
        return "Something is wrong with it. See the log."
    return OK
