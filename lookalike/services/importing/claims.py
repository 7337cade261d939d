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

GOING_ON = frozenset({ImportState.QUEUED, ImportState.REHEARSING, ImportState.RUNNING})
"""States in which its source is read, or its files are sent."""

UNDER_WAY = GOING_ON | {ImportState.PAUSED}
"""The same, or it waits to go on."""

WORKING = GOING_ON | {ImportState.UNDOING}
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


def free_ticket(row: Import) -> UUID | None:
    """A new ticket for workers, where there is something to do that nobody has in hand."""
    if row.state not in WORKING or claims.is_leased(row):
        return None
    return claims.ticket_for(row)


def required(session: Session, import_id: UUID) -> Import:
    """The row, which nobody else changes until this write ends. Raises NotFoundError."""
    row = claims.locked(session, Import, import_id)
    if row is None:
        raise unknown_import(import_id)
    return row


def unknown_import(import_id: UUID) -> NotFoundError:
    """The error for an import that is not there."""
    return NotFoundError("There is no import with this id.", id=str(import_id))
