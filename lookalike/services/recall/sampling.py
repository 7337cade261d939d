"""Keeps a search now and then, to be replayed when nobody waits for its answer."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import structlog
from sqlalchemy import func, select

from lookalike.services.db import Database
from lookalike.services.errors import UnavailableError
from lookalike.services.filters import Filter
from lookalike.services.indexes import OpenIndex
from lookalike.services.models import SampledQuery
from lookalike.services.ports import VectorQuery
from lookalike.services.records import target
from lookalike.services.shapes import shape_of

log = structlog.get_logger(__name__)

MOST_WAITING = 100
"""Queries kept at once, by all processes, so that they do not pile up while nobody replays."""


class Sampling:
    """Keeps at most one search in `seconds`, none for 0. It neither slows nor fails a search.

    A thread of its own writes, one query at a time. What comes meanwhile, and what comes while
    the database is down, is passed over.
    """

    def __init__(self, db: Database, seconds: float) -> None:
        self._db = db
        self._seconds = seconds
        self._due = float("-inf")
        self._busy = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sampling")

    def offer(self, index: OpenIndex, query: VectorQuery, asked: Filter) -> None:
        """Keep this search, perhaps. `query` is what was searched for, `asked` its filter.

        Only first pages, and nothing that was searched exactly anyway.
        """
        if query.exact or query.offset or not self._is_time():
            return
        try:
            self._thread.submit(self._keep, index, query, asked)
        except RuntimeError:  # closed meanwhile, or the machine has no thread left
            self._busy.release()

    def close(self) -> None:
        """Write what is in hand. What is offered afterwards is passed over."""
        self._thread.shutdown()

    def _is_time(self) -> bool:
        """Whether to keep one now; if so, it counts as busy until the lock is released."""
        if not self._seconds or not self._busy.acquire(blocking=False):
            return False
        if time.monotonic() < self._due:
            self._busy.release()
            return False
        self._due = time.monotonic() + self._seconds
        return True

    def _keep(self, index: OpenIndex, query: VectorQuery, asked: Filter) -> None:
        try:
            self._write(_sampled(index, query, asked))
        except UnavailableError as error:
            log.warning("query_not_sampled", reason=error.message)
        except Exception:  # nobody waits for this thread's answer
            log.exception("query_not_sampled")
        finally:
            self._busy.release()

    def _write(self, query: SampledQuery) -> None:
        with self._db.write() as session:
            if (session.scalar(select(func.count(SampledQuery.id))) or 0) < MOST_WAITING:
                session.add(query)


def _sampled(index: OpenIndex, query: VectorQuery, asked: Filter) -> SampledQuery:
    vector = target(query.like, query.unlike, index.embedder.definition.distance)
    return SampledQuery(
        index_id=index.id,
        library=query.library,
        vector=vector.astype("<f4").tobytes(),
        without=[str(one) for one in query.without],
        filter=asked.model_dump(mode="json", by_alias=True, exclude_none=True),
        shape=str(shape_of(query.conditions)),
    )
