"""Mends what a check has found, as far as SQL and the originals can tell how it should be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from uuid import UUID

import structlog
from sqlalchemy import select

from lookalike.services import entries
from lookalike.services.blobs import original_key, thumbnail_key
from lookalike.services.consistency.report import Difference, Kind, Report
from lookalike.services.consistency.stored import StoredFiles, forget_file
from lookalike.services.db import Database
from lookalike.services.errors import PictureError
from lookalike.services.indexes import spec_of
from lookalike.services.models import Entry, Index, Picture
from lookalike.services.outbox import Outbox, remember
from lookalike.services.ports import BlobStore, IndexQueue, VectorStore
from lookalike.services.queueing import queue_pictures
from lookalike.services.slices import sliced
from lookalike.services.thumbnails import Thumbnails

log = structlog.get_logger(__name__)

Group = Sequence[Difference]
Mended = set[str]


class Repairing:
    """Mends differences while the platform is used. Mending twice does no harm.

    Whatever may race with an upload, a change or a removal of the same picture goes through the
    outbox, which settles such races.
    """

    def __init__(
        self,
        db: Database,
        blobs: BlobStore,
        store: VectorStore,
        queue: IndexQueue,
        outbox: Outbox,
        thumbnails: Thumbnails,
        *,
        owns_vectors: bool,
    ) -> None:
        """`owns_vectors` says that nobody else keeps collections in `store`."""
        self._db = db
        self._blobs = blobs
        self._stored = StoredFiles(blobs)
        self._store = store
        self._queue = queue
        self._outbox = outbox
        self._thumbnails = thumbnails
        self._owns_vectors = owns_vectors

    def run(self, report: Report) -> Report:
        """The same report, each difference marked with whether it is repaired.

        Pictures whose vector or entry was missing count as repaired: they are queued, and are
        searchable when a worker has indexed them. Raises UnavailableError when a part is down.
        """
        groups: dict[tuple[Kind, UUID | None], list[Difference]] = defaultdict(list)
        for difference in report.differences:
            groups[difference.kind, difference.index].append(difference)
        mended = {
            (difference.kind, difference.index, one)
            for group in groups.values()
            for part in sliced(group)
            for difference in part[:1]
            for one in self._ways()[difference.kind](part)
        }
        differences = [
            replace(one, repaired=(one.kind, one.index, one.id) in mended)
            for one in report.differences
        ]
        return replace(report, differences=differences)

    def _ways(self) -> dict[Kind, Callable[[Group], Mended]]:
        """How each kind is mended: differences of one kind and index in, ids of the mended out."""
        return {
            Kind.BLOB_MISSING: lambda _: set(),
            Kind.BLOB_DAMAGED: self._set_aside,
            Kind.SIZE_WRONG: self._correct_sizes,
            Kind.THUMBNAIL_MISSING: self._make_thumbnails,
            Kind.ORPHAN_ORIGINAL: self._remove_files,
            Kind.ORPHAN_THUMBNAIL: self._remove_files,
            Kind.ENTRY_MISSING: self._index_again,
            Kind.VECTOR_MISSING: self._index_again,
            Kind.VECTOR_WITHOUT_ROW: self._remove_points,
            Kind.PAYLOAD_WRONG: self._write_payloads,
            Kind.LEFTOVER_COLLECTION: self._drop_collections,
        }

    def _set_aside(self, group: Group) -> Mended:
        """Make room for a sound copy: an upload leaves a file that is there as it is.

        What is left of the damaged one is kept, in case it is all there is.
        """
        for sha256 in self._hashes(group).values():
            if self._stored.has_original(sha256) and not self._stored.is_sound(sha256):
                with self._blobs.open(original_key(sha256)) as file:
                    self._blobs.put_bytes(f"damaged/{sha256}", file.read())
                self._blobs.delete(original_key(sha256))
        return set()

    def _correct_sizes(self, group: Group) -> Mended:
        corrected = set()
        for picture_id, sha256 in self._hashes(group).items():
            size = self._stored.size_of_sound(sha256)
            if size is not None:
                self._promise(picture_id, size)
                corrected.add(str(picture_id))
        return corrected

    def _make_thumbnails(self, group: Group) -> Mended:
        with self._db.read() as session:
            pictures = session.scalars(select(Picture).where(Picture.id.in_(_ids(group)))).all()
        return {str(picture.id) for picture in pictures if self._make_thumbnail(picture)}

    def _make_thumbnail(self, picture: Picture) -> bool:
        try:
            if not self._stored.has_thumbnail(picture.sha256):
                self._blobs.delete(thumbnail_key(picture.sha256))  # an empty one
            self._thumbnails.open(picture).close()
        except PictureError as error:
            log.info("thumbnail_not_made", picture_id=str(picture.id), reason=error.message)
            return False
        # It must not outlive the picture, which may have been removed meanwhile.
        with self._db.read() as session:
            gone = session.get(Picture, picture.id) is None
        if gone:
            forget_file(self._db, self._outbox, picture.sha256)
        return True

    def _remove_files(self, group: Group) -> Mended:
        for difference in group:
            forget_file(self._db, self._outbox, difference.id)
        return {one.id for one in group}

    def _index_again(self, group: Group) -> Mended:
        index_id = group[0].index
        with self._db.write() as session:
            query = select(Picture.id).where(Picture.id.in_(_ids(group))).order_by(Picture.id)
            known = session.scalars(query.with_for_update()).all()
            for picture_id in known:
                afresh = entries.afresh()
                session.merge(Entry(picture_id=picture_id, index_id=index_id, **afresh))
        queue_pictures(self._queue, known)
        return {one.id for one in group}

    def _remove_points(self, group: Group) -> Mended:
        # No picture ever gets an id again that one has had.
        with self._db.read() as session:
            index = session.get(Index, group[0].index)
        if index is not None:
            self._store.open(index.collection, spec_of(index)).delete(_ids(group))
        return {one.id for one in group}

    def _write_payloads(self, group: Group) -> Mended:
        for picture_id in self._hashes(group):
            self._promise(picture_id)
        return {one.id for one in group}

    def _promise(self, picture_id: UUID, size: int | None = None) -> None:
        """Have the picture's points follow its row, given the right size in bytes or as it is."""
        with self._db.write() as session:
            picture = session.get(Picture, picture_id, with_for_update=True)
            if picture is None:
                return
            if size is not None:
                picture.bytes = size
                picture.revision += 1
            remember(session, picture.id, picture.sha256)
        self._outbox.settle([picture_id])

    def _drop_collections(self, group: Group) -> Mended:
        if not self._owns_vectors:
            return set()
        for difference in group:
            self._store.drop(difference.id)
        return {one.id for one in group}

    def _hashes(self, group: Group) -> dict[UUID, str]:
        with self._db.read() as session:
            query = select(Picture.id, Picture.sha256).where(Picture.id.in_(_ids(group)))
            return {row.id: row.sha256 for row in session.execute(query)}


def _ids(group: Group) -> list[UUID]:
    return [UUID(one.id) for one in group]
