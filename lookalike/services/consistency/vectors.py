"""The vectors of an index against the rows of its pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Exists, exists, select
from sqlalchemy.orm import Session

from lookalike.services import entries
from lookalike.services.consistency.reading import IdSet, pages
from lookalike.services.consistency.report import Difference, IndexCounts, Kind
from lookalike.services.db import Database
from lookalike.services.models import Entry, Index, IndexState, OutboxItem, Picture, State
from lookalike.services.payloads import agree, payload_of
from lookalike.services.ports import StoredPayload, VectorCollection


class Vectors:
    """Finds what is wrong with one index."""

    def __init__(self, db: Database, index: Index, collection: VectorCollection) -> None:
        self._db = db
        self._index = index
        self._collection = collection

    def counts(self) -> IndexCounts:
        """Entries by state, and points."""
        with self._db.read() as session:
            found = entries.by_state(session, self._index.id)
        index = self._index
        return IndexCounts(index.id, index.model, index.state, found, self._collection.count())

    def suspects(self) -> Iterator[Difference]:
        """What looks wrong at first sight.

        A point of a picture that is pending is no difference: that is how a worker leaves it
        that is killed after it stored the point, and the next one writes it again.
        """
        points = IdSet(16)
        for part in self._collection.scan():
            points.add(one.id.bytes for one in part)
            yield from self._misfits(part)
        for rows in pages(self._db, select(Picture.id).where(self._indexed()), Picture.id):
            lacks = points.lacks([picture_id.bytes for (picture_id,) in rows])
            for (picture_id,), gone in zip(rows, lacks, strict=True):
                if gone:
                    yield self._difference(Kind.VECTOR_MISSING, picture_id)
        if self._index.state == IndexState.BUILDING:
            return  # pictures get their entries as it is built
        for rows in pages(self._db, select(Picture.id).where(~self._entered()), Picture.id):
            yield from (self._difference(Kind.ENTRY_MISSING, picture_id) for (picture_id,) in rows)

    def confirmed(self, kind: Kind, ids: Sequence[UUID]) -> set[UUID]:
        """Those of the ids of which a difference of this kind is true at this moment."""
        there = self._collection.vectors(ids).keys()
        with self._db.read() as session:
            match kind:
                case Kind.ENTRY_MISSING:
                    query = select(Picture.id).where(~self._entered(), Picture.id.in_(ids))
                    return set(session.scalars(query))
                case Kind.VECTOR_MISSING:
                    query = select(Picture.id).where(self._indexed(), Picture.id.in_(ids))
                    return set(session.scalars(query)) - there
                case _:
                    return set(there) - _known(session, there)

    def confirmed_payloads(self, ids: set[UUID]) -> set[UUID]:
        """Those of the points whose payload is still wrong; reads the whole collection again."""
        again = (
            difference
            for part in self._collection.scan()
            for difference in self._misfits([one for one in part if one.id in ids])
        )
        return {UUID(one.id) for one in again if one.kind is Kind.PAYLOAD_WRONG}

    def _difference(self, kind: Kind, picture_id: UUID) -> Difference:
        return Difference(kind, str(picture_id), self._index.id)

    # Conditions on pictures, which both databases answer by the entries' primary key. A page of
    # entries by index and state would have to be sorted anew each time.

    def _indexed(self) -> ColumnElement[bool]:
        return self._entered().where(Entry.state == State.INDEXED)

    def _entered(self) -> Exists:
        return exists().where(Entry.picture_id == Picture.id, Entry.index_id == self._index.id)

    def _misfits(self, part: Sequence[StoredPayload]) -> Iterator[Difference]:
        ids = [one.id for one in part]
        if not ids:
            return
        with self._db.read() as session:
            rows = session.scalars(select(Picture).where(Picture.id.in_(ids)))
            wanted = {picture.id: payload_of(picture) for picture in rows}
            promised = _promised(session, ids)
        for point in part:
            if point.id in promised:
                continue
            if point.id not in wanted:
                yield self._difference(Kind.VECTOR_WITHOUT_ROW, point.id)
            elif point.payload is None or not agree(point.payload, wanted[point.id]):
                yield self._difference(Kind.PAYLOAD_WRONG, point.id)


def _promised(session: Session, ids: Iterable[UUID]) -> set[UUID]:
    """Those whose points are about to follow a change or removal (see the outbox)."""
    query = select(OutboxItem.picture_id).where(OutboxItem.picture_id.in_(ids))
    return set(session.scalars(query))


def _known(session: Session, ids: Iterable[UUID]) -> set[UUID]:
    found = session.scalars(select(Picture.id).where(Picture.id.in_(ids)))
    return set(found) | _promised(session, ids)
