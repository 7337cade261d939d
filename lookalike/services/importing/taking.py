"""Items of a source become staged files, a bounded batch at a time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeGuard

from lookalike.services.errors import PictureError
from lookalike.services.importing.reading import Reader
from lookalike.services.labels import Labels
from lookalike.services.sources.records import Found, Item, Refused
from lookalike.services.staging import Staged, Staging

BATCH_ITEMS = 64
BATCH_BYTES = 32 * 1024 * 1024
BATCH_SECONDS = 1.0
"""A batch ends at any of these, so that a slow source shows progress and a fast one little disk."""

AT_ONCE = 8
"""Items that are read over a network at a time: one that is slow holds up no more than a batch."""


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


def take(
    reader: Reader, staging: Staging, stack: ExitStack, only: Collection[int] | None = None
) -> Batch:
    """The next items; closing `stack` removes their files. Raises SourceError, UnavailableError.

    With `only`, those at these positions, and it ends behind the last of them. What comes over a
    network is read several at a time, and comes in the order of the source all the same.
    """
    last = max(only) if only else None
    items: list[Taken] = []
    begun: deque[Callable[[], Taken]] = deque()
    size, over, until = 0, False, time.monotonic() + BATCH_SECONDS
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fetching") as pool:
        while len(items) + len(begun) < BATCH_ITEMS and size < BATCH_BYTES and not over:
            item = reader.next()
            if item is not None and (only is None or item.position in only):
                begun.append(_begin(item, staging, stack, pool))
            # Passing over what is not wanted is no reason to end with nothing in hand.
            late = time.monotonic() > until and bool(items or begun)
            over = item is None or item.position == last or late
            while begun and (over or len(begun) >= AT_ONCE or not _is_apart(item)):
                items.append(begun.popleft()())
                size += items[-1].staged.size if items[-1].staged else 0
    return Batch([*items, *(finish() for finish in begun)], ended=item is None)


def _begin(item: Item, staging: Staging, stack: ExitStack, pool: Executor) -> Callable[[], Taken]:
    """Begin to stage the item; what gives it when it is there."""
    if not _is_apart(item):
        taken = _stage(item, staging, stack)
        return lambda: taken
    return pool.submit(_read, item, stack.enter_context(staging.new())).result


def _is_apart(item: Item | None) -> TypeGuard[Found]:
    return isinstance(item, Found) and item.apart


def _stage(item: Item, staging: Staging, stack: ExitStack) -> Taken:
    if isinstance(item, Refused):
        return Taken(item.position, item.name, Labels(), None, item.error)
    return _read(item, stack.enter_context(staging.new()))


def _read(item: Found, staged: Staged) -> Taken:
    try:
        item.read(staged)
    except PictureError as error:
        staged.close()
        return Taken(item.position, item.name, item.labels, None, error)
    return Taken(item.position, item.name, item.labels, staged, None)
