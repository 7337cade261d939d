"""Carries imports out: takes one up where it stands, does a slice, and queues the next."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import structlog

from lookalike.services.errors import LookalikeError, UnavailableError
from lookalike.services.importing.bringing import Bringing
from lookalike.services.importing.claims import Claim, Claims, OvertakenError
from lookalike.services.importing.files import Files
from lookalike.services.importing.reading import Readers
from lookalike.services.importing.rehearsing import Rehearsing
from lookalike.services.importing.undoing import Undoing
from lookalike.services.models import ImportState, now
from lookalike.services.ports import ImportQueue

log = structlog.get_logger(__name__)

OUTAGE_SECONDS = 5.0
"""How soon to try again while a part of the platform, or the disk, is in the way."""

OCCUPIED_SECONDS = 0.5
"""How soon to look again while this process has another import in hand.

One at a time: its other threads stay free for indexing, above all of what people wait for.
"""

OVERDUE = timedelta(hours=1)
"""After this a task counts as lost even where others wait in its queue."""

INTERNAL = "Something went wrong on our side while this import ran. See the log, then resume it."


class Carrying:
    """What workers do for imports. Any call may be made any number of times."""

    def __init__(
        self,
        claims: Claims,
        queue: ImportQueue,
        readers: Readers,
        files: Files,
        bringing: Bringing,
        rehearsing: Rehearsing,
        undoing: Undoing,
    ) -> None:
        self._claims = claims
        self._queue = queue
        self._readers = readers
        self._files = files
        self._slot = threading.Lock()
        self._work: dict[ImportState, Callable[[Claim], float]] = {
            ImportState.RUNNING: bringing.go_on,
            ImportState.REHEARSING: rehearsing.go_on,
            ImportState.UNDOING: undoing.go_on,
        }

    def go_on(self, import_id: UUID, ticket: UUID) -> None:
        """Do a slice of the import, if this ticket is good for it, and queue the next one."""
        if not self._slot.acquire(blocking=False):
            self._queue.put_import(import_id, ticket, OCCUPIED_SECONDS)
            return
        try:
            self._take_up(import_id, ticket)
        finally:
            self._slot.release()

    def _take_up(self, import_id: UUID, ticket: UUID) -> None:
        claim = self._claims.take(import_id, ticket)
        if claim is None:
            return
        try:
            with self._claims.kept(claim):
                delay = self._slice(claim)
            following = self._claims.pass_on(claim)
        except OvertakenError:
            log.info("import_overtaken", import_id=str(import_id))
            return
        if following is None:
            self._readers.forget(import_id)
            self._files.drop_done(import_id)
        else:
            self._queue.put_import(import_id, following, delay)

    def queue_lost(self, forgotten: timedelta, *, waiting: bool) -> int:
        """Queue imports whose task or worker is gone; answers how many.

        `forgotten` is how long a task may be on its way, OVERDUE where its queue is `waiting`.
        """
        lost = self._claims.lost(now() - (OVERDUE if waiting else forgotten))
        for import_id, ticket in lost:
            self._queue.put_import(import_id, ticket, 0)
        if lost:
            log.info("imports_requeued", imports=len(lost))
        return len(lost)

    def start_alone(self) -> None:
        """Take up every import; for the only process there is, where nobody else has any."""
        self._claims.end_all_leases()

    def close(self) -> None:
        """Close the sources that are open."""
        self._readers.close()

    def _slice(self, claim: Claim) -> float:
        """Do it; answers after how many seconds to go on. What fails is written on the row."""
        try:
            return self._work[claim.row.state](claim)
        except OvertakenError:
            raise
        except (UnavailableError, OSError) as error:
            log.warning("import_waits", import_id=str(claim.id), reason=str(error))
            self._claims.explain(claim, _reason(error))
        except LookalikeError as error:
            self._claims.fail(claim, error.code, error.message)
        except Exception:  # a mistake of ours must not come back for ever
            log.exception("import_failed", import_id=str(claim.id))
            self._claims.fail(claim, "internal", INTERNAL)
        return OUTAGE_SECONDS


def _reason(error: UnavailableError | OSError) -> str:
    if isinstance(error, UnavailableError):
        return error.message
    return f"The disk or a connection is in the way ({error.strerror}). It is tried again."
