"""What workers do for indexes: build one beside the live one, measure one, or clear one away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from lookalike.services.centring import to_bytes
from lookalike.services.claims import OvertakenError
from lookalike.services.courtesy import Courtesy
from lookalike.services.db import Database
from lookalike.services.failpoints import reach
from lookalike.services.indexes import Indexes
from lookalike.services.models import (
    Entry,
    Index,
    IndexState,
    IndexTask,
    SampledQuery,
    now,
)
from lookalike.services.ports import WorkQueue
from lookalike.services.reindexing.claims import Claim, Claims
from lookalike.services.reindexing.feeding import TOGETHER, Feeding
from lookalike.services.reindexing.figures import Figures
from lookalike.services.reindexing.fitting import Fitting
from lookalike.services.reindexing.measuring import Measuring
from lookalike.services.reindexing.switching import Switching
from lookalike.services.relay import Relay

log = structlog.get_logger(__name__)

WAIT_SECONDS = 0.5
"""How soon to look again while enough pictures are pending, or the last ones are."""

GRAPH_SECONDS = 5.0
"""How long one slice waits for the search graph, which recall is not measured without."""

LOOK_SECONDS = 1.0
"""How often long work looks whether it is still wanted."""


class Building(Relay[Index]):
    """Carries out the tasks of indexes."""

    def __init__(
        self,
        db: Database,
        claims: Claims,
        queue: WorkQueue,
        indexes: Indexes,
        feeding: Feeding,
        fitting: Fitting,
        measuring: Measuring,
        switching: Switching,
        courtesy: Courtesy,
        slot: threading.Lock,
    ) -> None:
        super().__init__(claims, queue.put_build, self._go_on, lambda _: None, slot)
        self._db = db
        self._mine = claims
        self._indexes = indexes
        self._feeding = feeding
        self._fitting = fitting
        self._measuring = measuring
        self._switching = switching
        self._courtesy = courtesy
        self._steps: dict[IndexTask, Callable[[Claim], float]] = {
            IndexTask.BUILD: self._build,
            IndexTask.MEASURE: self._measure,
            IndexTask.SWITCH: self._switch,
            IndexTask.RETIRE: self._retire,
        }

    def _go_on(self, claim: Claim) -> float:
        task = claim.row.task
        return self._steps[IndexTask(task)](claim) if task else 0

    def _build(self, claim: Claim) -> float:
        if claim.row.centred and claim.row.mean is None:
            return self._fit(claim)
        fed = self._feeding.feed(claim)
        if not fed.complete or self._feeding.refill(claim, self._indexes.collection(claim.row)):
            self._mine.explain(claim, None)
            return WAIT_SECONDS
        return self._measure(claim)

    def _fit(self, claim: Claim) -> float:
        self._mine.explain(claim, "The mean vector is being computed.")
        index = self._indexes.open(claim.row)
        mean = self._fitting.fit(index, claim.row.library, self._still(claim))
        reach("build_fit")
        self._note(claim, mean=to_bytes(mean))
        return 0

    def _measure(self, claim: Claim) -> float:
        index = self._indexes.open(claim.row)
        self._mine.explain(claim, "The search graph is being built.")
        if not index.collection.wait_until_optimized(GRAPH_SECONDS):
            return WAIT_SECONDS
        self._mine.explain(claim, "Recall is being measured.")
        live = self._indexes.live()
        figures = self._measuring.measure(
            index,
            None if live.id == index.id else live,
            claim.row.library,
            claim.row.labels,
            self._still(claim),
        )
        reach("build_measure")
        self._measured(claim, figures)
        return 0

    def _measured(self, claim: Claim, figures: Figures) -> None:
        # In one write: an index that is built and has no task would stay as it is for good.
        values: dict[str, Any] = {"figures": figures.as_dict(), "measured_at": now()}
        following = None
        if claim.row.state == IndexState.BUILDING:
            values |= {"state": IndexState.READY, "built_at": now()}
            following = IndexTask.SWITCH if claim.row.switch else None
        self._note(claim, **values, task=following, message=None)
        log.info("index_measured", index_id=str(claim.id))

    def _switch(self, claim: Claim) -> float:
        self._switching.switch_by_itself(claim.id)
        self._note(claim, task=None)
        return 0

    def _retire(self, claim: Claim) -> float:
        self._indexes.drop(claim.row)
        reach("build_drop")
        while self._forget_some(claim):
            pass
        self._note(claim, task=None, message=None)
        return 0

    def _forget_some(self, claim: Claim) -> int:
        with self._db.write() as session:
            self._mine.held(session, claim)
            session.execute(delete(SampledQuery).where(SampledQuery.index_id == claim.id))
            return _delete_entries(session, claim.id)

    def _note(self, claim: Claim, **values: Any) -> None:
        with self._db.write() as session:
            row = self._mine.wanted(session, claim)
            for name, value in values.items():
                setattr(row, name, value)

    def _still(self, claim: Claim) -> Callable[[int, int], None]:
        """What is called between two steps of long work: gives way to whoever searches.

        Raises OvertakenError, looking once a second, when the work is not wanted any more.
        """
        looked = time.monotonic()

        def look(_done: int, _total: int) -> None:
            nonlocal looked
            self._courtesy.give_way()
            if time.monotonic() - looked < LOOK_SECONDS:
                return
            looked = time.monotonic()
            self._check(claim)

        return look

    def _check(self, claim: Claim) -> None:
        with self._db.read() as session:
            row = session.get(Index, claim.id)
        if row is None or row.ticket != claim.ticket:
            raise OvertakenError("Another worker has taken this over.")
        self._mine.check_wanted(row, claim)


def _delete_entries(session: Session, index_id: UUID) -> int:
    some = select(Entry.picture_id).where(Entry.index_id == index_id).limit(TOGETHER)
    ids = list(session.scalars(some))
    session.execute(delete(Entry).where(Entry.index_id == index_id, Entry.picture_id.in_(ids)))
    return len(ids)
