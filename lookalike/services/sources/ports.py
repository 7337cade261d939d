"""What sources need of the outside world, as small protocols."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

from lookalike.services.ports import Blob
from lookalike.services.sources.records import Sink


class Fetcher(Protocol):
    """Gets what URLs of strangers lead to. Safe to use from several threads."""

    def fetch(self, url: str, sink: Sink) -> None:
        """Write what `url` leads to into `sink`, from a public address alone.

        Raises PictureError: `blocked_address`, `fetch_failed`, `fetch_timeout`, `too_large`,
        `ratio_too_high`. Part of the bytes may have been written by then.
        """
        ...


class TableReader(Protocol):
    """Reads Parquet tables of strangers, in bounded memory and without harm to this process."""

    def rows(self, file: BinaryIO) -> Iterator[Mapping[str, Any]]:
        """Every row by column, in order: text, numbers, booleans, None and lists of these.

        Times are ISO 8601. Columns of bytes or of groups are left out. Closing the iterator ends
        the reading. Raises SourceError where the table cannot be read (further).
        """
        ...

    def count(self, file: BinaryIO) -> int:
        """How many rows there are. Raises SourceError."""
        ...


class Bucket(Protocol):
    """A bucket, or a folder of one, to read from; every BlobStore is one."""

    def list(self, prefix: str) -> Iterator[Blob]:
        """Every file below, in the order of keys. Raises UnavailableError."""
        ...

    def open(self, key: str) -> BinaryIO:
        """Open for reading. Raises BlobMissingError, UnavailableError."""
        ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What stands behind the ports.

    `bucket` opens what an `s3://bucket/folder` URL names, with the keys of this server; so only
    URLs that are in `buckets`, or below one of them, may be imported from.
    """

    fetcher: Fetcher
    tables: TableReader
    bucket: Callable[[str], Bucket]
    buckets: Sequence[str] = ()
