"""Finds what a collection has lost: pictures that are indexed and have no vector any more."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, select

from lookalike.services.consistency.report import Kind
from lookalike.services.consistency.vectors import Vectors
from lookalike.services.db import Database
from lookalike.services.models import Entry, Index, State
from lookalike.services.ports import VectorCollection


def lost(db: Database, index: Index, collection: VectorCollection) -> list[UUID]:
    """Pictures that are to be brought into the index again; one too many does no harm.

    Looks at each only when there are fewer vectors than there should be. Raises UnavailableError.
    """
    if _indexed(db, index.id) <= collection.count():
        return []
    found = Vectors(db, index, collection).suspects()
    return [UUID(one.id) for one in found if one.kind is Kind.VECTOR_MISSING]


def _indexed(db: Database, index_id: UUID) -> int:
    indexed = Entry.index_id == index_id, Entry.state == State.INDEXED
    with db.read() as session:
        return session.scalar(select(func.count()).where(*indexed)) or 0
