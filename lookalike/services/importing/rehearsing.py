"""A rehearsal: everything is read, checked and decoded as in an import, and nothing is stored."""

from __future__ import annotations

import time
from contextlib import ExitStack

from lookalike.services.db import Database
from lookalike.services.importing import ledger
from lookalike.services.importing.claims import Claim, Claims
from lookalike.services.importing.forecast import added, finish
from lookalike.services.importing.judging import Judging
from lookalike.services.importing.kinds import FILES
from lookalike.services.importing.progress import rate
from lookalike.services.importing.reading import Readers
from lookalike.services.importing.silence import pause_in_silence
from lookalike.services.importing.taking import take
from lookalike.services.models import Import, ImportState
from lookalike.services.staging import Staging

SLICE_SECONDS = 2.0

SENT_SECONDS = 5.0
"""How soon to look again at a rehearsal of files that are sent, which are judged as they come."""


class Rehearsing:
    """Carries out imports that are REHEARSING."""

    def __init__(
        self, db: Database, claims: Claims, readers: Readers, staging: Staging, judging: Judging
    ) -> None:
        self._db = db
        self._claims = claims
        self._readers = readers
        self._staging = staging
        self._judging = judging

    def go_on(self, claim: Claim) -> float:
        """One slice; answers after how many seconds the next one may begin.

        Raises SourceError, UnavailableError, OvertakenError.
        """
        if claim.row.kind == FILES:
            self._look(claim)
            return SENT_SECONDS
        until = time.monotonic() + SLICE_SECONDS
        row = claim.row
        while row.state == ImportState.REHEARSING and time.monotonic() < until:
            row = self._rehearse(claim, row)
        return 0

    def _look(self, claim: Claim) -> None:
        """Whoever sends the files brings the rehearsal to its end, unless nobody does any more."""
        with self._db.write() as session:
            row = self._claims.held(session, claim)
            if row.state == ImportState.REHEARSING:
                pause_in_silence(row)

    def _rehearse(self, claim: Claim, row: Import) -> Import:
        with ExitStack() as stack, self._readers.reading(row) as reader:
            begun = time.monotonic()
            batch = take(reader, self._staging, stack)
            judged = self._judging.judge(row, batch, time.monotonic() - begun)
            total = row.total if row.total is not None else reader.total()
            with self._db.write() as session:
                held = self._claims.held(session, claim)
                ledger.enter(session, held, judged.verdicts)
                held.position, held.message = reader.position, None
                held.total = reader.position if batch.ended else total
                held.rehearsed = added(held.rehearsed, judged.spent)
                rate(held, held.position)
                if batch.ended and held.state == ImportState.REHEARSING:
                    finish(session, held)
            return held
