"""Reading much with little memory: pages of rows, and sets of ids without objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Row, Select, case, func, select
from sqlalchemy.orm import InstrumentedAttribute

from lookalike.services.db import Database
from lookalike.services.models import Entry, Picture, State
from lookalike.services.slices import SLICE


def pages(
    db: Database, query: Select[*tuple[Any, ...]], key: InstrumentedAttribute[Any]
) -> Iterator[Sequence[Row[*tuple[Any, ...]]]]:
    """The rows of `query` by ascending `key`, its unique first column, in short transactions.

    Rows that come or go meanwhile may be given or not.
    """
    after: ColumnElement[bool] | None = None
    while True:
        with db.read() as session:
            page = query if after is None else query.where(after)
            rows = session.execute(page.order_by(key).limit(SLICE)).all()
        if not rows:
            return
        yield rows
        after = key > rows[-1][0]


def has_entry(state: State) -> ColumnElement[bool]:
    """Whether a picture has an entry in this state, as a condition or column of `Picture`.

    Not `EXISTS (... AND state = ?)`: SQLite would walk through all entries in that state for
    each picture, since it takes the index on states for as good as the primary key.
    """
    is_there = func.max(case((Entry.state == state, 1), else_=0))
    return select(is_there).where(Entry.picture_id == Picture.id).scalar_subquery() == 1


class IdSet:
    """A set of ids of `width` bytes each, which is also what it costs in memory, twice at most.

    A million UUIDs as Python objects in a set take 160 MB, here 16.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._bytes = bytearray()
        self._sorted: np.ndarray[Any, np.dtype[np.bytes_]] | None = None

    def add(self, ids: Iterable[bytes]) -> None:
        """Put ids in. Not possible any more once `lacks` was asked."""
        for one in ids:
            self._bytes += one

    def lacks(self, ids: Sequence[bytes]) -> list[bool]:
        """For each id, whether it was never put in."""
        known = self._known()
        asked = np.array(ids, dtype=known.dtype)
        places = np.searchsorted(known, asked)
        inside = places < len(known)
        inside[inside] = known[places[inside]] == asked[inside]
        return [not there for there in inside]

    def _known(self) -> np.ndarray[Any, np.dtype[np.bytes_]]:
        if self._sorted is None:
            # NumPy takes zeros at the end for padding, which does no harm at one fixed width.
            self._sorted = np.sort(np.frombuffer(self._bytes, dtype=f"S{self._width}"))
        return self._sorted
