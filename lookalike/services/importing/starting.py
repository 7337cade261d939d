"""Starting imports, and finding those again whose files somebody goes on to send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select

from lookalike.services.claims import ticket_for
from lookalike.services.db import Database
from lookalike.services.errors import InvalidRequestError, SourceError
from lookalike.services.importing.claims import UNDER_WAY
from lookalike.services.importing.files import Files
from lookalike.services.importing.kinds import FILES
from lookalike.services.importing.reading import Opener
from lookalike.services.libraries import require_library
from lookalike.services.models import Import, ImportState, new_id
from lookalike.services.ports import WorkQueue
from lookalike.services.queueing import queue_work
from lookalike.services.staging import Staged

MOST_BEGUN = 100
"""Unfinished imports among which a sender's own is looked for."""

UNFINISHED = UNDER_WAY | {ImportState.FAILED}
"""States of an import that its sender can go on with."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be imported: a kind of source, its options, and what its pictures get.

    `of_owner` says that whoever wants it owns the data folder: any file may be read then.
    """

    kind: str
    spec: Mapping[str, Any]
    name: str
    library: str
    tags: Sequence[str] = ()
    dry_run: bool = False
    of_owner: bool = False


class Starting:
    """Records imports that somebody wants, and has workers carry them out."""

    def __init__(self, db: Database, queue: WorkQueue, open_source: Opener, files: Files) -> None:
        self._db = db
        self._queue = queue
        self._open = open_source
        self._files = files

    def check(self, wanted: Wanted, staged: Staged | None = None) -> None:
        """Refuse what cannot be imported at all, so that whoever wants it is told at once.

        Raises SourceError when the source cannot be opened, NotFoundError for an unknown library.
        """
        with self._db.read() as session:
            require_library(session, wanted.library)
        if staged is not None:
            staged.seal()
        self._try_to_open(wanted, staged)

    def begun(self, wanted: Wanted) -> UUID | None:
        """The newest import of these very files that has not come to its end, if any."""
        if wanted.kind != FILES:
            return None
        unfinished = Import.state.in_(UNFINISHED)
        query = select(Import).where(
            unfinished, Import.kind == FILES, Import.library == wanted.library
        )
        with self._db.read() as session:
            rows = session.scalars(query.order_by(Import.id.desc()).limit(MOST_BEGUN))
            same = (row.id for row in rows if _is_same(row, wanted))
            return next(same, None)

    def start(self, wanted: Wanted, staged: Staged | None = None) -> UUID:
        """Record the import and queue it; its id. `staged` is the uploaded file to read from."""
        import_id = new_id()
        row = Import(
            id=import_id,
            kind=wanted.kind,
            spec=dict(wanted.spec),
            name=wanted.name,
            file_key=self._files.store(import_id, staged) if staged else None,
            library=wanted.library,
            tags=list(wanted.tags),
            dry_run=wanted.dry_run,
            of_owner=wanted.of_owner,
            total=wanted.spec["files"] if wanted.kind == FILES else None,
        )
        with self._db.write() as session:
            require_library(session, wanted.library)
            session.add(row)
            session.flush()
            ticket = ticket_for(row)
        queue_work(self._queue.put_import, import_id, ticket)
        return import_id

    def _try_to_open(self, wanted: Wanted, staged: Staged | None) -> None:
        # The source closes what it is given.
        file = staged.path.open("rb") if staged else None
        with ExitStack() as stack:
            if file is not None:
                stack.enter_context(file)
            try:
                source = self._open(wanted.kind, wanted.spec, file=file, anywhere=wanted.of_owner)
            except InvalidRequestError as error:  # the options of the source
                raise SourceError(error.message, **error.details) from error
            stack.enter_context(closing(source))


def _is_same(row: Import, wanted: Wanted) -> bool:
    told = row.spec == wanted.spec and row.tags == list(wanted.tags)
    return told and row.dry_run == wanted.dry_run
