"""Items of a source become staged files, a bounded batch at a time."""

from __future__ import annotations

import time
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass

from lookalike.services.errors import PictureError
from lookalike.services.importing.reading import Reader
from lookalike.services.labels import Labels
from lookalike.services.sources.records import Found, Item, Refused
from lookalike.services.staging import Staged, Staging

BATCH_ITEMS = 64
BATCH_BYTES = 32 * 1024 * 1024
BATCH_SECONDS = 1.0
"""A batch ends at any of these, so that a slow source shows progress and a fast one little disk."""


@dataclass(frozen=True, slots=True)
class Taken:
    """An item whose bytes are staged, or that could not be had."""

    position: int
    name: str
    labels: Labels
    staged: Staged | None
    error: PictureError | None


@dataclass(frozen=True, slots=True)
class Batch:
    """Items in the order of the source; `ended` says that there are no more behind them."""

    items: list[Taken]
    ended: bool

    @property
    def staged(self) -> list[tuple[Taken, Staged]]:
        """Those whose bytes are there."""
        return [(item, item.staged) for item in self.items if item.staged is not None]


def take(reader: Reader, staging: Staging, stack: ExitStack) -> Batch:
    """The next items; closing `stack` removes their files. Raises SourceError, UnavailableError."""
    items: list[Taken] = []
    size, until = 0, time.monotonic() + BATCH_SECONDS
    while len(items) < BATCH_ITEMS and size < BATCH_BYTES and time.monotonic() < until:
        item = reader.next()
        if item is None:
            return Batch(items, ended=True)
        items.append(_stage(item, staging, stack))
        size += items[-1].staged.size if items[-1].staged else 0
    return Batch(items, ended=False)


def take_only(
    positions: Collection[int], reader: Reader, staging: Staging, stack: ExitStack
) -> Batch:
    """The items at these positions, as far as the source still has them."""
    items: list[Taken] = []
    while reader.position <= max(positions):
        item = reader.next()
        if item is None:
            return Batch(items, ended=True)
        if item.position in positions:
            items.append(_stage(item, staging, stack))
    return Batch(items, ended=False)


def _stage(item: Item, staging: Staging, stack: ExitStack) -> Taken:
    if isinstance(item, Refused):
        return Taken(item.position, item.name, Labels(), None, item.error)
    staged = stack.enter_context(staging.new())
    try:
        item.read(staged)
    except PictureError as error:
        staged.close()
        return _lacking(item, error)
    return Taken(item.position, item.name, item.labels, staged, None)


def _lacking(item: Found, error: PictureError) -> Taken:
    return Taken(item.position, item.name, item.labels, None, error)
