"""Measuring an index: figures that were worked out beside it, and that shift when it is worse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias
from uuid import UUID

import numpy as np
import pytest

from lookalike.services.db import Database
from lookalike.services.indexes import OpenIndex
from lookalike.services.models import Index
from lookalike.services.ports import VectorQuery
from lookalike.services.records import Hit, Point
from lookalike.services.reindexing.figures import Figures
from lookalike.services.reindexing.gates import failed, gates
from lookalike.services.reindexing.queries import questions
from lookalike.services.shapes import Shape
from tests.fakes import MemoryVectorCollection
from tests.two_indexes import SPEC, Bench, make_bench, tagged

pytestmark = pytest.mark.both_databases

Make: TypeAlias = Callable[..., Bench]


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


@pytest.fixture
def make(db: Database) -> Make:
    """Makes a bench; `built` is the collection that the new index is to have."""
    return partial(make_bench, db)


def stopping(after: int) -> Callable[[int, int], None]:
    def progress(done: int, _total: int) -> None:
        if done == after:
            raise InterruptedError

    return progress


def test_a_faithful_copy_passes_every_gate(make: Make):
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
    make: Make,
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
    make: Make,
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


def test_map_is_worked_out_over_the_results(make: Make):
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


def test_a_label_that_one_picture_has_measures_nothing(make: Make):
    bench = make()
    bench.add([1], tags=["alone"])
    bench.add([2, 3])
    assert bench.measure(labels=["alone", "none"]).quality == {"alone": None, "none": None}


def test_the_live_index_itself_has_nothing_to_be_compared_with(make: Make):
    bench = make()
    tagged(bench, 8)
    figures = replace(bench, built=bench.live).measure(labels=["a"])
    quality = figures.quality["a"]
    assert figures.overlap is None
    assert quality is not None
    assert quality.live_map is None
    assert failed(gates(figures)) == []


def test_bytes_are_shown_per_picture_where_the_store_can_tell(make: Make):
    bench = make(Silent(SPEC))
    bench.add([1, 2, 3])
    assert bench.measure().bytes_per_picture is None
    assert replace(bench, built=bench.live).measure().bytes_per_picture == 4 * SPEC.dimensions


def test_an_empty_platform_can_be_measured(make: Make):
    figures = make().measure(labels=["a"])
    assert (figures.searches, figures.overlap, figures.bytes_per_picture) == ({}, None, None)
    assert failed(gates(figures)) == []


def test_pictures_that_have_no_vector_any_more_are_passed_over(make: Make):
    bench = make()
    ids = tagged(bench, 30)
    bench.built.collection.delete(ids[:3])
    figures = bench.measure()
    assert figures.searches[Shape.UNFILTERED].queries == 27
    assert figures.overlap is not None


def test_only_pictures_of_the_library_ask(make: Make):
    bench = make()
    bench.add(range(1, 5), library="main", tags=["x"])
    bench.add(range(5, 12), library="other", tags=["x"])
    figures = bench.measure(library="main", labels=["x"])
    quality = figures.quality["x"]
    assert figures.searches[Shape.UNFILTERED].queries == 4
    assert quality is not None
    assert quality.queries == 4


def test_progress_is_told_before_every_query_and_may_stop_it(make: Make):
    bench = make()
    tagged(bench, 12)
    told: list[tuple[int, int]] = []
    bench.measure(labels=["a"], progress=lambda done, total: told.append((done, total)))
    asked = sum(map(len, questions(bench.db, None).values()))
    assert told == [(done, asked + 12 + 6) for done in range(asked + 12 + 6)]
    for after in (0, 1, len(told) // 2, len(told) - 1):
        with pytest.raises(InterruptedError):
            bench.measure(labels=["a"], progress=stopping(after))


def test_no_transaction_is_open_while_it_searches(make: Make):
    bench = make()
    tagged(bench, 12)
    open_ones: list[int] = []
    pool: Any = bench.db.engine.pool
    bench.measure(labels=["a"], progress=lambda *_: open_ones.append(pool.checkedout()))
    assert set(open_ones) == {0}


def test_figures_of_a_measurement_survive_being_stored(make: Make):
    bench = make()
    tagged(bench, 24)
    figures = bench.measure(labels=["a", "none"])
    with bench.db.write() as session:
        session.get_one(Index, bench.built.id).figures = figures.as_dict()
    with bench.db.read() as session:
        stored = session.get_one(Index, bench.built.id).figures
    assert Figures.from_dict(stored or {}) == figures
