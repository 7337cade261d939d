"""Indexes as administrators handle them: build, look, pause, switch, roll back, retire."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lookalike.services import entries
from lookalike.services.centring import LEAST, centred
from lookalike.services.claims import is_leased, ticket_for
from lookalike.services.db import Database, lock
from lookalike.services.errors import BusyError, InvalidRequestError
from lookalike.services.indexes import COMING_AND_GOING, new_index
from lookalike.services.libraries import require_library
from lookalike.services.models import (
    Index,
    IndexState,
    IndexTask,
    Picture,
    State,
)
from lookalike.services.ports import Embedders, VectorStore, WorkQueue
from lookalike.services.queueing import queue_work
from lookalike.services.records import ModelDefinition, Storage
from lookalike.services.reindexing.claims import Claims, unknown_index
from lookalike.services.reindexing.feeding import Feeding
from lookalike.services.reindexing.gates import Gate
from lookalike.services.reindexing.switching import Switching

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """What index to build. `storage` None is the setting's.

    `centred`: subtract the mean vector of the pictures of `library`, or of all when it is None.
    `labels` are tags whose pictures belong together, and must be found no worse than before.
    `switch`: let it go live by itself when it has passed its gates.
    """

    model: str
    storage: Storage | None = None
    centred: bool = False
    library: str | None = None
    labels: Sequence[str] = ()
    switch: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """An index: its row, how many pictures there are, its entries by state, and its gates."""

    row: Index
    pictures: int
    entries: Mapping[State, int]
    gates: Sequence[Gate]

    @property
    def done(self) -> int:
        """Pictures that are in it, or cannot be."""
        return self.entries[State.INDEXED] + self.entries[State.FAILED]


class Reindexing:
    """Starts indexes, shows them, and tells workers what to do with them."""

    def __init__(
        self,
        db: Database,
        claims: Claims,
        queue: WorkQueue,
        store: VectorStore,
        embedders: Embedders,
        feeding: Feeding,
        switching: Switching,
        storage: Storage = Storage.FLOAT32,
    ) -> None:
        self._db = db
        self._claims = claims
        self._queue = queue
        self._store = store
        self._embedders = embedders
        self._feeding = feeding
        self._switching = switching
        self._storage = storage

    def start(self, plan: Plan) -> Standing:
        """Begin to build an index beside the live one.

        When this returns, it is built whatever happens, and every picture that is uploaded goes
        to it too. Raises NotFoundError for an unknown model or library, UnavailableError where
        weights are missing, InvalidRequestError for what cannot be, BusyError while another is
        being built.
        """
        definition = self._definition(plan)
        storage = self._storage_for(plan)
        with self._db.write() as session:
            lock(session, COMING_AND_GOING)
            self._check(session, plan)
            row = new_index(definition, storage)
            row.library, row.labels, row.switch = plan.library, list(plan.labels), plan.switch
            row.task = IndexTask.BUILD
            session.add(row)
            session.flush()
            ticket = ticket_for(row)
        queue_work(self._queue.put_build, row.id, ticket)
        log.info("index_started", index_id=str(row.id), model=plan.model)
        return self.get(row.id)

    def get(self, index_id: UUID) -> Standing:
        """One index. Raises NotFoundError."""
        with self._db.read() as session:
            row = session.get(Index, index_id)
            if row is None:
                raise unknown_index(index_id)
            return self._standing(session, row)

    def list(self) -> list[Standing]:
        """Every index that there is or was, newest first."""
        with self._db.read() as session:
            rows = session.scalars(select(Index).order_by(Index.id.desc()))
            return [self._standing(session, row) for row in rows]

    def pause(self, index_id: UUID) -> Standing:
        """Stop what is done for it, until it is resumed. Raises InvalidRequestError."""
        return self._change(index_id, _pause)

    def resume(self, index_id: UUID) -> Standing:
        """Go on where it was paused, or where it failed. Raises InvalidRequestError."""
        standing = self._change(index_id, _resume)
        self._feeding.requeue(index_id)
        return standing

    def measure(self, index_id: UUID) -> Standing:
        """Have its figures measured anew. Raises InvalidRequestError."""
        return self._change(index_id, _measure)

    def retire(self, index_id: UUID) -> Standing:
        """Give it up for good, built or not; its vectors go. Raises InvalidRequestError."""
        return self._change(index_id, _retire)

    def activate(self, index_id: UUID, override: Sequence[str] = ()) -> Standing:
        """Let searches use it; see `Switching.activate`. Rolls back as well as forth."""
        self._switching.activate(index_id, override)
        return self.get(index_id)

    def _definition(self, plan: Plan) -> ModelDefinition:
        definition = self._embedders.get(plan.model).definition
        return centred(definition) if plan.centred else definition

    def _storage_for(self, plan: Plan) -> Storage:
        storage, offered = plan.storage or self._storage, self._store.storages()
        if storage not in offered:
            raise InvalidRequestError(
                f"The vector store here cannot keep vectors as {storage}. Choose one of "
                f"{', '.join(offered)}.",
                field="storage",
            )
        return storage

    def _check(self, session: Session, plan: Plan) -> None:
        if plan.library is not None:
            require_library(session, plan.library)
        other = session.scalar(select(Index.id).where(Index.state == IndexState.BUILDING))
        if other is not None:
            raise BusyError(
                "Another index is being built. Wait until it is ready, or give it up first.",
                id=str(other),
            )
        if plan.centred and (pictures := _pictures(session, plan.library)) < LEAST:
            raise InvalidRequestError(
                f"Centring needs at least {LEAST} pictures to tell what they have in common, and "
                f"there are {pictures}. Add pictures, or do without it.",
                field="centred",
            )

    def _change(self, index_id: UUID, change: Callable[[Index], object]) -> Standing:
        with self._db.write() as session:
            lock(session, COMING_AND_GOING)
            row = self._claims.required(session, index_id)
            change(row)
            # A worker that has it in hand sees what is wanted now and goes on by itself.
            free = self._claims.is_working(row) and not is_leased(row)
            ticket = ticket_for(row) if free else None
        if ticket is not None:
            queue_work(self._queue.put_build, index_id, ticket)
        return self.get(index_id)

    def _standing(self, session: Session, row: Index) -> Standing:
        found = entries.by_state(session, row.id)
        return Standing(row, _pictures(session), found, self._switching.gates(row))


def _pictures(session: Session, library: str | None = None) -> int:
    query = select(func.count()).select_from(Picture)
    if library is not None:
        query = query.where(Picture.library == library)
    return session.scalar(query) or 0


def _pause(row: Index) -> None:
    if row.state != IndexState.BUILDING:
        raise _impossible(row, "paused")
    row.paused, row.message = True, None


def _resume(row: Index) -> None:
    if row.state == IndexState.FAILED:
        row.state, row.task = IndexState.BUILDING, IndexTask.BUILD
    elif row.state != IndexState.BUILDING:
        raise _impossible(row, "resumed")
    row.paused, row.code, row.message = False, None, None


def _measure(row: Index) -> None:
    if row.state not in {IndexState.READY, IndexState.LIVE}:
        raise _impossible(row, "measured")
    if row.task == IndexTask.SWITCH:
        raise InvalidRequestError("This index was measured and is going live just now.")
    row.task, row.code, row.message = IndexTask.MEASURE, None, None


def _retire(row: Index) -> None:
    if row.state == IndexState.RETIRED and not row.code:
        return
    if row.state == IndexState.LIVE:
        raise InvalidRequestError(
            "Searches use this index. Let another one go live first.", state=str(row.state)
        )
    row.state, row.task = IndexState.RETIRED, IndexTask.RETIRE
    row.paused, row.switch, row.code, row.message = False, False, None, None


def _impossible(row: Index, done: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"This index is {row.state}, so it cannot be {done}.", state=str(row.state)
    )
