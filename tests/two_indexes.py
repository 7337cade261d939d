"""A live index and one built beside it, in hand: rows, entries and points, without any pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import update

from lookalike.services.db import Database
from lookalike.services.indexes import Indexes, OpenIndex, new_index
from lookalike.services.models import (
    Entry,
    IndexState,
    Library,
    Picture,
    PictureTag,
    State,
    now,
)
from lookalike.services.payloads import payload_of
from lookalike.services.ports import VectorCollection
from lookalike.services.records import CollectionSpec, Point, Storage, Vector
from lookalike.services.reindexing.figures import Counts, Figures
from lookalike.services.reindexing.measuring import Measuring
from tests.fake_embedder import FakeEmbedder, FakeEmbedders
from tests.fakes import MemoryVectorStore

SPEC = CollectionSpec(dimensions=8)
LONG_AGO = timedelta(days=1)


class OneGiven(MemoryVectorStore):
    """Collections in memory, but the one that is `given` by name."""

    def __init__(self, given: dict[str, VectorCollection]) -> None:
        super().__init__()
        self._given = given

    def open(self, name: str, spec: CollectionSpec) -> Any:
        """See VectorStore."""
        return self._given.get(name) or super().open(name, spec)


def direction(number: int) -> Vector:
    return np.random.default_rng(number).normal(size=SPEC.dimensions).astype(np.float32)


@dataclass
class Bench:
    """Rows, a live index and one beside it; both hold every picture."""

    db: Database
    live: OpenIndex
    built: OpenIndex
    indexes: Indexes

    @property
    def measuring(self) -> Measuring:
        return Measuring(self.db, self.indexes)

    def add(self, numbers: Sequence[int], library: str = "main", **fields: Any) -> list[UUID]:
        """Pictures by number, with vectors of their own, in both indexes."""
        pictures = [_picture(number, library, **fields) for number in numbers]
        with self.db.write() as session:
            if session.get(Library, library) is None:
                session.add(Library(name=library))
                session.flush()
            session.add_all(pictures)
            session.flush()
            for index in (self.live, self.built):
                session.add_all(_entry(picture, index) for picture in pictures)
        for index in (self.live, self.built):
            index.collection.upsert(
                [
                    Point(picture.id, direction(number), payload_of(picture))
                    for number, picture in zip(numbers, pictures, strict=True)
                ]
            )
        return [picture.id for picture in pictures]

    def measure(self, **options: Any) -> Figures:
        asked = {"library": None, "labels": (), "progress": lambda _done, _total: None}
        return self.measuring.measure(self.built, self.live, **(asked | options))

    def count(self) -> Counts:
        return self.measuring.count(self.built, self.live)

    def enter(self, index: OpenIndex, picture_id: UUID, **values: Any) -> None:
        """Change the picture's entry in this index."""
        here = Entry.picture_id == picture_id, Entry.index_id == index.id
        with self.db.write() as session:
            session.execute(update(Entry).where(*here).values(**values))


def _picture(number: int, library: str, tags: Sequence[str] = (), **fields: Any) -> Picture:
    digest = hashlib.sha256(f"{number}".encode()).hexdigest()
    values = {"format": "jpeg", "width": 640, "height": 480, "bytes": 1000 + number} | fields
    return Picture(
        library=library,
        sha256=digest,
        filename=f"{number}.jpg",
        tag_rows=[PictureTag(tag=tag) for tag in tags],
        attributes={},
        added_at=now() - LONG_AGO,
        **{**values, "id": UUID(int=number)},
    )


def _entry(picture: Picture, index: OpenIndex) -> Entry:
    ago = now() - LONG_AGO
    return Entry(picture_id=picture.id, index_id=index.id, state=State.INDEXED, updated_at=ago)


def make_bench(db: Database, built: VectorCollection | None = None) -> Bench:
    """A bench with no picture; `built` is the collection that the new index is to have."""
    definition = replace(FakeEmbedder().definition, dimensions=SPEC.dimensions)
    live, new = (new_index(definition, Storage.FLOAT32) for _ in range(2))
    live.state, new.state = IndexState.LIVE, IndexState.READY
    live.added_at = new.added_at = now() - 3 * LONG_AGO
    with db.write() as session:
        session.add_all([live, new])
    store = OneGiven({} if built is None else {new.collection: built})
    indexes = Indexes(db, store, FakeEmbedders(FakeEmbedder()))
    return Bench(db, indexes.open(live), indexes.open(new), indexes)


def tagged(bench: Bench, count: int = 40) -> list[UUID]:
    """So many pictures, every second one of `a`, every fourth of `b` as well."""
    numbers = range(1, count + 1)
    ids = [
        *bench.add([one for one in numbers if one % 2]),
        *bench.add([one for one in numbers if one % 4 == 2], tags=["a"]),
        *bench.add([one for one in numbers if one % 4 == 0], tags=["a", "b"]),
    ]
    return sorted(ids)
