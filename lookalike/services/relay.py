"""Carries long work out: takes a row up where it stands, does a slice, and queues the next."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Generic
from uuid import UUID

import structlog

from lookalike.services.claims import Claim, Claims, OvertakenError, Row, UnwantedError
from lookalike.services.errors import LookalikeError, UnavailableError
from lookalike.services.models import now
from lookalike.services.ports import Put

log = structlog.get_logger(__name__)

OUTAGE_SECONDS = 5.0
"""How soon to try again while a part of the platform, or the disk, is in the way."""

OCCUPIED_SECONDS = 0.5
"""How soon to look again while this process has another row in hand.

One at a time, be it an import or an index: a slice may take a minute of slow URLs, and the other
threads stay free for indexing, above all of what people wait for.
"""

OVERDUE = timedelta(hours=1)
"""After this a task counts as lost even where others wait in its queue."""

INTERNAL = "Something went wrong on our side while this ran. See the log, then resume it."


class Relay(Generic[Row]):
    """What workers do for rows of one kind. Any call may be made any number of times.

    `work` does a slice and answers after how many seconds the next may begin; `put` queues the
    next; `ended` is told of rows for which nothing is left to do. Relays of one process share
    a `slot`.
    """

    def __init__(
        self,
        claims: Claims[Row],
        put: Put,
        work: Callable[[Claim[Row]], float],
        ended: Callable[[UUID], None],
        slot: threading.Lock,
    ) -> None:
        self._claims: Claims[Row] = claims
        self._put = put
        self._work: Callable[[Claim[Row]], float] = work
        self._ended = ended
        self._slot = slot

    def go_on(self, row_id: UUID, ticket: UUID) -> None:
        """Do a slice for the row, if this ticket is good for it, and queue the next one."""
        if not self._slot.acquire(blocking=False):
            self._put(row_id, ticket, OCCUPIED_SECONDS)
            return
        try:
            self._take_up(row_id, ticket)
        finally:
            self._slot.release()

    def queue_lost(self, forgotten: timedelta, *, waiting: bool) -> int:
        """Queue rows whose task or worker is gone; answers how many.

        `forgotten` is how long a task may be on its way, OVERDUE where its queue is `waiting`.
        """
        lost = self._claims.lost(now() - (OVERDUE if waiting else forgotten))
        for row_id, ticket in lost:
            self._put(row_id, ticket, 0)
        if lost:
            log.info("work_requeued", rows=len(lost))
        return len(lost)

    def start_alone(self) -> None:
        """Take up every row; for the only process there is, where nobody else has any."""
        self._claims.end_all_leases()

    def _take_up(self, row_id: UUID, ticket: UUID) -> None:
        claim = self._claims.take(row_id, ticket)
        if claim is None:
            return
        try:
            with self._claims.kept(claim):
                delay = self._slice(claim)
            following = self._claims.pass_on(claim)
        except OvertakenError:
            log.info("work_overtaken", row_id=str(row_id))
            return
        if following is None:
            self._ended(row_id)
        else:
            self._put(row_id, following, delay)

    def _slice(self, claim: Claim[Row]) -> float:
        """Do it; answers after how many seconds to go on."""
        try:
            return self._tried(claim)
        except UnwantedError:
            return 0

    def _tried(self, claim: Claim[Row]) -> float:
        """The same; what fails is written on the row."""
        try:
            return self._work(claim)
        except OvertakenError:
            raise
        except (UnavailableError, OSError) as error:
            log.warning("work_waits", row_id=str(claim.id), reason=str(error))
            self._claims.explain(claim, _reason(error))
        except LookalikeError as error:
            self._claims.fail(claim, error.code, error.message)
        except Exception:  # a mistake of ours must not come back for ever
            log.exception("work_failed", row_id=str(claim.id))
            self._claims.fail(claim, "internal", INTERNAL)
        return OUTAGE_SECONDS


def _reason(error: UnavailableError | OSError) -> str:
    if isinstance(error, UnavailableError):
        return error.message
    return f"The disk or a connection is in the way ({error.strerror}). It is tried again."
