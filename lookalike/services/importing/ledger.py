"""What an import writes about its items: counts, links to pictures, failures, in one transaction.

Each item counts exactly once: as new, as a duplicate, or as failed. A picture that was stored and
fails while it is indexed moves from one of the first two to the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, select
from sqlalchemy.orm import Session

from lookalike.services.errors import LookalikeError
from lookalike.services.indexes import live_index
from lookalike.services.models import Entry, Import, ImportedPicture, ImportFailure, State

COLLECTED = 500


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one item.

    `sha256` and `bytes` are those of a picture that was, or would be, stored; `duplicate` says
    that it was there before. `error` says why the item did not, or would not, become searchable.
    """

    position: int
    name: str
    sha256: str | None = None
    bytes: int = 0
    picture_id: UUID | None = None
    duplicate: bool = False
    error: LookalikeError | None = None


def enter(session: Session, row: Import, verdicts: Sequence[Verdict]) -> None:
    """Count the verdicts, and write their links and failures."""
    for one in verdicts:
        if one.error is not None:
            row.failed += 1
            session.add(_failure(row.id, one, one.error))
        elif one.duplicate:
            row.duplicate += 1
        else:
            row.new += 1
        if not one.duplicate:
            row.bytes += one.bytes
    session.add_all(_link(row.id, one, one.sha256) for one in verdicts if one.sha256)
    session.flush()


def collect_failures(session: Session, row: Import) -> bool:
    """Move stored pictures that have failed by now from the new and duplicate to the failed.

    Some at a time; answers whether those were all.
    """
    found = session.execute(_uncollected(session, row).limit(COLLECTED)).all()
    for link, code, message in found:
        shift(row, link, failed=1)
        failure = error_of(code, message)
        verdict = Verdict(link.position, link.name, picture_id=link.picture_id)
        session.add(_failure(row.id, verdict, failure))
    session.flush()
    return len(found) < COLLECTED


def has_uncollected(session: Session, row: Import) -> bool:
    """Whether stored pictures have failed that do not count as failed yet."""
    return session.execute(_uncollected(session, row).limit(1)).first() is not None


def _uncollected(session: Session, row: Import) -> Select[ImportedPicture, str | None, str | None]:
    return (
        select(ImportedPicture, Entry.code, Entry.message)
        .join(Entry, _standing(session, State.FAILED))
        .outerjoin(ImportFailure, of_its_item())
        .where(_of(row.id), ImportFailure.position.is_(None))
    )


def shift(row: Import, link: ImportedPicture, *, failed: int) -> None:
    """Count a stored picture's item as failed (1), or as what it was before that (-1)."""
    row.failed += failed
    if link.brought:
        row.new -= failed
    else:
        row.duplicate -= failed


def pending(session: Session, import_id: UUID) -> int:
    """How many of the import's pictures are still to be indexed in the live index."""
    query = (
        select(func.count())
        .select_from(ImportedPicture)
        .join(Entry, _standing(session, State.PENDING))
        .where(_of(import_id))
    )
    return session.scalar(query) or 0


def to_retry(import_id: UUID) -> Select[ImportFailure]:
    """The items that are to be read again, in their order."""
    return (
        select(ImportFailure)
        .where(
            ImportFailure.import_id == import_id,
            ImportFailure.retry,
            ImportFailure.picture_id.is_(None),
        )
        .order_by(ImportFailure.position)
    )


def of_its_item() -> ColumnElement[bool]:
    """The condition that a failure is that of an imported picture's item."""
    return and_(
        ImportFailure.import_id == ImportedPicture.import_id,
        ImportFailure.position == ImportedPicture.position,
    )


def error_of(code: str | None, message: str | None) -> LookalikeError:
    """The error that these were written down of."""
    error = LookalikeError(message or "")
    error.code = code or error.code
    return error


def _of(import_id: UUID) -> ColumnElement[bool]:
    # As an expression: by the plain column SQLite would walk through all that the import has
    # brought, for every batch, instead of the few entries in question.
    return func.coalesce(ImportedPicture.import_id, import_id) == import_id


def _standing(session: Session, state: State) -> ColumnElement[bool]:
    return and_(
        Entry.picture_id == ImportedPicture.picture_id,
        Entry.index_id == live_index(session).id,
        Entry.state == state,
    )


def _failure(import_id: UUID, verdict: Verdict, error: LookalikeError) -> ImportFailure:
    return ImportFailure(
        import_id=import_id,
        position=verdict.position,
        name=verdict.name,
        code=error.code,
        message=error.message,
        picture_id=verdict.picture_id,
    )


def _link(import_id: UUID, verdict: Verdict, sha256: str) -> ImportedPicture:
    return ImportedPicture(
        import_id=import_id,
        position=verdict.position,
        sha256=sha256,
        picture_id=verdict.picture_id,
        name=verdict.name,
        brought=not verdict.duplicate,
    )
