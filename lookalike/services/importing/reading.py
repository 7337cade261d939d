"""Reading a source item after item, across the slices in which an import is carried out."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, BinaryIO, Protocol
from uuid import UUID

from lookalike.services.models import Import
from lookalike.services.ports import BlobStore
from lookalike.services.sources.records import Item, Source

KEPT = 2
"""Sources that stay open between slices, so that an archive is not gone through again and again."""


class Opener(Protocol):
    """Opens the source that a kind, its options and an uploaded file describe."""

    def __call__(
        self, kind: str, spec: Mapping[str, Any], *, file: BinaryIO | None, anywhere: bool
    ) -> Source:
        """Open it; `file` belongs to it from now on. With `anywhere` it may lie in any folder.

        Raises SourceError, InvalidRequestError.
        """
        ...


class Reader:
    """An open source, and how far it was read. Used by one thread at a time."""

    def __init__(self, open_source: Opener, blobs: BlobStore, row: Import) -> None:
        self.position = row.position
        with ExitStack() as opening:
            file = opening.enter_context(blobs.open(row.file_key)) if row.file_key else None
            self._source = open_source(row.kind, row.spec, file=file, anywhere=row.of_owner)
            opening.callback(self._source.close)
            self._stack = opening.pop_all()
        self._items: Iterator[Item] | None = None

    def total(self) -> int | None:
        """How many items there are, None when nobody knows yet."""
        return self._source.total()

    def next(self) -> Item | None:
        """The next item; None at the end. Raises SourceError, UnavailableError."""
        if self._items is None:
            self._items = self._source.items(self.position)
        item = next(self._items, None)
        if item is not None:
            self.position = item.position + 1
        return item

    def skip_to(self, position: int) -> None:
        """Pass over items until it stands there. Raises SourceError, UnavailableError."""
        while self.position < position and self.next() is not None:
            pass

    def close(self) -> None:
        """Release the source."""
        # A generator that is dropped is closed, and so gives back what it holds.
        self._items = None
        self._stack.close()


class Readers:
    """Opens readers, and keeps a few for whoever goes on where they are. Safe between threads."""

    def __init__(self, open_source: Opener, blobs: BlobStore) -> None:
        self._open = open_source
        self._blobs = blobs
        self._kept: dict[UUID, Reader] = {}
        self._lock = threading.Lock()

    @contextmanager
    def reading(self, row: Import) -> Iterator[Reader]:
        """A reader of the import's source that stands at its position.

        Kept open when the block ends well, closed when it raises.
        """
        reader = self._take(row)
        try:
            yield reader
        except BaseException:
            reader.close()
            raise
        self._keep(row.id, reader)

    @contextmanager
    def reading_from(self, row: Import, position: int) -> Iterator[Reader]:
        """A reader of its own that stands at `position`, closed when the block ends."""
        reader = Reader(self._open, self._blobs, row)
        reader.position = position
        try:
            yield reader
        finally:
            reader.close()

    def forget(self, import_id: UUID) -> None:
        """Close the reader of this import, if one is kept."""
        with self._lock:
            reader = self._kept.pop(import_id, None)
        if reader is not None:
            reader.close()

    def close(self) -> None:
        """Close all."""
        for import_id in list(self._kept):
            self.forget(import_id)

    def _take(self, row: Import) -> Reader:
        with self._lock:
            reader = self._kept.pop(row.id, None)
        if reader is not None and reader.position <= row.position:
            return _gone_on(reader, row.position)
        if reader is not None:
            reader.close()
        return Reader(self._open, self._blobs, row)

    def _keep(self, import_id: UUID, reader: Reader) -> None:
        with self._lock:
            surplus = list(self._kept)[: max(0, len(self._kept) + 1 - KEPT)]
            closing = [self._kept.pop(one) for one in surplus]
            self._kept[import_id] = reader
        for one in closing:
            one.close()


def _gone_on(reader: Reader, position: int) -> Reader:
    """The reader, behind what another process has read meanwhile; closed where it cannot be."""
    try:
        reader.skip_to(position)
    except BaseException:
        reader.close()
        raise
    return reader
