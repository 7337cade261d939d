"""Much of something, a bounded part at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

SLICE = 500
"""Rows, files or points that are held at once. SQLite takes 32,766 values in one statement."""

Item = TypeVar("Item")


def sliced(items: Iterable[Item], size: int = SLICE) -> Iterator[list[Item]]:
    """The items in order, in lists of at most `size`."""
    iterator = iter(items)
    while part := list(islice(iterator, size)):
        yield part
