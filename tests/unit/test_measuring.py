"""Measuring an index: figures that were worked out beside it, and that shift when it is worse."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import delete, select, update

from lookalike.services.adapters.edge.store import EdgeStore
from lookalike.services.db import Database
from lookalike.services.indexes import Indexes, OpenIndex, new_index
from lookalike.services.models import (
    Entry,
    Index,
    IndexState,
    Library,
    OutboxItem,
    Picture,
    PictureTag,
    State,
    now,
)
from lookalike.services.payloads import payload_of
from lookalike.services.ports import VectorCollection, VectorQuery
from lookalike.services.records import CollectionSpec, Hit, Point, Storage, Vector
from lookalike.services.reindexing import queries
from lookalike.services.reindexing.figures import Counts, Figures
from lookalike.services.reindexing.gates import failed, gates
from lookalike.services.reindexing.measuring import Measuring
from lookalike.services.reindexing.queries import questions, sample
from lookalike.services.shapes import Shape
from tests.fake_embedder import FakeEmbedder, FakeEmbedders
from tests.fakes import MemoryVectorCollection, MemoryVectorStore

pytestmark = pytest.mark.both_databases

SPEC = CollectionSpec(dimensions=8)
LONG_AGO = timedelta(days=1)


class Hiding(MemoryVectorCollection):
    """Usual searches do not come to the points that are `hidden`; exact ones do."""

    hidden: frozenset[UUID] = frozenset()

    def search(self, query: VectorQuery) -> list[Hit]:
        """As usual, but."""
        out_of_reach = frozenset() if query.exact else self.hidden
        return super().search(replace(query, without=query.without | out_of_reach))


class Silent(MemoryVectorCollection):
    """Does not know what it takes."""

    def bytes_used(self) -> int | None:
        """Nobody knows."""
        return None


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


@pytest.fixture
def make(db: Database) -> Callable[..., Bench]:
    """Makes a bench; `built` is the collection that the new index is to have."""

    def bench(built: VectorCollection | None = None) -> Bench:
        embedders, store = FakeEmbedders(FakeEmbedder()), MemoryVectorStore()
        definition = replace(FakeEmbedder().definition, dimensions=SPEC.dimensions)
        rows = [new_index(definition, Storage.FLOAT32) for _ in range(2)]
        rows[0].state, rows[1].state = IndexState.LIVE, IndexState.READY
        for row in rows:
            row.added_at = now() - 3 * LONG_AGO
        with db.write() as session:
            session.add_all(rows)
        if built is not None:
            store._collections[rows[1].collection] = built  # type: ignore[assignment]
        indexes = Indexes(db, store, embedders)
        return Bench(db, *(indexes.open(row) for row in rows), indexes)

    return bench


def tagged(bench: Bench, count: int = 40) -> list[UUID]:
    """So many pictures, every second one of `a`, every fourth of `b` as well."""
    numbers = range(1, count + 1)
    ids = [
        *bench.add([one for one in numbers if one % 2]),
        *bench.add([one for one in numbers if one % 4 == 2], tags=["a"]),
        *bench.add([one for one in numbers if one % 4 == 0], tags=["a", "b"]),
    ]
    return sorted(ids)


def stopping(after: int) -> Callable[[int, int], None]:
    def progress(done: int, _total: int) -> None:
        if done == after:
            raise InterruptedError

    return progress


def test_a_faithful_copy_passes_every_gate(make: Callable[..., Bench]):
    bench = make()
    tagged(bench)
    figures = bench.measure(labels=["a"])
    assert failed(gates(figures)) == []
    assert set(figures.searches) == set(Shape)
    assert {one.recall for one in figures.searches.values()} == {1.0}
    assert figures.searches[Shape.UNFILTERED].queries == 40
    assert figures.searches[Shape.TAG].queries == 20
    assert figures.searches[Shape.TAGS].queries == 10
    assert figures.overlap == 1.0
    quality = figures.quality["a"]
    assert quality is not None
    assert quality.queries == 20
    assert quality.mean_average_precision == quality.live_map


def test_an_index_that_does_not_find_its_points_fails_by_name_and_by_how_much(
    make: Callable[..., Bench],
):
    collection = Hiding(SPEC)
    bench = make(collection)
    ids = tagged(bench)
    collection.hidden = frozenset(ids[::5])
    stopped = {gate.name: gate for gate in failed(gates(bench.measure()))}
    assert set(stopped) == {"recall", "recall: one tag", "recall: range", "recall: mixed"}
    vectors = np.stack([collection.vectors([one])[one] for one in ids])
    order = np.argsort(-(vectors @ vectors.T), axis=1)
    nearest = [[ids[place] for place in row if place != own][:10] for own, row in enumerate(order)]
    found = np.mean([[one not in collection.hidden for one in row] for row in nearest])
    assert stopped["recall"].measured == pytest.approx(found)
    assert stopped["recall"].message.startswith(f"recall@10 without a filter is {found:.3f}")
    assert stopped["recall"].message.endswith(f": {0.98 - found:.3f} too little.")


def test_overlap_is_the_share_of_results_that_the_live_index_gives_too(
    make: Callable[..., Bench],
):
    collection = Hiding(SPEC)
    bench = make(collection)
    ids = bench.add(range(1, 13))
    collection.hidden = frozenset(ids[6:])
    # Of 12 pictures everybody else is a candidate: 10 of 11 in one, 5 or 6 of them in the other.
    overlap = bench.measure().overlap
    assert overlap is not None
    shares = []
    for one in ids:
        both = [
            {
                hit.id
                for hit in index.collection.search(
                    VectorQuery(
                        "main",
                        [index.collection.vectors([one])[one]],
                        without=frozenset({one}),
                        limit=10,
                    )
                )
            }
            for index in (bench.built, bench.live)
        ]
        shares.append(len(both[0] & both[1]) / 10)
    assert overlap == pytest.approx(np.mean(shares))
    assert 0.4 < overlap < 0.65


def test_map_is_worked_out_over_the_results(make: Callable[..., Bench]):
    bench = make()
    cats, dogs = bench.add([1, 2, 3], tags=["cat"]), bench.add([4, 5])
    turned = {cats[0]: 0, cats[1]: 10, dogs[0]: 22, cats[2]: 40, dogs[1]: 85}
    _lay(bench.built, turned)
    _lay(bench.live, {**turned, cats[2]: 15})
    quality = bench.measure(labels=["cat"]).quality["cat"]
    assert quality is not None
    assert quality.queries == 3
    # The first two find each other first and the third one third; that one finds them second
    # and third, as a dog is nearer.
    assert quality.mean_average_precision == pytest.approx(
        np.mean([(1 + 2 / 3) / 2, (1 + 2 / 3) / 2, (1 / 2 + 2 / 3) / 2])
    )
    assert quality.live_map == pytest.approx(np.mean([1, 1, (1 + 2 / 3) / 2]))
    assert [gate.name for gate in failed(gates(bench.measure(labels=["cat"])))] == ["mAP: cat"]


def _lay(index: OpenIndex, degrees: dict[UUID, float]) -> None:
    payloads = {point.id: point.payload for part in index.collection.scan() for point in part}
    for one, angle in degrees.items():
        vector = np.zeros(SPEC.dimensions, np.float32)
        vector[:2] = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
        payload = payloads[one]
        assert payload is not None
        index.collection.upsert([Point(one, vector, payload)])


def test_a_label_that_one_picture_has_measures_nothing(make: Callable[..., Bench]):
    bench = make()
    bench.add([1], tags=["alone"])
    bench.add([2, 3])
    assert bench.measure(labels=["alone", "none"]).quality == {"alone": None, "none": None}


def test_the_live_index_itself_has_nothing_to_be_compared_with(make: Callable[..., Bench]):
    bench = make()
    tagged(bench, 8)
    figures = replace(bench, built=bench.live).measure(labels=["a"])
    quality = figures.quality["a"]
    assert figures.overlap is None
    assert quality is not None
    assert quality.live_map is None
    assert failed(gates(figures)) == []


def test_bytes_are_shown_per_picture_where_the_store_can_tell(make: Callable[..., Bench]):
    bench = make(Silent(SPEC))
    bench.add([1, 2, 3])
    assert bench.measure().bytes_per_picture is None
    assert replace(bench, built=bench.live).measure().bytes_per_picture == 4 * SPEC.dimensions


def test_an_empty_platform_can_be_measured(make: Callable[..., Bench]):
    figures = make().measure(labels=["a"])
    assert (figures.searches, figures.overlap, figures.bytes_per_picture) == ({}, None, None)
    assert failed(gates(figures)) == []


def test_pictures_that_have_no_vector_any_more_are_passed_over(make: Callable[..., Bench]):
    bench = make()
    ids = tagged(bench, 30)
    bench.built.collection.delete(ids[:3])
    figures = bench.measure()
    assert figures.searches[Shape.UNFILTERED].queries == 27
    assert figures.overlap is not None


def test_only_pictures_of_the_library_ask(make: Callable[..., Bench]):
    bench = make()
    bench.add(range(1, 5), library="main", tags=["x"])
    bench.add(range(5, 12), library="other", tags=["x"])
    figures = bench.measure(library="main", labels=["x"])
    quality = figures.quality["x"]
    assert figures.searches[Shape.UNFILTERED].queries == 4
    assert quality is not None
    assert quality.queries == 4


def test_progress_is_told_before_every_query_and_may_stop_it(make: Callable[..., Bench]):
    bench = make()
    tagged(bench, 12)
    told: list[tuple[int, int]] = []
    bench.measure(labels=["a"], progress=lambda done, total: told.append((done, total)))
    asked = sum(map(len, questions(bench.db, None).values()))
    assert told == [(done, asked + 12 + 6) for done in range(asked + 12 + 6)]
    for after in (0, 1, len(told) // 2, len(told) - 1):
        with pytest.raises(InterruptedError):
            bench.measure(labels=["a"], progress=stopping(after))


def test_no_transaction_is_open_while_it_searches(make: Callable[..., Bench]):
    bench = make()
    tagged(bench, 12)
    open_ones: list[int] = []
    pool: Any = bench.db.engine.pool
    bench.measure(labels=["a"], progress=lambda *_: open_ones.append(pool.checkedout()))
    assert set(open_ones) == {0}


def test_figures_of_a_measurement_survive_being_stored(make: Callable[..., Bench]):
    bench = make()
    tagged(bench, 24)
    figures = bench.measure(labels=["a", "none"])
    with bench.db.write() as session:
        session.get_one(Index, bench.built.id).figures = figures.as_dict()
    with bench.db.read() as session:
        stored = session.get_one(Index, bench.built.id).figures
    assert Figures.from_dict(stored or {}) == figures


def test_the_engine_itself_can_be_measured(make: Callable[..., Bench], tmp_path: Path):
    store = EdgeStore(tmp_path / "vectors")
    try:
        bench = make(store.open("built", SPEC))
        tagged(bench, 60)
        figures = bench.measure(labels=["a"])
    finally:
        store.close()
    assert set(figures.searches) == set(Shape)
    assert {one.recall for one in figures.searches.values()} == {1.0}
    assert figures.overlap == 1.0
    assert failed(gates(figures)) == []


# Which pictures ask.


def test_the_same_pictures_ask_each_time_in_no_order_that_has_to_do_with_them(
    make: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(queries, "QUERIES", 10)
    bench = make()
    bench.add(range(1, 41))
    first = [one.id.int for one in sample(bench.db, None)]
    assert len(first) == 10
    assert first == [one.id.int for one in sample(bench.db, None)]
    assert max(first) - min(first) > 20
    bench.add(range(41, 45), library="other")
    assert [one.id.int for one in sample(bench.db, "main")] == first


def test_the_few_pictures_with_tags_are_found_among_many_without(
    make: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(queries, "QUERIES", 3)
    bench = make()
    bench.add(range(1, 41))
    rare = bench.add([50, 51], tags=["rare", "rarer"])
    asked = questions(bench.db, None)
    assert {one.id for one in asked[Shape.TAG]} == set(rare)
    assert {one.id for one in asked[Shape.TAGS]} == set(rare)
    assert len(asked[Shape.UNFILTERED]) == len(asked[Shape.MIXED]) == 3


def test_without_tags_there_are_no_questions_with_tags(make: Callable[..., Bench]):
    bench = make()
    bench.add(range(1, 31))
    figures = bench.measure()
    assert set(figures.searches) == {Shape.UNFILTERED, Shape.RANGE, Shape.MIXED}
    said = [gate.message for gate in gates(figures) if gate.name == "recall: one tag"]
    assert said[0].startswith("Nothing to measure")


# Counts.


def test_counts_are_exact(make: Callable[..., Bench]):
    bench = make()
    ids = bench.add(range(1, 11))
    bench.enter(bench.built, ids[0], state=State.FAILED)
    bench.built.collection.delete(ids[:1])
    bench.enter(bench.live, ids[0], state=State.FAILED)
    assert bench.count() == Counts(10, 9, 1, 0, points=9, least=9, most=9, missing=0)


@pytest.mark.parametrize("state", [State.FAILED, State.PENDING])
def test_what_the_live_index_alone_has_is_missing(make: Callable[..., Bench], state: State):
    bench = make()
    ids = bench.add(range(1, 6))
    bench.enter(bench.built, ids[0], state=state)
    assert bench.count().missing == 1


def test_what_has_no_entry_at_all_is_missing(make: Callable[..., Bench]):
    bench = make()
    bench.add(range(1, 6))
    with bench.db.write() as session:
        session.execute(delete(Entry).where(Entry.index_id == bench.built.id))
    assert bench.count().missing == 5


def test_what_neither_index_has_is_not_missing(make: Callable[..., Bench]):
    bench = make()
    ids = bench.add(range(1, 6))
    for index in (bench.live, bench.built):
        bench.enter(index, ids[0], state=State.FAILED)
        bench.enter(index, ids[1], state=State.PENDING)
    assert bench.count().missing == 0


def test_what_came_in_just_now_is_not_missing_yet(make: Callable[..., Bench]):
    bench = make()
    [new, broken] = bench.add([1, 2])
    for one in (new, broken):
        bench.enter(bench.live, one, updated_at=now())
    bench.enter(bench.built, new, state=State.PENDING)
    assert bench.count().missing == 0
    bench.enter(bench.built, broken, state=State.FAILED)
    assert bench.count().missing == 1


def test_what_was_there_before_the_index_was_begun_is_missing_however_new(
    make: Callable[..., Bench],
):
    bench = make()
    [one] = bench.add([1])
    bench.enter(bench.live, one, updated_at=now())
    bench.enter(bench.built, one, state=State.PENDING)
    with bench.db.write() as session:
        session.get_one(Index, bench.built.id).added_at = now()
    assert bench.count().missing == 1


def test_lost_and_leftover_points_fail_the_counts(make: Callable[..., Bench]):
    bench = make()
    ids = bench.add(range(1, 6))
    bench.built.collection.delete(ids[:2])
    [gate] = failed(gates(bench.measure()))
    assert (gate.name, gate.measured, gate.needed) == ("counts", 3, 5)
    assert gate.message.endswith(": 2 too few.")


class Moving(MemoryVectorCollection):
    """Something happens right before or after its points are counted, once."""

    before: Callable[[], object] = bool
    after: Callable[[], object] = bool

    def count(self, library: str | None = None) -> int:
        """As usual, but."""
        before, self.before = self.before, bool
        before()
        counted = super().count(library)
        after, self.after = self.after, bool
        after()
        return counted


@pytest.mark.parametrize("moment", ["before", "after"])
def test_uploads_and_removals_while_it_counts_are_no_difference(
    make: Callable[..., Bench], moment: str
):
    collection = Moving(SPEC)
    bench = make(collection)
    ids = bench.add(range(1, 11))

    def change() -> None:
        bench.add(range(11, 15))
        with bench.db.write() as session:
            for row in session.scalars(select(Picture).where(Picture.id.in_(ids[:2]))):
                session.delete(row)
        collection.delete(ids[:2])

    setattr(collection, moment, change)
    counts = bench.count()
    assert counts.least <= counts.points <= counts.most
    assert counts.indexed == 12


def test_the_vectors_of_what_was_removed_may_be_there_until_the_outbox_is_settled(
    make: Callable[..., Bench],
):
    bench = make()
    [gone, *_] = bench.add(range(1, 6))
    with bench.db.write() as session:
        session.delete(session.get_one(Picture, gone))
        session.add(OutboxItem(picture_id=gone, sha256="0" * 64))
    counts = bench.count()
    assert (counts.indexed, counts.points) == (4, 5)
    assert counts.least <= counts.points <= counts.most


def test_counts_alone_can_be_taken_again_right_before_a_switch(make: Callable[..., Bench]):
    bench = make()
    ids = bench.add(range(1, 31))
    figures = bench.measure()
    bench.built.collection.delete(ids[:1])
    again = bench.measuring.counted(figures, bench.built.id)
    assert [gate.name for gate in failed(gates(again))] == ["counts"]
    assert replace(again, counts=figures.counts) == figures
