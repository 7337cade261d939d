"""Indexing: pending pictures become points in the vector index, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import ScalarResult, select, update
from sqlalchemy.orm import Session

from lookalike.services.blame import blaming
from lookalike.services.blobs import original_key, thumbnail_key
from lookalike.services.courtesy import Courtesy
from lookalike.services.db import Database
from lookalike.services.decoding import read_picture
from lookalike.services.errors import LookalikeError, PictureError, UnavailableError
from lookalike.services.failpoints import reach
from lookalike.services.imaging.limits import Limits
from lookalike.services.indexes import Indexes, OpenIndex
from lookalike.services.leases import Leases
from lookalike.services.metrics import BATCH, DECODE, FAILED, FORWARD, INDEXED, UPSERT
from lookalike.services.models import Entry, Picture, State
from lookalike.services.outbox import Outbox, remember
from lookalike.services.payloads import payload_of
from lookalike.services.pipeline import batches
from lookalike.services.ports import BlobStore, Decoder
from lookalike.services.records import Pixels, Point, Recipe

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Workload:
    """How the work is done: threads that wait for decoders, longest side of thumbnails, leases."""

    decode_threads: int
    thumbnail_side: int
    lease: timedelta


@dataclass(frozen=True, slots=True, eq=False)
class _Decoded:
    """A picture ready for the network, with its 64-bit fingerprints as 16 hex digits."""

    picture: Picture
    pixels: Pixels
    dhash: str
    phash: str


@dataclass(frozen=True, slots=True)
class _Failed:
    """A picture that cannot be indexed, and why."""

    picture: Picture
    error: LookalikeError


class Indexing:
    """Brings pictures into every index. Any batch may be given any number of times."""

    def __init__(
        self,
        db: Database,
        blobs: BlobStore,
        indexes: Indexes,
        outbox: Outbox,
        decoder: Decoder,
        limits: Limits,
        courtesy: Courtesy,
        workload: Workload,
    ) -> None:
        self._db = db
        self._leases = Leases(db, workload.lease)
        self._blobs = blobs
        self._indexes = indexes
        self._outbox = outbox
        self._decoder = decoder
        self._limits = limits
        self._courtesy = courtesy
        self._workload = workload

    def index(self, picture_ids: Sequence[UUID]) -> None:
        """Index those of these pictures that are pending; the others are passed over.

        A picture that cannot be read is recorded as failed, the rest goes on. First the live
        index, then those that are built beside it. Raises UnavailableError when a part of the
        platform is down; what is left stays pending.
        """
        for index in self._indexes.fed():
            self._index_all(index, picture_ids)

    def _index_all(self, index: OpenIndex, picture_ids: Sequence[UUID]) -> None:
        for group in self._leases.plan(index.id, picture_ids):
            self._courtesy.give_way()
            with self._leased(index, group) as pictures:
                reach("after_receive")
                self._index_into(index, pictures)

    @contextmanager
    def _leased(self, index: OpenIndex, picture_ids: Sequence[UUID]) -> Iterator[list[Picture]]:
        pictures = self._leases.take(index.id, picture_ids)
        try:
            with self._leases.kept(index.id, [picture.id for picture in pictures]):
                yield pictures
        except BaseException as error:
            blameless = isinstance(error, UnavailableError)
            ids = [picture.id for picture in pictures]
            self._leases.give_back(index.id, ids, blameless=blameless)
            raise

    def _index_into(self, index: OpenIndex, pictures: Sequence[Picture]) -> None:
        recipe = index.embedder.definition.recipe
        for batch in batches(
            pictures,
            lambda picture: self._decode(picture, recipe),
            index.embedder.forward_batch,
            self._workload.decode_threads,
        ):
            decoded = [one for one in batch if isinstance(one, _Decoded)]
            failed = [one for one in batch if isinstance(one, _Failed)]
            reach("after_decode")
            self._upsert(index, decoded)
            self._record(index, decoded, failed)
            reach("after_commit")

    def _decode(self, picture: Picture, recipe: Recipe) -> _Decoded | _Failed:
        self._courtesy.give_way()
        try:
            with blaming(picture.sha256):
                return self._open_and_prepare(picture, recipe)
        except PictureError as error:
            return _Failed(picture, error)

    def _open_and_prepare(self, picture: Picture, recipe: Recipe) -> _Decoded:
        with self._blobs.open(original_key(picture.sha256)) as file:
            data = read_picture(file, self._limits)
        self._courtesy.give_way()
        with DECODE.time():
            made = self._decoder.prepare_for_index(data, [recipe], self._workload.thumbnail_side)
        self._courtesy.give_way()
        self._blobs.put_bytes(thumbnail_key(picture.sha256), made.thumbnail)
        return _Decoded(picture, made.pixels[0], made.dhash, made.phash)

    def _upsert(self, index: OpenIndex, decoded: Sequence[_Decoded]) -> None:
        if not decoded:
            return
        self._courtesy.give_way()
        BATCH.observe(len(decoded))
        with FORWARD.time():
            vectors = index.embedder.embed([one.pixels for one in decoded])
        reach("after_embed")
        points = [
            Point(one.picture.id, vector, payload_of(one.picture))
            for one, vector in zip(decoded, vectors, strict=True)
        ]
        self._courtesy.give_way()
        with UPSERT.time():
            index.collection.upsert(points)
        reach("after_upsert")

    def _record(
        self,
        index: OpenIndex,
        decoded: Sequence[_Decoded],
        failed: Sequence[_Failed],
    ) -> None:
        pictures = [*(one.picture for one in decoded), *(one.picture for one in failed)]
        self._courtesy.give_way()
        with self._db.write() as session:
            there = _revisions(session, [picture.id for picture in pictures])
            _promise_overtaken(session, pictures, there)
            _record_indexed(session, index.id, [one for one in decoded if one.picture.id in there])
            _record_failed(session, index.id, failed)
        self._courtesy.give_way()
        self._outbox.settle([picture.id for picture in pictures])
        _count(decoded, failed)


def _count(decoded: Sequence[_Decoded], failed: Sequence[_Failed]) -> None:
    INDEXED.inc(len(decoded))
    for one in decoded:
        log.info("indexed", picture_id=str(one.picture.id))
    for failure in failed:
        FAILED.labels(failure.error.code).inc()
        log.info("not_indexed", picture_id=str(failure.picture.id), code=failure.error.code)


def _promise_overtaken(
    session: Session, pictures: Sequence[Picture], revisions: Mapping[UUID, int]
) -> None:
    """Have the points follow what was removed or changed while a worker had it in hand."""
    for picture in pictures:
        if revisions.get(picture.id) != picture.revision:
            remember(session, picture.id, picture.sha256)


def _record_indexed(session: Session, index_id: UUID, decoded: Sequence[_Decoded]) -> None:
    if not decoded:
        return
    hashes = [{"id": one.picture.id, "dhash": one.dhash, "phash": one.phash} for one in decoded]
    session.execute(update(Picture), hashes)
    for entry in _entries(session, index_id, [one.picture.id for one in decoded]):
        entry.state, entry.code, entry.message = State.INDEXED, None, None
        entry.leased_until = None


def _record_failed(session: Session, index_id: UUID, failed: Sequence[_Failed]) -> None:
    errors = {failure.picture.id: failure.error for failure in failed}
    for entry in _entries(session, index_id, errors):
        if entry.state != State.PENDING:
            continue  # another worker was quicker, and knows better
        error = errors[entry.picture_id]
        entry.state, entry.code, entry.message = State.FAILED, error.code, error.message
        entry.leased_until = None


def _revisions(session: Session, picture_ids: Sequence[UUID]) -> dict[UUID, int]:
    """The revision of each of these pictures that still exists, held until the write ends."""
    query = select(Picture.id, Picture.revision).where(Picture.id.in_(picture_ids))
    return dict(session.execute(query.order_by(Picture.id).with_for_update()).all())


def _entries(session: Session, index_id: UUID, picture_ids: Iterable[UUID]) -> ScalarResult[Entry]:
    return session.scalars(
        select(Entry)
        .where(Entry.index_id == index_id, Entry.picture_id.in_(list(picture_ids)))
        .order_by(Entry.picture_id)
        .with_for_update()
    )
