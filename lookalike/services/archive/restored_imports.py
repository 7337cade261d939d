"""What becomes of the imports of an archive on the platform that takes it in.

Those that had ended are as they were. After a restore no source is read before somebody asks for
it: the platform that was backed up may still be at it, and paths and addresses may mean something
else here. So of one that was under way (queued, rehearsing, running or paused)

- all that was to be read has been read: it waits for its last pictures, and ends by itself;
- files were being sent to it: it is paused, until the same command is given again;
- the file it read was uploaded, or read in place by whoever owned the data folder: it has failed,
  as the one is not in an archive and the other was a right of that machine. A sentence says so;
- anything else: it is paused, until it is resumed.

One that was being undone is undone on, once everything else is there. Nobody has any of them in
hand, whoever had when the backup was made; and what was to be tried again is, when somebody asks.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from lookalike.services.archive.contents import Archive
from lookalike.services.archive.form import ImportLine
from lookalike.services.db import Database
from lookalike.services.errors import SourceError
from lookalike.services.importing import steps
from lookalike.services.importing.claims import UNDER_WAY, free_ticket, required
from lookalike.services.importing.kinds import FILES
from lookalike.services.models import Import, ImportedPicture, ImportFailure, ImportState, now
from lookalike.services.ports import WorkQueue
from lookalike.services.queueing import queue_work
from lookalike.services.slices import sliced

BEGUN = "The backup was made while this import was under way."
RESUME = f"{BEGUN} Resume it: it goes on where it was."
SEND_ON = f"{BEGUN} Give the same command again: it goes on where it was."
NOT_HERE = (
    f"{BEGUN} What it read is not in a backup. Import it again: what is in already is not stored "
    "twice."
)
UNDO_AGAIN = "The backup was made while this was undone. Undo it again."

NOT_OF_THE_IMPORT = {"with_file", "of_owner"}


def insert_imports(session: Session, archive: Archive) -> None:
    """Insert them and what belongs to them, within the write that has inserted the pictures.

    There are no pictures of others then, so one that is here under the same id, as it once came
    from the same platform, has nothing that it could lose, and makes room.
    """
    for lines in sliced(archive.imports()):
        session.execute(delete(Import).where(Import.id.in_([line.id for line in lines])))
        session.execute(insert(Import), [_row(line) for line in lines])
    for links in sliced(archive.links()):
        session.execute(insert(ImportedPicture), [link.model_dump() for link in links])
    for failures in sliced(archive.failures()):
        session.execute(insert(ImportFailure), [failure.model_dump() for failure in failures])


def go_on(db: Database, queue: WorkQueue, archive: Archive) -> None:
    """Have workers go on with those that need nobody: see above."""
    for line in archive.imports():
        if line.state is ImportState.UNDOING or line.state in UNDER_WAY:
            _go_on(db, queue, line)


def _go_on(db: Database, queue: WorkQueue, line: ImportLine) -> None:
    with db.write() as session:
        row = required(session, line.id)
        if line.state is ImportState.UNDOING and row.state == ImportState.CANCELLED:
            steps.undo(session, row)
        ticket = free_ticket(row)
    if ticket is not None:
        queue_work(queue.put_import, line.id, ticket)


def _row(line: ImportLine) -> dict[str, Any]:
    return line.model_dump(exclude=NOT_OF_THE_IMPORT) | _standing(line)


def _standing(line: ImportLine) -> dict[str, Any]:
    """Where it is in its life from now on, as far as that is another place than it was."""
    if line.state is ImportState.UNDOING:
        # Until the vectors are there, which would come after what was undone.
        return _at(ImportState.CANCELLED, UNDO_AGAIN) | {"ended_at": now()}
    if line.state not in UNDER_WAY or line.exhausted or line.cut_short:
        return {}
    if line.kind == FILES:
        return _at(ImportState.PAUSED, SEND_ON)
    if line.with_file or _is_in_place(line):
        return _at(ImportState.FAILED, NOT_HERE, SourceError.code) | {"ended_at": now()}
    return _at(ImportState.PAUSED, RESUME)


def _at(state: ImportState, message: str, code: str | None = None) -> dict[str, Any]:
    return {"state": state, "message": message, "code": code}


def _is_in_place(line: ImportLine) -> bool:
    """Whether only who owned the data folder could have it read."""
    return line.of_owner and any(line.spec.get(name) for name in ("path", "folder"))
