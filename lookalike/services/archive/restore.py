"""Takes an archive in, on a platform that has no pictures yet.

Everything in the archive is verified before anything is changed. Then come the originals, then
all rows in one transaction: until it commits there is no picture, and what was stored is removed
again if anything goes wrong. What follows, vectors, thumbnails and queueing, only saves work: if it
is cut short, the rows say `pending` and workers do the rest. `restored_imports` says what becomes
of imports.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import structlog
from sqlalchemy import exists, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from lookalike.services.archive.contents import Archive
from lookalike.services.archive.form import IndexFacts, PictureLine, Show, damaged
from lookalike.services.archive.restored_imports import go_on, insert_imports
from lookalike.services.archive.verify import Member, originals, vectors, verified
from lookalike.services.blobs import original_key
from lookalike.services.centring import centred
from lookalike.services.consistency.reading import has_entry, pages
from lookalike.services.consistency.stored import StoredFiles, forget_file
from lookalike.services.db import Database, lock
from lookalike.services.errors import (
    InvalidRequestError,
    LookalikeError,
    PictureError,
)
from lookalike.services.indexes import (
    COMING_AND_GOING,
    Indexes,
    OpenIndex,
    fed_index_ids,
    live_index,
    new_index,
)
from lookalike.services.models import (
    Entry,
    Index,
    IndexState,
    Library,
    Picture,
    PictureTag,
    State,
    now,
)
from lookalike.services.outbox import Outbox
from lookalike.services.payloads import payload_of
from lookalike.services.ports import BlobStore, Embedders, IndexQueue, VectorStore, WorkQueue
from lookalike.services.queueing import queue_pictures
from lookalike.services.recall.replaying import forget_index
from lookalike.services.records import Point, Queue, Storage, Vector
from lookalike.services.slices import sliced
from lookalike.services.staging import Staging
from lookalike.services.thumbnails import Thumbnails

log = structlog.get_logger(__name__)

NOT_OF_THE_PICTURE = {"tags", "state", "code", "message"}


@dataclass(frozen=True, slots=True)
class Restored:
    """What came in: pictures, those with their vectors, those that are queued; and imports."""

    pictures: int
    vectors: int
    queued: int
    imports: int


class Queues(IndexQueue, WorkQueue, Protocol):
    """What hands pictures and imports to workers."""


@dataclass(frozen=True, slots=True)
class Stores:
    """Where restored things go."""

    db: Database
    blobs: BlobStore
    vectors: VectorStore
    queue: Queues
    embedders: Embedders


class Restore:
    """Restores archives."""

    def __init__(
        self,
        stores: Stores,
        indexes: Indexes,
        outbox: Outbox,
        thumbnails: Thumbnails,
        folder: Path,
    ) -> None:
        """`folder` is where bytes are staged, best on the disk that originals are kept on."""
        self._stores = stores
        self._db = stores.db
        self._indexes = indexes
        self._outbox = outbox
        self._thumbnails = thumbnails
        self._folder = folder

    def run(self, source: Path, show: Show = lambda *_: None) -> Restored:
        """Take in the archive `source`; its model becomes the live one.

        Raises ArchiveError for a damaged one, InvalidRequestError when there are pictures
        already, NotFoundError or UnavailableError when its model cannot be used here,
        UnavailableError when a part of the platform is down.
        """
        with self._db.read() as session:
            _check_empty(session)
        with verified(source, self._folder, show) as archive:
            self._stores.embedders.get(archive.manifest.index.model)
            try:
                self._store_originals(archive, show)
                self._use_index(archive.manifest.index)
                self._insert(archive)
            except BaseException:
                self._take_back(archive)
                raise
            came = self._add_vectors(archive, show)
            queued = self._queue_pending()
            go_on(self._db, self._stores.queue, archive)
            return Restored(archive.manifest.pictures, came, queued, archive.manifest.imports)

    def _store_originals(self, archive: Archive, show: Show) -> None:
        total = archive.manifest.originals
        # Of its own, because what was accepted once is not measured by today's limits.
        with closing(Staging(self._folder, max_bytes=sys.maxsize)) as staging:
            for number, (sha256, member) in enumerate(originals(archive.path), start=1):
                self._store(sha256, member, staging)
                show("Originals", number, total)

    def _store(self, sha256: str, member: Member, staging: Staging) -> None:
        blobs, key = self._stores.blobs, original_key(sha256)
        if blobs.exists(key) and not StoredFiles(blobs).is_sound(sha256):
            blobs.delete(key)  # an orphan, which would be left as it is
        with staging.new() as staged:
            for chunk in member.chunks():
                staged.write(chunk)
            staged.seal()
            if staged.sha256 != sha256:
                raise damaged(f"{member.name} has changed meanwhile")
            blobs.put(key, staged.path)

    def _use_index(self, facts: IndexFacts) -> None:
        """Make an index like the archive's the live one, in place of an empty other one."""
        with self._db.write() as session:
            lock(session, COMING_AND_GOING)
            row = live_index(session)
            if (row.model, row.mean) == (facts.model, facts.mean):
                return
            _check_empty(session)
            # In one step: an upload must never find no index at all.
            forget_index(session, row.id)
            session.delete(row)
            session.flush()
            session.add(self._like(facts, Storage(row.storage)))
        self._stores.vectors.drop(row.collection)

    def _like(self, facts: IndexFacts, storage: Storage) -> Index:
        definition = self._stores.embedders.get(facts.model).definition
        fresh = new_index(centred(definition) if facts.mean else definition, storage)
        fresh.mean, fresh.state, fresh.live_at = facts.mean, IndexState.LIVE, now()
        return fresh

    def _insert(self, archive: Archive) -> None:
        try:
            with self._db.write() as session:
                lock(session, "restore")
                _check_empty(session)
                known = set(session.scalars(select(Library.name)))
                session.add_all(
                    Library(name=one.name, added_at=one.added_at)
                    for one in archive.libraries
                    if one.name not in known
                )
                session.flush()
                index_ids = fed_index_ids(session)
                for lines in sliced(archive.lines()):
                    _insert_some(session, lines, index_ids)
                insert_imports(session, archive)
        except IntegrityError as error:
            raise damaged("two pictures have one id") from error

    def _take_back(self, archive: Archive) -> None:
        """Remove what was stored, unless somebody has uploaded the same meanwhile."""
        try:
            for sha256, _ in groupby(line.sha256 for line in archive.lines()):
                forget_file(self._db, self._outbox, sha256)
        except LookalikeError as error:
            log.error("restore_left_files", reason=error.message, remedy="lookalike check --repair")

    def _add_vectors(self, archive: Archive, show: Show) -> int:
        live, expected = self._indexes.live(), archive.manifest.vectors
        if self._facts() != archive.manifest.index:
            return 0  # vectors that were made in another way cannot be compared with new ones
        came = 0
        for ids, rows in vectors(archive.path):
            if len(ids) != len(rows) or rows.shape[1:] != (archive.manifest.index.dimensions,):
                continue
            found = {UUID(bytes=one.tobytes()): row for one, row in zip(ids, rows, strict=True)}
            for part in sliced(found):
                came += self._add_some_vectors(live, {one: found[one] for one in part})
                show("Vectors and thumbnails", came, expected)
        return came

    def _facts(self) -> IndexFacts:
        with self._db.read() as session:
            return IndexFacts.of(live_index(session))

    def _add_some_vectors(self, live: OpenIndex, found: Mapping[UUID, Vector]) -> int:
        """Store these vectors and record their pictures as indexed; how many."""
        with self._db.read() as session:
            pictures = session.scalars(select(Picture).where(Picture.id.in_(found))).all()
        live.collection.upsert([Point(one.id, found[one.id], payload_of(one)) for one in pictures])
        for picture in pictures:
            self._make_thumbnail(picture)
        pending = Entry.index_id == live.id, Entry.state == State.PENDING
        with self._db.write() as session:
            session.execute(
                update(Entry)
                .where(*pending, Entry.picture_id.in_([one.id for one in pictures]))
                .values(state=State.INDEXED, leased_until=None)
            )
            here = set(session.scalars(select(Picture.id).where(Picture.id.in_(found))))
        # Who removed one meanwhile may have removed its vector before it was stored.
        live.collection.delete([one.id for one in pictures if one.id not in here])
        return len(here)

    def _make_thumbnail(self, picture: Picture) -> None:
        try:
            self._thumbnails.open(picture).close()
        except PictureError as error:
            log.info("thumbnail_not_made", picture_id=str(picture.id), reason=error.message)

    def _queue_pending(self) -> int:
        pending = select(Picture.id).where(has_entry(State.PENDING))
        queued = 0
        for rows in pages(self._db, pending, Picture.id):
            queued += len(rows)
            queue_pictures(self._stores.queue, [picture_id for (picture_id,) in rows])
        return queued


def _check_empty(session: Session) -> None:
    if session.scalar(select(exists().select_from(Picture))):
        raise InvalidRequestError(
            "There are pictures here already, and a restore would mix them up. Restore into an "
            "empty data folder (--data) or an empty database."
        )


def _insert_some(session: Session, lines: Sequence[PictureLine], index_ids: Sequence[UUID]) -> None:
    rows = [line.model_dump(exclude=NOT_OF_THE_PICTURE) for line in lines]
    session.execute(insert(Picture), rows)
    tags = [{"picture_id": line.id, "tag": tag} for line in lines for tag in line.tags]
    if tags:
        session.execute(insert(PictureTag), tags)
    session.execute(
        insert(Entry), [_entry(line, index_id) for line in lines for index_id in index_ids]
    )


def _entry(line: PictureLine, index_id: UUID) -> dict[str, Any]:
    """To be indexed, unless it is known already that it cannot be."""
    failed = line.state is State.FAILED
    return {
        "picture_id": line.id,
        "index_id": index_id,
        "state": State.FAILED if failed else State.PENDING,
        "code": line.code if failed else None,
        "message": line.message if failed else None,
        "queue": Queue.BULK,
    }
