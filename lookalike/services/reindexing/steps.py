"""Tells how far a measurement is, query by query."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias, TypeVar

Progress: TypeAlias = Callable[[int, int], None]
"""Told how many of how many are done; may raise to stop."""

Item = TypeVar("Item")


class Steps:
    """Counts over all parts of a measurement."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    def each(self, items: Sequence[Item]) -> Iterator[Item]:
        """The items, telling of each one before it is handed out."""
        for item in items:
            self._progress(self._done, self._total)
            yield item
            self._done += 1
