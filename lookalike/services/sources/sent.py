"""Files that whoever started the import sends, batch after batch."""

from __future__ import annotations

from collections.abc import Iterator

from lookalike.services.sources.records import Item


class SentSource:
    """Nothing that could be read from here; it only knows how many files are to come."""

    def __init__(self, files: int) -> None:
        self._files = files

    def items(self, start: int = 0) -> Iterator[Item]:
        """See Source; there are none."""
        del start
        return iter(())

    def total(self) -> int:
        """See Source."""
        return self._files

    def close(self) -> None:
        """See Source."""
