"""How the platform is doing: counts, queue, live index, and whether each part answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy import text

from lookalike.services.db import Database
from lookalike.services.errors import LookalikeError
from lookalike.services.indexes import Indexes
from lookalike.services.models import State
from lookalike.services.pictures import Pictures
from lookalike.services.ports import IndexQueue

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StatusReport:
    """Pictures by state in the live index, the queue's depth in batches, the live index."""

    pictures: Mapping[State, int]
    waiting: int
    workers: int
    index_id: UUID
    model: str


@dataclass(frozen=True, slots=True)
class Readiness:
    """For each part its state: `ok`, or the sentence that says what is wrong with it."""

    parts: Mapping[str, str]

    @property
    def ready(self) -> bool:
        """Whether all parts are."""
        return all(state == "ok" for state in self.parts.values())


class Status:
    """Reports on the platform."""

    def __init__(
        self, db: Database, pictures: Pictures, indexes: Indexes, queue: IndexQueue
    ) -> None:
        self._db = db
        self._pictures = pictures
        self._indexes = indexes
        self._queue = queue

    def report(self) -> StatusReport:
        """The figures of this moment. Raises UnavailableError when they cannot be had."""
        live = self._indexes.live()
        return StatusReport(
            self._pictures.counts(),
            self._queue.waiting(),
            self._queue.workers(),
            live.id,
            live.model,
        )

    def readiness(self) -> Readiness:
        """Ask each part that a search or an upload needs."""
        checks: dict[str, Callable[[], object]] = {
            "database": self._ask_database,
            "vectors": self._ask_vectors,
            "queue": self._queue.waiting,
        }
        return Readiness({name: _state(name, check) for name, check in checks.items()})

    def _ask_vectors(self) -> None:
        self._indexes.live().collection.count()

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
    return "ok"
