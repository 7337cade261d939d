"""Writes an archive of all pictures and imports. See `form` for what is in it.

The rows are read in one transaction, so they show one moment. Originals are copied after it, by
these rows; a picture whose original is gone by then, because it was removed meanwhile or is lost,
is left out with its rows and with the links that imports have to it, so the archive is always
whole in itself.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import IO
from uuid import UUID

import numpy as np
from sqlalchemy import and_, select

from lookalike import __version__
from lookalike.services.archive.form import (
    FORMAT,
    HEAD,
    LIBRARIES,
    MANIFEST,
    PICTURES,
    VERSION,
    Head,
    IndexFacts,
    LibraryLine,
    Manifest,
    PictureLine,
    Show,
    line_of,
)
from lookalike.services.archive.members import CHUNK, Members, appearing
from lookalike.services.archive.saved_imports import SavedImports, saved_imports
from lookalike.services.blobs import original_key
from lookalike.services.db import Database
from lookalike.services.errors import BlobMissingError
from lookalike.services.indexes import Indexes, live_index
from lookalike.services.models import Entry, Library, Picture, State, now
from lookalike.services.ports import BlobStore, VectorCollection
from lookalike.services.slices import sliced

SPOOLED = 8 * CHUNK
"""Larger originals pass through a temporary file, smaller ones through memory."""

ROWS = 500
VECTORS_TOGETHER = 2048


@dataclass(slots=True)
class BackedUp:
    """What went into the archive; `lost` names pictures whose original is missing or damaged."""

    pictures: int = 0
    originals: int = 0
    vectors: int = 0
    imports: int = 0
    lost: list[UUID] = field(default_factory=list)


class Backup:
    """Writes archives, also while the platform is used."""

    def __init__(self, db: Database, blobs: BlobStore, indexes: Indexes) -> None:
        self._db = db
        self._blobs = blobs
        self._indexes = indexes

    def run(self, target: Path, *, vectors: bool, show: Show = lambda *_: None) -> BackedUp:
        """Write everything to `target`, which appears when it is whole; `vectors` includes them.

        Raises ConfigurationError when the file exists, UnavailableError when it cannot be
        written or a part of the platform cannot be read. Then nothing is left behind.
        """
        with (
            appearing(target) as file,
            tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as tar,
            tempfile.TemporaryFile(dir=target.parent) as spool,
            tempfile.TemporaryFile(dir=target.parent) as lines,
            saved_imports(target.parent) as imports,
        ):
            rows, members, done = _Rows(self._db, spool, imports), Members(tar), BackedUp()
            members.copy_bytes(HEAD, line_of(Head(format=FORMAT, version=VERSION)))
            rows.read(show)
            self._add_originals(members, rows, done, show)
            if vectors:
                self._add_vectors(members, rows, done, show)
            members.put(LIBRARIES, b"".join(map(line_of, rows.libraries)))
            done.pictures = _write_lines(rows, lines)
            members.put_file(PICTURES, lines)
            imports.write(members, rows.absent)
            done.imports = imports.imports
            members.copy_bytes(MANIFEST, line_of(_manifest(rows, done, members.sha256)))
            return done

    def _add_originals(self, members: Members, rows: _Rows, done: BackedUp, show: Show) -> None:
        # Rows come by hash, so that what two libraries share comes together and is stored once.
        seen = 0
        for sha256, lines in groupby(rows.all(), key=lambda line: line.sha256):
            ids = [line.id for line in lines]
            if self._add_original(members, sha256):
                done.originals += 1
            else:
                rows.absent.add(sha256)
                done.lost += self._still_there(ids)
            seen += len(ids)
            show("Originals", seen, rows.count)

    def _add_original(self, members: Members, sha256: str) -> bool:
        """Whether there was a sound original to add."""
        key, digest = original_key(sha256), hashlib.sha256()
        with tempfile.SpooledTemporaryFile(max_size=SPOOLED) as copy:
            try:
                with self._blobs.open(key) as file:
                    while chunk := file.read(CHUNK):
                        digest.update(chunk)
                        copy.write(chunk)
            except BlobMissingError:
                return False
            sound = digest.hexdigest() == sha256
            if sound:
                members.copy(key, copy, copy.tell())
            return sound

    def _still_there(self, ids: Sequence[UUID]) -> list[UUID]:
        with self._db.read() as session:
            return list(session.scalars(select(Picture.id).where(Picture.id.in_(ids))))

    def _add_vectors(self, members: Members, rows: _Rows, done: BackedUp, show: Show) -> None:
        collection = self._indexes.live().collection
        indexed = (line.id for line in rows.present() if line.state is State.INDEXED)
        for number, ids in enumerate(sliced(indexed, VECTORS_TOGETHER)):
            done.vectors += _add_some_vectors(members, collection, ids, number)
            show("Vectors", done.vectors, rows.count)


class _Rows:
    """The rows of one moment, kept in a temporary file, as lines by hash."""

    def __init__(self, db: Database, spool: IO[bytes], imports: SavedImports) -> None:
        self._db = db
        self._spool = spool
        self.imports = imports
        self.count = 0
        self.absent: set[str] = set()
        self.libraries: list[LibraryLine] = []
        self.index: IndexFacts

    def read(self, show: Show) -> None:
        """Read them all in one transaction."""
        with self._db.read() as session:
            index = live_index(session)
            self.index = IndexFacts.of(index)
            rows = session.scalars(select(Library).order_by(Library.name))
            self.libraries = [LibraryLine(name=row.name, added_at=row.added_at) for row in rows]
            joined = and_(Entry.picture_id == Picture.id, Entry.index_id == index.id)
            query = select(Picture, Entry).outerjoin(Entry, joined)
            query = query.order_by(Picture.sha256, Picture.id)
            for picture, entry in session.execute(query, execution_options={"yield_per": ROWS}):
                self._spool.write(line_of(_picture_line(picture, entry)))
                self.count += 1
                show("Rows", self.count, 0)
            self.imports.read(session, show)

    def all(self) -> Iterator[PictureLine]:
        """Every picture there was."""
        self._spool.seek(0)
        return (PictureLine.model_validate_json(line) for line in self._spool)

    def present(self) -> Iterator[PictureLine]:
        """Every picture whose original is in the archive."""
        return (line for line in self.all() if line.sha256 not in self.absent)


def _write_lines(rows: _Rows, file: IO[bytes]) -> int:
    """Write the pictures that are in the archive; how many."""
    count = 0
    for count, line in enumerate(rows.present(), start=1):  # noqa: B007 - the last one counts
        file.write(line_of(line))
    return count


def _add_some_vectors(
    members: Members, collection: VectorCollection, ids: Sequence[UUID], number: int
) -> int:
    """Add those of the vectors that are there; how many."""
    found = collection.vectors(ids)
    if found:
        names = np.frombuffer(b"".join(one.bytes for one in found), np.uint8).reshape(-1, 16)
        members.put(f"vectors/{number:05}.ids.npy", _npy(names))
        members.put(f"vectors/{number:05}.npy", _npy(np.stack(list(found.values()))))
    return len(found)


def _npy(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def _picture_line(picture: Picture, entry: Entry | None) -> PictureLine:
    return PictureLine(
        id=picture.id,
        library=picture.library,
        sha256=picture.sha256,
        bytes=picture.bytes,
        format=picture.format,
        width=picture.width,
        height=picture.height,
        filename=picture.filename,
        title=picture.title,
        tags=list(picture.tags),
        attributes=picture.attributes,
        taken_at=picture.taken_at,
        added_at=picture.added_at,
        revision=picture.revision,
        dhash=picture.dhash,
        phash=picture.phash,
        uploaded=picture.uploaded,
        state=State(entry.state) if entry else State.PENDING,
        code=entry.code if entry else None,
        message=entry.message if entry else None,
    )


def _manifest(rows: _Rows, done: BackedUp, sha256: dict[str, str]) -> Manifest:
    return Manifest(
        created_at=now(),
        lookalike=__version__,
        index=rows.index,
        libraries=len(rows.libraries),
        pictures=done.pictures,
        originals=done.originals,
        vectors=done.vectors,
        imports=rows.imports.imports,
        imported=rows.imports.links,
        failures=rows.imports.failures,
        sha256=sha256,
    )
