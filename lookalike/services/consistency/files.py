"""Originals and thumbnails against the rows of their pictures."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from uuid import UUID

from sqlalchemy import Row, select

from lookalike.services.blobs import original_key, thumbnail_key
from lookalike.services.consistency.reading import IdSet, has_entry, pages
from lookalike.services.consistency.report import Difference, Kind
from lookalike.services.consistency.stored import StoredFiles
from lookalike.services.db import Database
from lookalike.services.models import OutboxItem, Picture, State
from lookalike.services.ports import BlobStore
from lookalike.services.slices import sliced

ORIGINALS, THUMBNAILS = "originals/", "thumbnails/"
SHA256 = re.compile(r"[0-9a-f]{64}")
INDEXED = has_entry(State.INDEXED).label("indexed")


class Files:
    """Finds what is wrong with the files of pictures."""

    def __init__(self, db: Database, blobs: BlobStore) -> None:
        self._db = db
        self._blobs = blobs
        self._stored = StoredFiles(blobs)

    def suspects(self, deep: bool) -> Iterator[Difference]:
        """What looks wrong at first sight; `deep` reads every original and hashes it."""
        originals, thumbnails = IdSet(32), IdSet(32)
        for part in sliced(self._hashed(ORIGINALS, original_key)):
            originals.add(bytes.fromhex(sha256) for sha256, _ in part)
            yield from self._orphans(Kind.ORPHAN_ORIGINAL, [sha256 for sha256, _ in part])
            yield from self._damaged(dict(part), deep)
        for part in sliced(self._hashed(THUMBNAILS, thumbnail_key)):
            thumbnails.add(bytes.fromhex(sha256) for sha256, size in part if size)
            yield from self._orphans(Kind.ORPHAN_THUMBNAIL, [sha256 for sha256, _ in part])
        yield from self._missing(originals, thumbnails)

    def confirmed(self, kind: Kind, ids: Sequence[str]) -> set[str]:
        """Those of the ids of which a difference of this kind is true at this moment."""
        match kind:
            case Kind.ORPHAN_ORIGINAL:
                return self._still_orphans(ids, original_key)
            case Kind.ORPHAN_THUMBNAIL:
                return self._still_orphans(ids, thumbnail_key)
            case _:
                wrong = [row.id for row in self._rows(ids) if self._is_wrong(kind, row)]
                # Rows go before their files, so of a removed picture none is left by now.
                return {str(row.id) for row in self._rows(wrong)}

    def _is_wrong(self, kind: Kind, row: Row[UUID, str, int, bool]) -> bool:
        match kind:
            case Kind.BLOB_MISSING:
                return not self._stored.has_original(row.sha256)
            case Kind.BLOB_DAMAGED:
                there = self._stored.has_original(row.sha256)
                return there and not self._stored.is_sound(row.sha256)
            case Kind.SIZE_WRONG:
                return self._stored.size_of_sound(row.sha256) not in {None, row.bytes}
            case _:
                return bool(row.indexed) and not self._stored.has_thumbnail(row.sha256)

    def _hashed(self, folder: str, key_of: Callable[[str], str]) -> Iterator[tuple[str, int]]:
        """Hash and size of the files under names that only Lookalike gives.

        A bucket may hold other people's files too: these are none of our business.
        """
        for blob in self._blobs.list(folder):
            sha256 = PurePosixPath(blob.key).name.removesuffix(".jpg")
            if SHA256.fullmatch(sha256) and key_of(sha256) == blob.key:
                yield sha256, blob.size

    def _orphans(self, kind: Kind, hashes: Sequence[str]) -> Iterator[Difference]:
        owned = self._owned(hashes)
        return (Difference(kind, sha256) for sha256 in hashes if sha256 not in owned)

    def _still_orphans(self, hashes: Sequence[str], key_of: Callable[[str], str]) -> set[str]:
        there = {sha256 for sha256 in hashes if self._blobs.exists(key_of(sha256))}
        return there - self._owned(there)

    def _owned(self, hashes: Iterable[str]) -> set[str]:
        """Those hashes that a picture has, or whose removal is promised and under way."""
        owned: set[str] = set()
        with self._db.read() as session:
            for column in (Picture.sha256, OutboxItem.sha256):
                owned.update(session.scalars(select(column).where(column.in_(hashes))))
        return owned

    def _damaged(self, sizes: Mapping[str, int], deep: bool) -> Iterator[Difference]:
        with self._db.read() as session:
            query = select(Picture.sha256, Picture.bytes, Picture.id)
            rows = session.execute(query.where(Picture.sha256.in_(sizes))).all()
        fits = dict.fromkeys(sizes, True)
        for sha256 in {row.sha256 for row in rows if deep or row.bytes != sizes[row.sha256]}:
            fits[sha256] = self._stored.is_sound(sha256)
        for sha256, size, picture_id in rows:
            if not fits[sha256]:
                yield Difference(Kind.BLOB_DAMAGED, str(picture_id))
            elif size != sizes[sha256]:
                yield Difference(Kind.SIZE_WRONG, str(picture_id))

    def _missing(self, originals: IdSet, thumbnails: IdSet) -> Iterator[Difference]:
        query = select(Picture.id, Picture.sha256, INDEXED)
        for rows in pages(self._db, query, Picture.id):
            hashes = [bytes.fromhex(row.sha256) for row in rows]
            lacks = zip(rows, originals.lacks(hashes), thumbnails.lacks(hashes), strict=True)
            for row, no_original, no_thumbnail in lacks:
                if no_original:
                    yield Difference(Kind.BLOB_MISSING, str(row.id))
                if no_thumbnail and row.indexed:  # it is made when the picture is indexed
                    yield Difference(Kind.THUMBNAIL_MISSING, str(row.id))

    def _rows(self, ids: Iterable[str | UUID]) -> Sequence[Row[UUID, str, int, bool]]:
        query = select(Picture.id, Picture.sha256, Picture.bytes, INDEXED)
        with self._db.read() as session:
            return session.execute(query.where(Picture.id.in_([_uuid(one) for one in ids]))).all()


def _uuid(one: str | UUID) -> UUID:
    return one if isinstance(one, UUID) else UUID(one)
