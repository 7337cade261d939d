"""Replays sampled searches exactly and as usual, and writes down how much of it was found."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import numpy as np
import structlog
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from lookalike.services.db import Database
from lookalike.services.errors import NotFoundError, UnavailableError
from lookalike.services.filters import parse_filter
from lookalike.services.indexes import Indexes
from lookalike.services.models import RecallSample, SampledQuery, now
from lookalike.services.ports import VectorQuery
from lookalike.services.ranking import NEAREST, recall

log = structlog.get_logger(__name__)

MOST = 5
"""Queries replayed by one run: an exact search compares with every point there is."""

KEPT = timedelta(days=30)
"""How far back recall can be looked at."""

STALE = timedelta(days=1)
"""After so long a query is forgotten without having been replayed."""


class Replaying:
    """Measures the recall of sampled searches. Any number of processes may, at once."""

    def __init__(self, db: Database, indexes: Indexes) -> None:
        self._db = db
        self._indexes = indexes

    def run(self) -> None:
        """Replay up to `MOST` queries, the oldest first, and forget what is old.

        Raises UnavailableError when a part is down. The query in hand is lost then, like one
        whose worker dies: there will be others, and one that cannot be replayed never comes back.
        """
        self._forget_old()
        for _ in range(MOST):
            query = self._take()
            if query is None:
                return
            self._replay(query)

    def _take(self) -> SampledQuery | None:
        """The oldest query that nobody else is taking, which is gone from the table then."""
        with self._db.write() as session:
            query = session.scalar(
                select(SampledQuery)
                .order_by(SampledQuery.asked_at)
                .limit(1)
                .with_for_update(skip_locked=True)
            )
            if query is not None:
                session.delete(query)
            return query

    def _replay(self, query: SampledQuery) -> None:
        try:
            measured = self._measure(query)
        except NotFoundError:  # its index has gone
            return
        except UnavailableError:
            raise
        except Exception:  # the others, and the rest of a sweep, go on
            log.exception("query_not_replayed", index_id=str(query.index_id))
            return
        if measured is not None:
            self._write(query, measured)

    def _measure(self, query: SampledQuery) -> float | None:
        """Search both ways, with no transaction open."""
        collection = self._indexes.standing(query.index_id).collection
        asked = VectorQuery(
            query.library,
            like=[np.frombuffer(query.vector, "<f4").astype(np.float32)],
            conditions=parse_filter(json.dumps(query.filter)).conditions(),
            without=frozenset(map(UUID, query.without)),
            limit=NEAREST,
        )
        exact = collection.search(replace(asked, exact=True))
        return recall(exact, collection.search(asked))

    def _write(self, query: SampledQuery, measured: float) -> None:
        with self._db.write() as session:
            session.add(
                RecallSample(
                    index_id=query.index_id,
                    shape=query.shape,
                    recall=measured,
                    asked_at=query.asked_at,
                )
            )

    def _forget_old(self) -> None:
        with self._db.write() as session:
            session.execute(delete(SampledQuery).where(SampledQuery.asked_at < now() - STALE))
            session.execute(delete(RecallSample).where(RecallSample.asked_at < now() - KEPT))


def forget_index(session: Session, index_id: UUID) -> None:
    """Remove all that was sampled or measured of an index whose row is about to be removed."""
    for table in (SampledQuery, RecallSample):
        session.execute(delete(table).where(table.index_id == index_id))
