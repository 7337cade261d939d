"""Imports as work that one worker at a time goes on with."""

from __future__ import annotations

from typing import TypeAlias
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from lookalike.services import claims
from lookalike.services.errors import NotFoundError
from lookalike.services.models import Import, ImportState, now

Claim: TypeAlias = claims.Claim[Import]

UNDO_AGAIN = "Something went wrong while this was undone. See the log, then undo it again."
"""One that was being undone must not be resumed, which would bring everything in again."""

WORKING = (
    ImportState.QUEUED,
    ImportState.REHEARSING,
    ImportState.RUNNING,
    ImportState.UNDOING,
)
"""States in which there is something to do for workers."""


class Claims(claims.Claims[Import]):
    """Takes imports, keeps them while they are worked on, and passes them on."""

    table = Import

    def working(self) -> ColumnElement[bool]:
        """See Claims."""
        return Import.state.in_(WORKING)

    def is_working(self, row: Import) -> bool:
        """See Claims."""
        return row.state in WORKING

    def begin(self, row: Import) -> None:
        """See Claims."""
        if row.state == ImportState.QUEUED:
            row.state = ImportState.REHEARSING if row.dry_run else ImportState.RUNNING
            row.started_at = row.started_at or now()

    def end(self, row: Import, code: str, message: str) -> None:
        """See Claims."""
        undoing = row.state == ImportState.UNDOING
        row.state = ImportState.CANCELLED if undoing else ImportState.FAILED
        row.code, row.message = code, UNDO_AGAIN if undoing else message
        row.ended_at = now()


def required(session: Session, import_id: UUID) -> Import:
    """The row, which nobody else changes until this write ends. Raises NotFoundError."""
    row = claims.locked(session, Import, import_id)
    if row is None:
        raise unknown_import(import_id)
    return row


def unknown_import(import_id: UUID) -> NotFoundError:
    """The error for an import that is not there."""
    return NotFoundError("There is no import with this id.", id=str(import_id))
