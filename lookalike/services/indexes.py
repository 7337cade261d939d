"""Indexes: which model's vectors are searched, and where they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, ScalarSelect, Select, or_, select
from sqlalchemy.orm import Session

from lookalike.services.centring import Centred, from_bytes
from lookalike.services.db import Database, lock, share
from lookalike.services.errors import NotFoundError, UnavailableError
from lookalike.services.models import Index, IndexState, new_id, now
from lookalike.services.ports import Embedder, Embedders, VectorCollection, VectorStore
from lookalike.services.records import CollectionSpec, Distance, ModelDefinition, Storage

log = structlog.get_logger(__name__)

FED_STATES = (IndexState.BUILDING, IndexState.READY, IndexState.LIVE)
"""States in which an index receives every new picture."""

SEARCHED_STATES = (IndexState.READY, IndexState.LIVE)
"""States in which an index holds every picture, and can be searched."""

LIVE_ALIAS = "lookalike-live"
"""Another name of the collection that searches use, for those who look into the vector store."""

COMING_AND_GOING = "indexes"
"""What is locked to add an index or to change which is live, and shared to give entries."""


@dataclass(frozen=True, slots=True)
class OpenIndex:
    """An index ready for use: its row's id and model, its vectors, and who makes them."""

    id: UUID
    model: str
    collection: VectorCollection
    embedder: Embedder


class Indexes:
    """Find and make indexes."""

    def __init__(
        self,
        db: Database,
        store: VectorStore,
        embedders: Embedders,
        storage: Storage = Storage.FLOAT32,
    ) -> None:
        """`storage` is how the first index keeps its vectors."""
        self._db = db
        self._store = store
        self._embedders = embedders
        self._storage = storage

    def ensure_live(self, model: str) -> Index:
        """The live index; when there is none yet, make one for `model`.

        Raises NotFoundError for an unknown model, UnavailableError where weights are missing.
        """
        with self._db.write() as session:
            lock(session, COMING_AND_GOING)
            row = session.scalar(_live())
            if row is None:
                row = new_index(self._embedders.get(model).definition, self._storage)
                row.state, row.live_at = IndexState.LIVE, now()
                session.add(row)
        self.open(row)
        return row

    def live(self) -> OpenIndex:
        """The index that searches use. Raises UnavailableError when there is none."""
        with self._db.read() as session:
            row = live_index(session)
        return self.open(row)

    def check_store(self) -> None:
        """Ask the vector store for a sign of life, without the database's help.

        Raises UnavailableError without one.
        """
        self._store.names()

    def standing(self, index_id: UUID) -> OpenIndex:
        """An index that can be searched. Raises NotFoundError when it is not, or not any more."""
        with self._db.read() as session:
            row = session.get(Index, index_id)
        if row is None or row.state not in SEARCHED_STATES:
            raise NotFoundError(
                "That index cannot be searched, or not any more. Search again without naming one.",
                id=str(index_id),
            )
        return self.open(row)

    def name_live(self) -> None:
        """Give the live collection its alias in the store. Raises UnavailableError."""
        with self._db.read() as session:
            collection = live_index(session).collection
        self._store.point_alias(LIVE_ALIAS, collection)

    def fed(self) -> list[OpenIndex]:
        """Every index that workers bring pictures into, the live one first.

        Another one whose model cannot be used any more is passed over, and waits.
        """
        rows = [row for row in self._rows(_worked()) if self._is_usable(row)]
        return [self.open(row) for row in rows]

    def collections(self) -> list[VectorCollection]:
        """The vectors of every index that holds any, whether or not its model can be loaded."""
        return [self.collection(row) for row in self._rows(Index.state != IndexState.RETIRED)]

    def open(self, row: Index) -> OpenIndex:
        """An index whatever its state. Raises UnavailableError where weights are missing."""
        embedder = self._embedders.get(row.model)
        if row.mean is not None:
            embedder = Centred(embedder, from_bytes(row.mean, row.dimensions))
        return OpenIndex(row.id, row.model, self.collection(row), embedder)

    def collection(self, row: Index) -> VectorCollection:
        """The vectors of an index."""
        return self._store.open(row.collection, spec_of(row))

    def drop(self, row: Index) -> None:
        """Remove the vectors of an index; nothing happens if there are none."""
        self._store.drop(row.collection)

    def drop_retired(self) -> None:
        """Remove vectors of retired indexes that are there again. Raises UnavailableError.

        A worker or a search that had one in hand may have made its collection anew.
        """
        names = set(self._store.names())
        for row in self._rows((Index.state == IndexState.RETIRED) & Index.task.is_(None)):
            if row.collection in names:
                self.drop(row)

    def _rows(self, wanted: ColumnElement[bool]) -> Sequence[Index]:
        first = (Index.state != IndexState.LIVE, Index.id)
        with self._db.read() as session:
            return session.scalars(select(Index).where(wanted).order_by(*first)).all()

    def _is_usable(self, row: Index) -> bool:
        if row.state == IndexState.LIVE:
            return True
        try:
            self._embedders.get(row.model)
        except (NotFoundError, UnavailableError) as error:
            log.warning("index_not_fed", index_id=str(row.id), reason=error.message)
            return False
        return True


def spec_of(row: Index) -> CollectionSpec:
    """What the index's collection is made for."""
    return CollectionSpec(row.dimensions, Distance(row.distance), Storage(row.storage))


def live_index(session: Session) -> Index:
    """The live index's row within a transaction. Raises UnavailableError when there is none."""
    row = session.scalar(_live())
    if row is None:
        raise UnavailableError("There is no live index. Start the platform with `lookalike up`.")
    return row


def live_index_id() -> ScalarSelect[UUID]:
    """The live index's id, as a part of a query; it equals nothing when there is none."""
    return select(Index.id).where(Index.state == IndexState.LIVE).scalar_subquery()


def fed_index_ids(session: Session) -> list[UUID]:
    """Ids of the indexes that a new picture must get an entry for.

    None comes until the write of `session` ends: whoever starts one afterwards finds the picture.
    """
    share(session, COMING_AND_GOING)
    return list(session.scalars(select(Index.id).where(Index.state.in_(FED_STATES))))


def worked_index_ids() -> Select[UUID]:
    """Ids of the indexes that workers bring pictures into."""
    return select(Index.id).where(_worked())


def _worked() -> ColumnElement[bool]:
    fitted = or_(Index.centred.is_(False), Index.mean.is_not(None))
    return Index.state.in_(FED_STATES) & Index.paused.is_(False) & fitted


def _live() -> Select[Index]:
    return select(Index).where(Index.state == IndexState.LIVE)


def new_index(definition: ModelDefinition, storage: Storage) -> Index:
    """The row of an index of this model, which is about to be built."""
    index_id = new_id()
    return Index(
        id=index_id,
        model=definition.name,
        recipe=definition.steps,
        dimensions=definition.dimensions,
        distance=definition.distance,
        storage=storage,
        collection=f"{definition.name}-{index_id.hex}",
        centred=definition.centred,
        state=IndexState.BUILDING,
    )
