"""Undoing an import: what it alone brought in goes again, from SQL, files and vectors."""

from __future__ import annotations

import time
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from lookalike.services.db import Database, lock
from lookalike.services.importing.claims import Claim, Claims
from lookalike.services.models import Import, ImportedPicture, ImportState, Picture, now
from lookalike.services.outbox import Outbox, remember_removal

SLICE_SECONDS = 2.0
TOGETHER = 100


class Undoing:
    """Carries out imports that are UNDOING."""

    def __init__(self, db: Database, claims: Claims, outbox: Outbox) -> None:
        self._db = db
        self._claims = claims
        self._outbox = outbox

    def go_on(self, claim: Claim) -> float:
        """One slice; the next one may begin at once. Raises UnavailableError, OvertakenError."""
        until = time.monotonic() + SLICE_SECONDS
        state = claim.row.state
        while state == ImportState.UNDOING and time.monotonic() < until:
            state = self._undo(claim)
        return 0

    def _undo(self, claim: Claim) -> ImportState:
        with self._db.write() as session:
            row = self._claims.held(session, claim)
            links = _next(session, row.id)
            removed = self._let_go(session, row, links)
            if not links:
                row.state, row.ended_at, row.message = ImportState.UNDONE, now(), None
        self._outbox.settle(removed)
        return row.state

    def _let_go(
        self, session: Session, row: Import, links: Sequence[ImportedPicture]
    ) -> list[UUID]:
        """Remove those pictures that nobody else brought in; the ids of those."""
        # An upload of the same bytes takes this lock too: it comes before, and then the picture
        # is its own, or after, and then the picture is new again.
        lock(session, *(link.sha256 for link in links))
        _unlink(session, row.id, [link.position for link in links])
        removed = []
        for link in links:
            picture = _held(session, link.picture_id) if link.brought else None
            if picture is None or picture.uploaded or _passed_on(session, row.id, picture):
                continue
            remember_removal(session, picture)
            session.delete(picture)
            removed.append(picture.id)
        row.removed += len(removed)
        return removed


def _next(session: Session, import_id: UUID) -> Sequence[ImportedPicture]:
    query = (
        select(ImportedPicture)
        .where(ImportedPicture.import_id == import_id)
        .order_by(ImportedPicture.position)
        .limit(TOGETHER)
    )
    return session.scalars(query).all()


def _unlink(session: Session, import_id: UUID, positions: Sequence[int]) -> None:
    # In one statement: removing a picture takes links of its copies along.
    session.execute(
        delete(ImportedPicture).where(
            ImportedPicture.import_id == import_id, ImportedPicture.position.in_(positions)
        )
    )


def _held(session: Session, picture_id: UUID | None) -> Picture | None:
    return session.scalar(select(Picture).where(Picture.id == picture_id).with_for_update())


def _passed_on(session: Session, import_id: UUID, picture: Picture) -> bool:
    """Whether another import brought this picture too, which then has it as its own."""
    heir = session.scalar(
        select(ImportedPicture)
        .where(ImportedPicture.picture_id == picture.id, ImportedPicture.import_id != import_id)
        .order_by(ImportedPicture.import_id)
        .limit(1)
    )
    if heir is not None:
        heir.brought = True
    return heir is not None
