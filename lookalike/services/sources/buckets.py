"""A prefix of an S3 bucket: every picture below it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import BinaryIO

from lookalike.services.errors import (
    AccessDeniedError,
    BlobMissingError,
    MissingFileError,
    PictureError,
    SourceError,
)
from lookalike.services.labels import Labels
from lookalike.services.ports import Blob
from lookalike.services.sources.copying import blocks_of, check_size, copy
from lookalike.services.sources.names import is_archive, is_taken, nested_archive, shown
from lookalike.services.sources.ports import Bucket
from lookalike.services.sources.records import Found, Item, Refused, Sink, SourceLimits


class BucketSource:
    """The pictures of a bucket in the order of their keys. Which are taken is as in a folder.

    A file that the listing says is too large is not fetched.
    """

    def __init__(self, bucket: Bucket, limits: SourceLimits, *, all_files: bool) -> None:
        """Raises SourceError where the bucket is not to be had, UnavailableError for now."""
        try:
            _check(bucket)
        except AccessDeniedError as error:
            raise SourceError(error.message) from error
        self._bucket = bucket
        self._limits = limits
        self._all_files = all_files

    def items(self, start: int = 0) -> Iterator[Item]:
        """See Source."""
        for position, blob in islice(enumerate(self._taken()), start, None):
            yield self._item(position, blob)

    def total(self) -> None:
        """See Source. A listing of a million takes minutes, so it is not known."""

    def close(self) -> None:
        """See Source. Nothing is held between requests."""

    def _taken(self) -> Iterator[Blob]:
        for blob in self._bucket.list(""):
            if is_taken(blob.key, all_files=self._all_files):
                yield blob

    def _item(self, position: int, blob: Blob) -> Item:
        try:
            if is_archive(blob.key):
                raise nested_archive()
            check_size(blob.size, self._limits.max_bytes)
        except PictureError as error:
            return Refused(position, shown(blob.key), error)
        read = partial(self._read, blob.key)
        return Found(position, shown(blob.key), Labels(), read, apart=True)

    def _read(self, key: str, sink: Sink) -> None:
        with self._open(key) as file:
            copy(blocks_of(file), sink, self._limits.max_bytes)

    def _open(self, key: str) -> BinaryIO:
        try:
            return self._bucket.open(key)
        except BlobMissingError as error:
            raise BlobMissingError("The file is no longer in the bucket.") from error
        except AccessDeniedError as error:
            _check(self._bucket)  # or else it is not about this file
            raise MissingFileError(
                "The bucket does not let this server read the file. Check who may, and whether it "
                "is archived."
            ) from error


def _check(bucket: Bucket) -> None:
    """Look whether the bucket can be read at all. Raises UnavailableError."""
    next(bucket.list(""), None)
