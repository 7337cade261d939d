"""A folder of this server with all that is in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice

from lookalike.services.errors import NotAFileError, PictureError
from lookalike.services.labels import Labels
from lookalike.services.sources.names import (
    is_archive,
    is_hidden,
    is_taken,
    nested_archive,
    shown,
)
from lookalike.services.sources.records import Found, Item, Refused, Sink, SourceLimits
from lookalike.services.sources.server_files import NOT_A_FILE, Kind, ServerFolder


class FolderSource:
    """The pictures of a folder, folder by folder, each in the order of names.

    A file is taken when its name ends like a picture's, or always with `all_files`. Hidden files
    and folders are not looked at. Links, devices and archives are refused, each alone. Holds the
    names of one folder at a time.
    """

    def __init__(self, folder: ServerFolder, limits: SourceLimits, *, all_files: bool) -> None:
        self._folder = folder
        self._limits = limits
        self._all_files = all_files

    def items(self, start: int = 0) -> Iterator[Item]:
        """See Source."""
        for position, (path, error) in islice(enumerate(self._walk()), start, None):
            if error:
                yield Refused(position, shown(path), error)
            else:
                yield Found(position, shown(path), Labels(), partial(self._read, path))

    def total(self) -> int:
        """See Source."""
        return sum(1 for _ in self._walk())

    def close(self) -> None:
        """See Source."""
        self._folder.close()

    def _read(self, path: str, sink: Sink) -> None:
        self._folder.copy(path, sink, self._limits.max_bytes)

    def _walk(self) -> Iterator[tuple[str, PictureError | None]]:
        """Paths of what is taken, and of what is refused with its reason."""
        waiting = [""]
        while waiting:
            path = waiting.pop()
            try:
                entries = self._folder.list(path)
            except PictureError as error:
                yield path, error
                continue
            seen = [(_join(path, name), kind) for name, kind in entries if not is_hidden(name)]
            yield from self._files(full for full, kind in seen if kind is Kind.FILE)
            for full, kind in seen:
                if kind is Kind.OTHER:
                    yield full, NotAFileError(NOT_A_FILE)
            waiting += [full for full, kind in reversed(seen) if kind is Kind.FOLDER]

    def _files(self, paths: Iterable[str]) -> Iterator[tuple[str, PictureError | None]]:
        for path in paths:
            if is_archive(path):
                yield path, nested_archive()
            elif is_taken(path, all_files=self._all_files):
                yield path, None


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
