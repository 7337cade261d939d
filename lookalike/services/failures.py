"""Pictures that could not be indexed: how many for which reason, which ones, and another try."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, ScalarSelect, func, select, update
from sqlalchemy.orm import Session

from lookalike.services import entries
from lookalike.services.db import Database
from lookalike.services.errors import NotFoundError
from lookalike.services.indexes import FED_STATES, live_index_id
from lookalike.services.models import Entry, Index, Picture, State
from lookalike.services.ports import IndexQueue
from lookalike.services.queueing import MOST, queue_pictures
from lookalike.services.reindexing.claims import unknown_index

log = structlog.get_logger(__name__)

TOGETHER = 1_000
"""Pictures that are given another try in one transaction: some 20 ms on SQLite."""


@dataclass(frozen=True, slots=True)
class FailureCount:
    """How many pictures failed with a code, and the message of one of them."""

    code: str
    pictures: int
    message: str


@dataclass(frozen=True, slots=True)
class FailedPicture:
    """A picture that is not in an index, and why."""

    picture_id: UUID
    library: str
    filename: str
    code: str
    message: str
    failed_at: datetime


@dataclass(frozen=True, slots=True)
class FailurePage:
    """A stretch of failed pictures, newest pictures first; `next_cursor` continues it."""

    failures: Sequence[FailedPicture]
    next_cursor: UUID | None


class Failures:
    """Shows what failed to be indexed, and has it tried again."""

    def __init__(self, db: Database, queue: IndexQueue) -> None:
        self._db = db
        self._queue = queue

    def by_code(self, index_id: UUID | None = None) -> list[FailureCount]:
        """How many failed for each reason, most first, in the live index or the one named.

        Raises NotFoundError for an unknown index.
        """
        with self._db.read() as session:
            failed = _failed_in(_index(session, index_id))
            query = (
                select(Entry.code, func.count(), func.min(Entry.message))
                .where(*failed)
                .group_by(Entry.code)
                .order_by(func.count().desc(), Entry.code)
            )
            rows = session.execute(query).all()
        return [FailureCount(code or "", count, message or "") for code, count, message in rows]

    def list(
        self,
        code: str | None = None,
        limit: int = 50,
        cursor: UUID | None = None,
        index_id: UUID | None = None,
    ) -> FailurePage:
        """Up to `limit` pictures that failed with `code`, or at all, from behind `cursor` on.

        In the live index or the one named. Raises NotFoundError for an unknown index.
        """
        with self._db.read() as session:
            wanted = [*_failed_in(_index(session, index_id)), *_with_code(code)]
            if cursor is not None:
                wanted.append(Entry.picture_id < cursor)
            query = select(Entry, Picture.library, Picture.filename).join(
                Picture, Picture.id == Entry.picture_id
            )
            query = query.where(*wanted).order_by(Entry.picture_id.desc()).limit(limit + 1)
            found = [_failed_picture(*row) for row in session.execute(query)]
        more = len(found) > limit
        return FailurePage(found[:limit], found[limit - 1].picture_id if more else None)

    def retry(self, code: str | None = None, picture_id: UUID | None = None) -> int:
        """Give failed pictures another try, in every index; answers how many pictures.

        Those with `code`, that one picture, or all. Raises NotFoundError for an unknown picture.
        """
        wanted = _retryable(code)
        if picture_id is not None:
            self._require_picture(picture_id)
            wanted.append(Entry.picture_id == picture_id)
        retried, last = 0, UUID(int=0)
        while ids := self._reset_some(wanted, last):
            if retried < MOST:  # a sweep queues the others when these are through
                queue_pictures(self._queue, ids)
            retried, last = retried + len(ids), ids[-1]
        log.info("failures_retried", pictures=retried)
        return retried

    def _require_picture(self, picture_id: UUID) -> None:
        with self._db.read() as session:
            if session.get(Picture, picture_id) is None:
                raise NotFoundError("There is no picture with this id.", id=str(picture_id))

    def _reset_some(self, wanted: Sequence[ColumnElement[bool]], after: UUID) -> Sequence[UUID]:
        """Make the next failed entries pending; the ids of their pictures, in order."""
        later = *wanted, Entry.picture_id > after
        with self._db.write() as session:
            query = select(Entry.picture_id).where(*later).distinct()
            ids = list(session.scalars(query.order_by(Entry.picture_id).limit(TOGETHER)))
            held = *wanted, Entry.picture_id.in_(ids)
            # In the order in which workers take them, so that nobody waits in a circle.
            in_order = select(Entry.picture_id).where(*held).order_by(Entry.picture_id)
            session.execute(in_order.with_for_update())
            session.execute(update(Entry).where(*held).values(**entries.afresh()))
        return ids


def _index(session: Session, index_id: UUID | None) -> UUID | ScalarSelect[UUID]:
    if index_id is None:
        return live_index_id()
    if session.get(Index, index_id) is None:
        raise unknown_index(index_id)
    return index_id


def _failed_in(index_id: UUID | ScalarSelect[UUID]) -> tuple[ColumnElement[bool], ...]:
    return Entry.index_id == index_id, Entry.state == State.FAILED


def _with_code(code: str | None) -> list[ColumnElement[bool]]:
    return [] if code is None else [Entry.code == code]


def _retryable(code: str | None) -> list[ColumnElement[bool]]:
    fed = select(Index.id).where(Index.state.in_(FED_STATES))
    return [Entry.index_id.in_(fed), Entry.state == State.FAILED, *_with_code(code)]


def _failed_picture(entry: Entry, library: str, filename: str) -> FailedPicture:
    return FailedPicture(
        entry.picture_id,
        library,
        filename,
        entry.code or "",
        entry.message or "",
        entry.updated_at,
    )
