"""What people have an import do: pause, go on, cancel, undo, and carry out its rehearsal.

Each step changes a row that is held, or says why that cannot be.
"""

from __future__ import annotations

from sqlalchemy import delete
from sqlalchemy.orm import Session

from lookalike.services.errors import InvalidRequestError
from lookalike.services.importing.claims import GOING_ON, UNDER_WAY, WORKING
from lookalike.services.importing.files import is_gone
from lookalike.services.importing.kinds import FILES
from lookalike.services.models import Import, ImportFailure, ImportState, now

ENDED = (ImportState.CANCELLED, ImportState.DONE, ImportState.FAILED)


def pause(_session: Session, row: Import) -> None:
    """Stop after the batch in hand. Raises InvalidRequestError."""
    if row.state == ImportState.PAUSED:
        return
    if row.state not in GOING_ON:
        raise impossible(row, "paused")
    row.state, row.message = ImportState.PAUSED, None


def resume(_session: Session, row: Import) -> None:
    """Go on where it was paused, or where it failed as a whole. Raises InvalidRequestError."""
    if row.state in WORKING:
        return
    if row.state not in {ImportState.PAUSED, ImportState.FAILED}:
        raise impossible(row, "resumed")
    again(row)


def send_on(session: Session, row: Import) -> None:
    """Go on with files that somebody is about to send: the time without any ends here."""
    resume(session, row)
    row.received_at = now()


def cancel(_session: Session, row: Import) -> None:
    """End it; what it has brought in stays. Raises InvalidRequestError."""
    if row.state == ImportState.CANCELLED:
        return
    if row.state not in UNDER_WAY:
        raise impossible(row, "cancelled")
    row.state, row.ended_at, row.cut_short = ImportState.CANCELLED, now(), True


def undo(_session: Session, row: Import) -> None:
    """Take away what it alone brought in. Raises InvalidRequestError."""
    if row.state in {ImportState.UNDOING, ImportState.UNDONE}:
        return
    if row.dry_run:
        raise InvalidRequestError("This was a rehearsal: it stored nothing that could be undone.")
    if row.state not in {*ENDED, ImportState.PAUSED}:
        raise InvalidRequestError("It is still running. Pause or cancel it, then undo it.")
    row.state, row.ended_at = ImportState.UNDOING, None
    row.code, row.message = None, None


def perform(session: Session, row: Import) -> None:
    """Do what was rehearsed. Raises InvalidRequestError."""
    if not row.dry_run or row.state != ImportState.DONE:
        raise InvalidRequestError("Only a rehearsal that is done can be carried out.")
    if row.kind == FILES:
        raise InvalidRequestError(
            "The files of this rehearsal were sent and are not kept here. Import them from where "
            "they are: give the same command without --dry-run."
        )
    if is_gone(row):
        raise InvalidRequestError(
            "The file of this rehearsal is not kept here any more. Send it again, to be imported."
        )
    session.execute(delete(ImportFailure).where(ImportFailure.import_id == row.id))
    row.dry_run, row.started_at, row.exhausted = False, None, False
    row.position = row.new = row.duplicate = row.failed = row.bytes = 0
    again(row)


def again(row: Import) -> None:
    """Have workers take it up again."""
    row.state, row.ended_at = ImportState.QUEUED, None
    row.code, row.message = None, None
    row.rate, row.rated_at = None, None
    row.received_at = now()


def impossible(row: Import, what: str) -> InvalidRequestError:
    """The error for a step that does not fit the state."""
    return InvalidRequestError(
        f"An import that is {row.state} cannot be {what}.", state=str(row.state)
    )
