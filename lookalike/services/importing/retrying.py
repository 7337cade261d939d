"""Trying again what has failed in an import: read again from its source, or indexed again."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from lookalike.services import entries
from lookalike.services.errors import InvalidRequestError, NotFoundError
from lookalike.services.importing import ledger
from lookalike.services.importing.files import is_gone
from lookalike.services.importing.steps import ENDED, again, impossible
from lookalike.services.models import (
    Entry,
    Import,
    ImportedPicture,
    ImportFailure,
    ImportState,
    State,
)
from lookalike.services.slices import sliced


def retry(session: Session, row: Import, position: int | None) -> list[UUID]:
    """Mark what is to be read again; answers the pictures that are to be indexed again.

    All that has failed, or what is at this position. Raises InvalidRequestError, and NotFoundError
    where nothing has failed there.
    """
    if row.dry_run or row.state not in {*ENDED, ImportState.RUNNING, ImportState.PAUSED}:
        raise impossible(row, "tried again")
    wanted = _wanted(row.id, position)
    failed = list(session.scalars(select(ImportFailure.picture_id).where(*wanted)))
    if not failed:
        raise NotFoundError("Nothing has failed there, or it has been tried again already.")
    stored = [picture_id for picture_id in failed if picture_id is not None]
    if not is_gone(row):
        unstored = (*wanted, ImportFailure.picture_id.is_(None))
        session.execute(update(ImportFailure).where(*unstored).values(retry=True))
    elif not stored:
        raise InvalidRequestError(
            "These files are not kept here. Import them again; what is in already is not stored "
            "twice."
        )
    for some in sliced(stored):
        _index_again(session, row, wanted, some)
    if row.state in ENDED:
        again(row)
    return stored


def _wanted(import_id: UUID, position: int | None) -> list[ColumnElement[bool]]:
    wanted = [ImportFailure.import_id == import_id]
    return wanted if position is None else [*wanted, ImportFailure.position == position]


def _index_again(
    session: Session,
    row: Import,
    wanted: Sequence[ColumnElement[bool]],
    picture_ids: Sequence[UUID],
) -> None:
    """Make failed pictures pending, and count their items as what they were before."""
    links = session.scalars(
        select(ImportedPicture).where(
            ImportedPicture.import_id == row.id, ImportedPicture.picture_id.in_(picture_ids)
        )
    )
    for link in links:
        ledger.shift(row, link, failed=-1)
    session.execute(delete(ImportFailure).where(*wanted, ImportFailure.picture_id.in_(picture_ids)))
    session.execute(
        update(Entry)
        .where(Entry.picture_id.in_(picture_ids), Entry.state == State.FAILED)
        .values(**entries.afresh())
    )
