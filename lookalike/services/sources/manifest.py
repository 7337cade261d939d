"""A manifest: a table that names pictures, by path or URL, and says what is known of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import BinaryIO

from lookalike.services.errors import BadRowError, MissingFileError, SourceItemError
from lookalike.services.sources.labelling import strict_labels
from lookalike.services.sources.names import shown
from lookalike.services.sources.ports import Fetcher
from lookalike.services.sources.records import Found, Item, Refused, Sink, SourceLimits
from lookalike.services.sources.rows import Row
from lookalike.services.sources.server_files import ServerFolder
from lookalike.services.sources.urls import check_url, is_url, shown_url


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column means what; all others are attributes."""

    path: str = "path"
    url: str = "url"
    title: str = "title"
    tags: str = "tags"

    @property
    def names(self) -> frozenset[str]:
        """The columns that are no attributes."""
        return frozenset({self.path, self.url, self.title, self.tags})


@dataclass(frozen=True, slots=True)
class Places:
    """Where paths and URLs of a manifest lead; `folder` is None where paths lead nowhere."""

    folder: ServerFolder | None
    fetcher: Fetcher | None


@dataclass(frozen=True, slots=True)
class Table:
    """How to read a manifest: `rows` begins a reading, `count` tells how many rows there are."""

    rows: Callable[[], Iterator[Row]]
    count: Callable[[], int]


class ManifestSource:
    """The pictures that a table names, row by row. A row that is wrong fails alone."""

    def __init__(
        self,
        file: BinaryIO,
        table: Table,
        columns: Columns,
        places: Places,
        limits: SourceLimits,
    ) -> None:
        """Take over `file`, which `table` reads, and the folder of `places`."""
        self._file = file
        self._table = table
        self._columns = columns
        self._places = places
        self._limits = limits

    def items(self, start: int = 0) -> Iterator[Item]:
        """See Source."""
        for position, row in islice(enumerate(self._table.rows()), start, None):
            yield self._item(position, row)

    def total(self) -> int:
        """See Source."""
        return self._table.count()

    def close(self) -> None:
        """See Source."""
        self._file.close()
        if self._places.folder is not None:
            self._places.folder.close()

    def _item(self, position: int, row: Row) -> Item:
        name = f"line {row.number}"
        try:
            place = self._place(row)
            name = shown_url(place) if is_url(place) else shown(place)
            labels = strict_labels(
                row.values.get(self._columns.title),
                row.values.get(self._columns.tags),
                {key: row.values[key] for key in row.values if key not in self._columns.names},
            )
            return Found(position, name, labels, self._reader(place), apart=is_url(place))
        except BadRowError as error:
            message = f"Line {row.number}: {error.message}"
            return Refused(position, name, BadRowError(message, line=row.number))
        except SourceItemError as error:
            return Refused(position, name, error)

    def _place(self, row: Row) -> str:
        if row.problem:
            raise BadRowError(row.problem)
        for name in (self._columns.path, self._columns.url):
            value = row.values.get(name)
            if value is not None and not isinstance(value, str):
                raise BadRowError(f"The column {name!r} must hold text.")
            if value and value.strip():
                return value.strip()
        raise BadRowError("The line names no picture: it has no path and no URL.")

    def _reader(self, place: str) -> Callable[[Sink], None]:
        if is_url(place):
            check_url(place)
            if self._places.fetcher is None:
                raise BadRowError("URLs cannot be fetched here.")
            return partial(self._places.fetcher.fetch, place)
        return partial(self._read, place)

    def _read(self, path: str, sink: Sink) -> None:
        if self._places.folder is None:
            raise MissingFileError("The manifest names files: say in which folder they lie.")
        self._places.folder.copy(path.replace("\\", "/"), sink, self._limits.max_bytes)
