"""Files of an import that are sent, batch after batch, by whoever started it.

The import counts how many it has dealt with, and its sender goes on from there. So an answer that
got lost, a sender that was killed, and two that send the same files all come to the same. In a
rehearsal they are judged while the sender waits, and gone when it has its answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import BoundedSemaphore
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from lookalike.services.claims import OvertakenError
from lookalike.services.db import Database
from lookalike.services.errors import InvalidRequestError, PictureError
from lookalike.services.importing import ledger
from lookalike.services.importing.claims import GOING_ON, required, unknown_import
from lookalike.services.importing.forecast import added, finish
from lookalike.services.importing.judging import Judging
from lookalike.services.importing.kinds import FILES
from lookalike.services.importing.ledger import Verdict
from lookalike.services.importing.progress import rate
from lookalike.services.importing.taking import Batch, Taken
from lookalike.services.importing.verdicts import upload_of, verdicts_of
from lookalike.services.intake import Accepted, Intake, Rejected
from lookalike.services.labels import Labels
from lookalike.services.models import Import, now
from lookalike.services.records import Queue
from lookalike.services.sources.names import shown
from lookalike.services.staging import Staged

log = structlog.get_logger(__name__)

JUDGED_AT_ONCE = 2
"""Batches of rehearsals that one process decodes at a time: it also answers searches."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A file as its sender calls it, and its bytes, or why they did not come."""

    name: str
    staged: Staged | None
    error: PictureError | None = None


class Receiving:
    """Takes the files of imports whose files are sent, and judges those of rehearsals."""

    def __init__(self, db: Database, intake: Intake, judging: Judging) -> None:
        self._db = db
        self._intake = intake
        self._judging = judging
        self._turns = BoundedSemaphore(JUDGED_AT_ONCE)

    def receive(self, import_id: UUID, position: int, sent: Sequence[Sent]) -> None:
        """Take these files, the first of which is the one at `position` from 0.

        Does nothing with files that were taken before, and while the import is paused or over: how
        many it has found says where its sender goes on. Raises NotFoundError, UnavailableError, and
        InvalidRequestError where files before these are missing or there are too many of them.
        """
        row = self._row(import_id)
        _check(row, position, len(sent))
        if row.state not in GOING_ON or row.position != position:
            return
        batch = Batch([_taken(position + at, one) for at, one in enumerate(sent)], ended=False)
        try:
            deal = self._rehearse if row.dry_run else self._take
            deal(row, batch)
        except OvertakenError:
            log.info("files_dropped", import_id=str(import_id), position=position)

    def _row(self, import_id: UUID) -> Import:
        with self._db.read() as session:
            row = session.get(Import, import_id)
        if row is None:
            raise unknown_import(import_id)
        return row

    def _take(self, row: Import, batch: Batch) -> None:
        def write(session: Session, outcomes: Sequence[Accepted | Rejected]) -> None:
            _note(session, _held(session, row), batch, verdicts_of(batch, outcomes))

        uploads = [upload_of(item, staged, row) for item, staged in batch.staged]
        self._intake.add(uploads, row.library, Labels(), Queue.BULK, write)

    def _rehearse(self, row: Import, batch: Batch) -> None:
        sending = (now() - (row.received_at or row.added_at)).total_seconds()
        with self._turns:
            judged = self._judging.judge(row, batch, sending)
        with self._db.write() as session:
            held = _held(session, row)
            _note(session, held, batch, judged.verdicts)
            held.rehearsed = added(held.rehearsed, judged.spent)
            held.started_at = held.started_at or now()
            rate(held, held.position)
            if held.exhausted:
                finish(session, held)


def _held(session: Session, row: Import) -> Import:
    """The import, which still waits for what comes after `row`. Raises OvertakenError."""
    held = required(session, row.id)
    if held.position != row.position or held.state not in GOING_ON:
        raise OvertakenError("These files were taken meanwhile, or are no longer wanted.")
    return held


def _note(session: Session, held: Import, batch: Batch, verdicts: Sequence[Verdict]) -> None:
    """Write down what became of the batch, and where the sender goes on."""
    ledger.enter(session, held, verdicts)
    held.position += len(batch.items)
    held.exhausted = held.position == held.total
    held.received_at, held.message = now(), None


def _check(row: Import, position: int, count: int) -> None:
    if row.kind != FILES:
        raise InvalidRequestError(
            f"This import reads its pictures from a source ({row.kind}); none can be sent to it."
        )
    if position > row.position:
        raise InvalidRequestError(
            f"Files before these are missing. Go on with the one at position {row.position}.",
            field="position",
            found=row.position,
        )
    if row.total is not None and position + count > row.total:
        raise InvalidRequestError(
            f"This import is of {row.total} files; these would be more.", field="items"
        )


def _taken(position: int, sent: Sent) -> Taken:
    return Taken(position, shown(sent.name), Labels(), sent.staged, sent.error)
