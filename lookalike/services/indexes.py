"""Indexes: which model's vectors are searched, and where they are."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from lookalike.services.db import Database, lock
from lookalike.services.errors import UnavailableError
from lookalike.services.models import Index, IndexState, new_id
from lookalike.services.ports import Embedder, Embedders, VectorCollection, VectorStore
from lookalike.services.records import CollectionSpec, Distance

FED_STATES = (IndexState.BUILDING, IndexState.READY, IndexState.LIVE)
"""States in which an index receives every new picture."""


LIVE_ALIAS = "lookalike-live"
"""Another name of the collection that searches use, for those who look into the vector store."""


@dataclass(frozen=True, slots=True)
class OpenIndex:
    """An index ready for use: its row's id and model, its vectors, and who makes them."""

    id: UUID
    model: str
    collection: VectorCollection
    embedder: Embedder


class Indexes:
    """Find and make indexes."""

    def __init__(self, db: Database, store: VectorStore, embedders: Embedders) -> None:
        self._db = db
        self._store = store
        self._embedders = embedders

    def ensure_live(self, model: str) -> Index:
        """The live index; when there is none yet, make one for `model`.

        Raises NotFoundError for an unknown model, UnavailableError where weights are missing.
        """
        with self._db.write() as session:
            lock(session, "live index")
            row = session.scalar(_live())
            if row is None:
                row = new_index(self._embedders.get(model))
                session.add(row)
        self._open(row)
        return row

    def live(self) -> OpenIndex:
        """The index that searches use. Raises UnavailableError when there is none."""
        with self._db.read() as session:
            row = live_index(session)
        return self._open(row)

    def name_live(self) -> None:
        """Give the live collection its alias in the store. Raises UnavailableError."""
        with self._db.read() as session:
            collection = live_index(session).collection
        self._store.point_alias(LIVE_ALIAS, collection)

    def fed(self) -> list[OpenIndex]:
        """Every index that new pictures go to."""
        return [self._open(row) for row in self._rows_fed()]

    def collections(self) -> list[VectorCollection]:
        """The vectors of every index that holds any, whether or not its model can be loaded."""
        return [self._collection(row) for row in self._rows_fed()]

    def _rows_fed(self) -> list[Index]:
        with self._db.read() as session:
            return list(session.scalars(select(Index).where(Index.state.in_(FED_STATES))))

    def _open(self, row: Index) -> OpenIndex:
        embedder = self._embedders.get(row.model)
        return OpenIndex(row.id, row.model, self._collection(row), embedder)

    def _collection(self, row: Index) -> VectorCollection:
        return self._store.open(
            row.collection, CollectionSpec(row.dimensions, Distance(row.distance))
        )


def live_index(session: Session) -> Index:
    """The live index's row within a transaction. Raises UnavailableError when there is none."""
    row = session.scalar(_live())
    if row is None:
        raise UnavailableError("There is no live index. Start the platform with `lookalike up`.")
    return row


def fed_index_ids(session: Session) -> list[UUID]:
    """Ids of the indexes that a new picture must get an entry for."""
    return list(session.scalars(select(Index.id).where(Index.state.in_(FED_STATES))))


def _live() -> Select[Index]:
    return select(Index).where(Index.state == IndexState.LIVE)


def new_index(embedder: Embedder) -> Index:
    """The row of an index of this model that is live from its commit on."""
    definition = embedder.definition
    index_id = new_id()
    return Index(
        id=index_id,
        model=definition.name,
        recipe=definition.steps,
        dimensions=definition.dimensions,
        distance=definition.distance,
        collection=f"{definition.name}-{index_id.hex}",
        state=IndexState.LIVE,
    )
