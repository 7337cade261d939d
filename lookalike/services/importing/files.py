"""The uploaded files that imports read from: kept while they may be needed, then removed."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import select

from lookalike.services.claims import locked
from lookalike.services.db import Database
from lookalike.services.importing.claims import WORKING
from lookalike.services.importing.kinds import FILES
from lookalike.services.models import Import, ImportState, now
from lookalike.services.ports import BlobStore
from lookalike.services.staging import Staged

FOLDER = "imports/"

KEPT = timedelta(days=7)
"""How long the file of an ended import is kept, so that what failed can be tried again."""

TIDY_SECONDS = 3600.0
UNCLAIMED = timedelta(hours=1)

FROM_FILE: Mapping[str, Collection[str]] = {
    **dict.fromkeys(("zip", "tar", "manifest", "urls"), ("path",)),
    "webdataset": ("path", "folder"),
}
"""Kinds that are read from an uploaded file, or from what one of these options names."""


class Files:
    """Keeps and removes the files of imports, in the blob store under the import's id."""

    def __init__(self, db: Database, blobs: BlobStore) -> None:
        self._db = db
        self._blobs = blobs
        self._tidied = float("-inf")
        self._lock = threading.Lock()

    def store(self, import_id: UUID, staged: Staged) -> str:
        """Keep the file; its key. Raises UnavailableError."""
        key = f"{FOLDER}{import_id}"
        self._blobs.put(key, staged.path)
        return key

    def drop_done(self, import_id: UUID) -> None:
        """Remove the file of an import that has ended so that nobody will need it."""
        with self._db.write() as session:
            row = locked(session, Import, import_id)
            if row is None or row.file_key is None or not _is_done_with(row):
                return
            key, row.file_key = row.file_key, None
        self._blobs.delete(key)

    def tidy(self) -> None:
        """Now and then, remove files of imports that ended long ago or were never recorded."""
        with self._lock:
            if time.monotonic() - self._tidied < TIDY_SECONDS:
                return
            self._tidied = time.monotonic()
        for import_id in self._ended_long_ago():
            self.drop_done(import_id)
        for blob in self._blobs.list(FOLDER):
            if self._is_orphan(blob.key):
                self._blobs.delete(blob.key)

    def _ended_long_ago(self) -> list[UUID]:
        with self._db.read() as session:
            query = select(Import.id).where(Import.file_key.is_not(None))
            return list(session.scalars(query.where(Import.ended_at < now() - KEPT)))

    def _is_orphan(self, key: str) -> bool:
        try:
            import_id = UUID(key.removeprefix(FOLDER))
        except ValueError:
            return False
        with self._db.read() as session:
            known = session.scalar(select(Import.id).where(Import.file_key == key))
        return known is None and _made_at(import_id) < now() - UNCLAIMED


def is_gone(row: Import) -> bool:
    """Whether what the import was read from is not here, or not any more."""
    if row.kind == FILES:
        return True
    names = FROM_FILE.get(row.kind)
    if names is None or row.file_key is not None:
        return False
    return all(row.spec.get(name) is None for name in names)


def _is_done_with(row: Import) -> bool:
    if row.state == ImportState.UNDONE:
        return True
    if row.state in WORKING or row.state == ImportState.PAUSED or row.ended_at is None:
        return False
    complete = row.state == ImportState.DONE and not (row.failed or row.dry_run)
    return complete or row.ended_at < now() - KEPT


def _made_at(import_id: UUID) -> datetime:
    """When an id was made: UUIDv7 begins with milliseconds since 1970 (RFC 9562, 5.7)."""
    return datetime.fromtimestamp((import_id.int >> 80) / 1000, UTC)
