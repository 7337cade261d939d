"""Makes an index the live one, in one step, when it has passed its gates."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from lookalike.services.db import Database, lock
from lookalike.services.errors import GateError, InvalidRequestError, UnavailableError
from lookalike.services.failpoints import reach
from lookalike.services.indexes import COMING_AND_GOING, Indexes, live_index
from lookalike.services.models import Index, IndexState, now
from lookalike.services.reindexing.claims import Claims
from lookalike.services.reindexing.gates import COUNTED, Gate, count_gates, failed, gates
from lookalike.services.reindexing.measuring import Figures, Measuring

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 10.0
"""How long a switch waits for pictures that came in just now to be in both indexes."""

POLL_SECONDS = 0.25


class Switching:
    """Switches searches from one index to another, forth and back."""

    def __init__(
        self, db: Database, claims: Claims, indexes: Indexes, measuring: Measuring
    ) -> None:
        self._db = db
        self._claims = claims
        self._indexes = indexes
        self._measuring = measuring
        self.patience = PATIENCE_SECONDS

    def activate(self, index_id: UUID, override: Sequence[str] = ()) -> None:
        """Let searches use this index from now on; the one before stays ready for a way back.

        Gates that are named in `override` may fail. Raises NotFoundError, InvalidRequestError
        when it is not ready or no gate has such a name, GateError when a gate stops it.
        """
        row = self._row(index_id)
        if row.state == IndexState.LIVE:
            return
        _check_ready(row)
        self._pass_gates(row, override)
        self._switch(index_id)
        reach("build_switch")
        self._name()

    def switch_by_itself(self, index_id: UUID) -> None:
        """The same without anybody who waits for it: what stops it is written on the index."""
        try:
            self.activate(index_id)
        except (GateError, InvalidRequestError) as error:
            log.warning("index_not_switched", index_id=str(index_id), reason=error.message)
            with self._db.write() as session:
                self._claims.required(session, index_id).message = error.message

    def gates(self, row: Index) -> list[Gate]:
        """The gates as they stand by the figures of the index; none while it has no figures."""
        return gates(Figures.from_dict(row.figures)) if row.figures else []

    def _pass_gates(self, row: Index, override: Sequence[str]) -> None:
        if row.live_at is None:
            self._check_measured(row)
        deadline = time.monotonic() + self.patience
        while blocking := failed(self._gates_now(row), override):
            counted = all(gate.name in COUNTED for gate in blocking)
            if not counted or time.monotonic() > deadline:
                raise _stopped(blocking)
            time.sleep(POLL_SECONDS)

    def _check_measured(self, row: Index) -> None:
        if not row.figures:
            raise InvalidRequestError("This index was never measured. Measure it first.")
        figures = Figures.from_dict(row.figures)
        if figures.quality and figures.compared_with not in {None, self._indexes.live().id}:
            raise InvalidRequestError(
                "Another index has gone live since this one was compared with the live one. "
                "Measure it again."
            )

    def _gates_now(self, row: Index) -> list[Gate]:
        """What was measured, with the counts of this moment.

        The counts alone for one that was live but never measured: the way back is not to wait.
        """
        counts = self._measuring.counts_now(row.id)
        if not row.figures:
            return count_gates(counts)
        return gates(replace(Figures.from_dict(row.figures), counts=counts))

    def _switch(self, index_id: UUID) -> None:
        with self._db.write() as session:
            lock(session, COMING_AND_GOING)
            row = self._claims.required(session, index_id)
            if row.state == IndexState.LIVE:
                return
            _check_ready(row)
            self._step_down(session)
            row.state, row.live_at, row.message, row.switch = IndexState.LIVE, now(), None, False
        log.info("index_live", index_id=str(index_id))

    def _step_down(self, session: Session) -> None:
        before = self._claims.required(session, live_index(session).id)
        before.state = IndexState.READY
        session.flush()

    def _name(self) -> None:
        try:
            self._indexes.name_live()
        except UnavailableError as error:  # a sweep does it
            log.warning("alias_later", reason=error.message)

    def _row(self, index_id: UUID) -> Index:
        with self._db.write() as session:
            return self._claims.required(session, index_id)


def _check_ready(row: Index) -> None:
    if row.state != IndexState.READY:
        raise InvalidRequestError(
            f"This index is {row.state}. Only one that is ready can go live.", state=str(row.state)
        )


def _stopped(blocking: Sequence[Gate]) -> GateError:
    names = ", ".join(gate.name for gate in blocking)
    return GateError(
        f"{' '.join(gate.message for gate in blocking)} To switch all the same, override by name: "
        f"{names}.",
        gates=[
            {"name": gate.name, "measured": gate.measured, "needed": gate.needed}
            for gate in blocking
        ],
    )
