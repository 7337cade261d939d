"""Queues what is committed. What cannot be queued now is not lost: its rows say so to a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import structlog

from lookalike.services.errors import UnavailableError
from lookalike.services.ports import IndexQueue, Put
from lookalike.services.records import Queue

log = structlog.get_logger(__name__)


MOST = 10_000
"""Pictures that one call queues. What is behind them is pending just the same, and swept."""


def queue_pictures(
    queue: IndexQueue, picture_ids: Sequence[UUID], which: Queue = Queue.BULK
) -> None:
    """Ask for these pictures, whose entries are pending; a sweep does, should the queue be down."""
    try:
        queue.put(picture_ids[:MOST], which)
    except UnavailableError:
        log.warning("queue_unavailable", pictures=len(picture_ids))


def queue_work(put: Put, row_id: UUID, ticket: UUID) -> None:
    """Ask for the next slice of work at once; a sweep does, should the queue be down."""
    try:
        put(row_id, ticket, 0)
    except UnavailableError:
        log.warning("queue_unavailable", row_id=str(row_id))
