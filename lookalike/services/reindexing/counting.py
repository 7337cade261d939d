"""How many pictures are in an index, counted exactly while pictures come and go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from lookalike.services import entries
from lookalike.services.db import Database
from lookalike.services.indexes import OpenIndex
from lookalike.services.models import Entry, Index, OutboxItem, Picture, State, now
from lookalike.services.reindexing.figures import Counts

TRIES = 5
"""Counts of entries and points that do not agree are taken again: what came or went between the
two is no difference, and does not do so every time."""

JUST_NOW = timedelta(minutes=1)
"""A batch goes into one index after the other. For so long it may be in the live one alone."""


@dataclass(frozen=True, slots=True)
class _Entries:
    """Entries of an index by state; `promised` points are about to follow a change or removal."""

    pictures: int
    indexed: int
    failed: int
    pending: int
    promised: int

    @property
    def most(self) -> int:
        """A worker stores points before it notes so, and a removal takes the row first."""
        return self.indexed + self.pending + self.promised


def count(db: Database, index: OpenIndex, live: OpenIndex | None) -> Counts:
    """Count what is in `index`, and what `live` has and it has not.

    No transaction is open while points are counted. Raises UnavailableError.
    """
    counts = _counted(db, index, _missing(db, index, live))
    for _ in range(TRIES - 1):
        if counts.least <= counts.points <= counts.most:
            break
        counts = _counted(db, index, counts.missing)
    return counts


def _counted(db: Database, index: OpenIndex, missing: int) -> Counts:
    before = _entries(db, index.id)
    points = index.collection.count()
    after = _entries(db, index.id)
    return Counts(
        pictures=after.pictures,
        indexed=after.indexed,
        failed=after.failed,
        pending=after.pending,
        points=points,
        least=min(before.indexed, after.indexed),
        most=max(before.most, after.most),
        missing=missing,
    )


def _entries(db: Database, index_id: UUID) -> _Entries:
    with db.read() as session:
        by = entries.by_state(session, index_id)
        pictures = session.scalar(select(func.count()).select_from(Picture)) or 0
        promised = session.scalar(select(func.count()).select_from(OutboxItem)) or 0
    return _Entries(pictures, by[State.INDEXED], by[State.FAILED], by[State.PENDING], promised)


def _missing(db: Database, index: OpenIndex, live: OpenIndex | None) -> int:
    if live is None or live.id == index.id:
        return 0
    with db.read() as session:
        return _only_live(session, index.id, live.id)


def _only_live(session: Session, index_id: UUID, live_id: UUID) -> int:
    """Pictures that are in the live index alone, but those that came in just now."""
    here, there = aliased(Entry), aliased(Entry)
    began = session.scalar(select(Index.added_at).where(Index.id == index_id)) or now()
    arriving = and_(here.state == State.PENDING, there.updated_at > max(began, now() - JUST_NOW))
    same = and_(here.picture_id == there.picture_id, here.index_id == index_id)
    lacks = or_(here.state.is_(None), and_(here.state != State.INDEXED, ~arriving))
    query = (
        select(func.count())
        .select_from(there)
        .join(here, same, isouter=True)
        .where(there.index_id == live_id, there.state == State.INDEXED, lacks)
    )
    return session.scalar(query) or 0
