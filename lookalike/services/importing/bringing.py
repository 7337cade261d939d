"""An import's pictures come in, slice by slice; a batch and the cursor share a transaction."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from lookalike.services.courtesy import Courtesy
from lookalike.services.db import Database
from lookalike.services.failpoints import reach
from lookalike.services.importing import ledger
from lookalike.services.importing.claims import Claim, Claims
from lookalike.services.importing.kinds import FILES
from lookalike.services.importing.progress import rate
from lookalike.services.importing.reading import Reader, Readers
from lookalike.services.importing.silence import pause_in_silence
from lookalike.services.importing.taking import BATCH_ITEMS, Batch, take
from lookalike.services.importing.verdicts import upload_of, verdicts_of
from lookalike.services.intake import Accepted, Intake, Ledger, Rejected, Upload
from lookalike.services.labels import Labels
from lookalike.services.models import Import, ImportFailure, ImportState, now
from lookalike.services.records import Queue
from lookalike.services.staging import Staging

SLICE_SECONDS = 2.0
"""A slice ends after this and its batch, so that what is uploaded by hand soon finds a worker."""

WAIT_SECONDS = 0.5
"""How soon to look again while enough pictures are pending."""

LAST_SECONDS = 0.1
"""The same while the last ones are: somebody may be waiting for the end."""


class Bringing:
    """Carries out imports that are RUNNING."""

    def __init__(
        self,
        db: Database,
        claims: Claims,
        readers: Readers,
        staging: Staging,
        intake: Intake,
        courtesy: Courtesy,
        most_pending: int,
    ) -> None:
        self._db = db
        self._claims = claims
        self._readers = readers
        self._staging = staging
        self._intake = intake
        self._courtesy = courtesy
        self._most_pending = most_pending

    def go_on(self, claim: Claim) -> float:
        """One slice; answers after how many seconds the next one may begin.

        Raises SourceError when the source cannot be read, UnavailableError when a part of the
        platform is down, OvertakenError when another worker has the import.
        """
        until = time.monotonic() + SLICE_SECONDS
        while True:
            self._courtesy.give_way()
            row, waiting, again = self._survey(claim)
            if row.state != ImportState.RUNNING:
                return 0
            if waiting > self._most_pending or not (again or _has_more(row)):
                return LAST_SECONDS if row.exhausted else WAIT_SECONDS
            if again:
                self._retry(claim, row, again)
            else:
                self._bring(claim, row)
            if time.monotonic() > until:
                return 0

    def _survey(self, claim: Claim) -> tuple[Import, int, list[int]]:
        """How it stands: the row, pictures that are pending, positions to be read again."""
        with self._db.write() as session:
            row = self._claims.held(session, claim)
            all_told = ledger.collect_failures(session, row)
            waiting = ledger.pending(session, row.id)
            rate(row, row.position - waiting)
            failures = session.scalars(ledger.to_retry(row.id).limit(BATCH_ITEMS))
            again = [failure.position for failure in failures]
            if row.state == ImportState.RUNNING and all_told and not (waiting or again):
                _come_to_rest(row)
            return row, waiting, again

    def _bring(self, claim: Claim, row: Import) -> None:
        with ExitStack() as stack, self._readers.reading(row) as reader:
            batch = take(reader, self._staging, stack)
            total = self._total(row, reader)

            def write(session: Session, outcomes: Sequence[Accepted | Rejected]) -> None:
                held = self._claims.held(session, claim)
                ledger.enter(session, held, verdicts_of(batch, outcomes))
                held.position, held.exhausted, held.message = reader.position, batch.ended, None
                held.total = reader.position if batch.ended else total

            self._add(row, batch, write)
        reach("import_batch")

    def _retry(self, claim: Claim, row: Import, positions: Sequence[int]) -> None:
        with ExitStack() as stack:
            reader = stack.enter_context(self._readers.reading_from(row, positions[0]))
            batch = take(reader, self._staging, stack, positions)
            passed = [one for one in positions if one < reader.position or batch.ended]

            def write(session: Session, outcomes: Sequence[Accepted | Rejected]) -> None:
                held = self._claims.held(session, claim)
                verdicts = verdicts_of(batch, outcomes)
                held.failed -= _forget(session, held, [one.position for one in verdicts])
                ledger.enter(session, held, verdicts)
                _leave(session, held, passed)

            self._add(row, batch, write)

    def _add(self, row: Import, batch: Batch, write: Ledger) -> None:
        self._intake.add(self._uploads(row, batch), row.library, Labels(), Queue.BULK, write)

    def _uploads(self, row: Import, batch: Batch) -> Iterator[Upload]:
        for item, staged in batch.staged:
            self._courtesy.give_way()
            yield upload_of(item, staged, row)

    def _total(self, row: Import, reader: Reader) -> int | None:
        return row.total if row.total is not None else reader.total()


def _has_more(row: Import) -> bool:
    """Whether its source is to be read on."""
    return not (row.exhausted or row.cut_short or row.kind == FILES)


def _come_to_rest(row: Import) -> None:
    """Nothing is left to do, unless the source has more."""
    if row.exhausted or row.cut_short:
        row.state = ImportState.DONE if row.exhausted else ImportState.CANCELLED
        row.ended_at, row.message = now(), None
    elif row.kind == FILES:
        pause_in_silence(row)


def _forget(session: Session, row: Import, positions: Sequence[int]) -> int:
    """Drop the failures at these positions; answers how many there were."""
    found = session.scalars(
        delete(ImportFailure)
        .where(ImportFailure.import_id == row.id, ImportFailure.position.in_(positions))
        .returning(ImportFailure.position)
    )
    return len(found.all())


def _leave(session: Session, row: Import, positions: Sequence[int]) -> None:
    """Do not try again what the source no longer has."""
    session.execute(
        update(ImportFailure)
        .where(ImportFailure.import_id == row.id, ImportFailure.position.in_(positions))
        .values(retry=False)
    )
