"""Indexes as work that one worker at a time goes on with."""

from __future__ import annotations

from typing import TypeAlias
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from lookalike.services import claims
from lookalike.services.claims import UnwantedError
from lookalike.services.errors import NotFoundError
from lookalike.services.models import Index, IndexState, IndexTask

Claim: TypeAlias = claims.Claim[Index]


class Claims(claims.Claims[Index]):
    """Takes indexes that something is to be done for, keeps them, and passes them on."""

    table = Index

    def working(self) -> ColumnElement[bool]:
        """See Claims."""
        return Index.task.is_not(None) & Index.paused.is_(False)

    def is_working(self, row: Index) -> bool:
        """See Claims."""
        return row.task is not None and not row.paused

    def begin(self, row: Index) -> None:
        """See Claims. How far it is, the row tells otherwise."""

    def end(self, row: Index, code: str, message: str) -> None:
        """See Claims. What cannot be measured stays what it was."""
        if row.task == IndexTask.BUILD:
            row.state = IndexState.FAILED
        row.task, row.code, row.message = None, code, message

    def wanted(self, session: Session, claim: Claim) -> Index:
        """`held`, of work that is still wanted. Raises UnwantedError when it was paused or retired.

        Whoever notes how it went asks this in the same write: what a person wants meanwhile counts.
        """
        row = self.held(session, claim)
        self.check_wanted(row, claim)
        return row

    def check_wanted(self, row: Index, claim: Claim) -> None:
        """Raises UnwantedError when what the row tells workers to do is not this any more."""
        if row.paused or row.task != claim.row.task:
            raise UnwantedError("It was paused, or is not wanted any more.")

    def fail(self, claim: Claim, code: str, message: str) -> None:
        """See Claims. What is not wanted any more has not failed."""
        with self._db.write() as session:
            self.end(self.wanted(session, claim), code, message)

    def required(self, session: Session, index_id: UUID) -> Index:
        """The row, which nobody else changes until this write ends. Raises NotFoundError."""
        row = self.locked(session, index_id)
        if row is None:
            raise unknown_index(index_id)
        return row


def unknown_index(index_id: UUID) -> NotFoundError:
    """The error for an index that is not there."""
    return NotFoundError("There is no index with this id.", id=str(index_id))
