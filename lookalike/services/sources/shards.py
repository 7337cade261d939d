"""A folder of WebDataset shards, read one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from lookalike.services.errors import DamagedEntryError, SourceError, SourceItemError
from lookalike.services.sources.names import is_archive, is_hidden, shown
from lookalike.services.sources.records import Item, Refused, SourceLimits
from lookalike.services.sources.server_files import Kind, ServerFolder
from lookalike.services.sources.webdataset import WebDatasetSource


class ShardsSource:
    """The pictures of all shards in a folder of this server, in the order of their names.

    A shard that cannot be read fails as one item. Folders below are not looked at.
    """

    def __init__(self, folder: ServerFolder, limits: SourceLimits) -> None:
        """Take over `folder`."""
        self._folder = folder
        self._counted: tuple[int | None] | None = None
        self._limits = limits

    def items(self, start: int = 0) -> Iterator[Item]:
        """See Source."""
        for position, item in islice(enumerate(self._all()), start, None):
            yield replace(item, position=position)

    def total(self) -> int | None:
        """See Source. None where a shard is packed."""
        if self._counted is None:
            self._counted = (self._count(),)
        return self._counted[0]

    def close(self) -> None:
        """See Source."""
        self._folder.close()

    def _count(self) -> int | None:
        count = 0
        for name in self._names():
            total = self._total(name)
            if total is None:
                return None
            count += total
        return count

    def _names(self) -> list[str]:
        files = (name for name, kind in self._folder.list("") if kind is Kind.FILE)
        return [name for name in files if is_archive(name) and not is_hidden(name)]

    def _all(self) -> Iterator[Item]:
        for name in self._names():
            try:
                shard = self._open(name)
            except (SourceError, SourceItemError) as error:
                yield Refused(0, shown(name), DamagedEntryError(error.message))
                continue
            try:
                for item in shard.items():
                    yield replace(item, name=shown(f"{name}/{item.name}"))
            finally:
                shard.close()

    def _total(self, name: str) -> int | None:
        try:
            shard = self._open(name)
        except (SourceError, SourceItemError):
            return 1
        try:
            return shard.total()
        finally:
            shard.close()

    def _open(self, name: str) -> WebDatasetSource:
        file = self._folder.open(name)
        try:
            return WebDatasetSource(file, self._limits)
        except BaseException:
            file.close()
            raise
