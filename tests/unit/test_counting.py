"""What is in an index is counted exactly, also while pictures come and go."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import pytest
from sqlalchemy import delete, select

from lookalike.services.db import Database
from lookalike.services.models import Entry, Index, OutboxItem, Picture, State, now
from lookalike.services.reindexing.figures import Counts
from lookalike.services.reindexing.gates import count_gates, failed, gates
from tests.fakes import MemoryVectorCollection
from tests.two_indexes import SPEC, Bench, make_bench

pytestmark = pytest.mark.both_databases

Make: TypeAlias = Callable[..., Bench]


@pytest.fixture
def make(db: Database) -> Make:
    """Makes a bench; `built` is the collection that the new index is to have."""
    return partial(make_bench, db)


def test_counts_are_exact(make: Make):
    bench = make()
    ids = bench.add(range(1, 11))
    bench.enter(bench.built, ids[0], state=State.FAILED)
    bench.built.collection.delete(ids[:1])
    bench.enter(bench.live, ids[0], state=State.FAILED)
    assert bench.count() == Counts(10, 9, 1, 0, points=9, least=9, most=9, missing=0)


@pytest.mark.parametrize("state", [State.FAILED, State.PENDING])
def test_what_the_live_index_alone_has_is_missing(make: Make, state: State):
    bench = make()
    ids = bench.add(range(1, 6))
    bench.enter(bench.built, ids[0], state=state)
    assert bench.count().missing == 1


def test_what_has_no_entry_at_all_is_missing(make: Make):
    bench = make()
    bench.add(range(1, 6))
    with bench.db.write() as session:
        session.execute(delete(Entry).where(Entry.index_id == bench.built.id))
    assert bench.count().missing == 5


def test_what_neither_index_has_is_not_missing(make: Make):
    bench = make()
    ids = bench.add(range(1, 6))
    for index in (bench.live, bench.built):
        bench.enter(index, ids[0], state=State.FAILED)
        bench.enter(index, ids[1], state=State.PENDING)
    assert bench.count().missing == 0


def test_what_came_in_just_now_is_not_missing_yet(make: Make):
    bench = make()
    [new, broken] = bench.add([1, 2])
    for one in (new, broken):
        bench.enter(bench.live, one, updated_at=now())
    bench.enter(bench.built, new, state=State.PENDING)
    assert bench.count().missing == 0
    bench.enter(bench.built, broken, state=State.FAILED)
    assert bench.count().missing == 1


def test_what_was_there_before_the_index_was_begun_is_missing_however_new(
    make: Make,
):
    bench = make()
    [one] = bench.add([1])
    bench.enter(bench.live, one, updated_at=now())
    bench.enter(bench.built, one, state=State.PENDING)
    with bench.db.write() as session:
        session.get_one(Index, bench.built.id).added_at = now()
    assert bench.count().missing == 1


def test_lost_points_fail_the_counts(make: Make):
    bench = make()
    ids = bench.add(range(1, 6))
    bench.built.collection.delete(ids[:2])
    [gate] = failed(gates(bench.measure()))
    assert (gate.name, gate.measured, gate.needed) == ("counts", 3, 5)
    assert gate.message.endswith(": 2 too few.")


def test_points_that_nothing_accounts_for_fail_the_counts(make: Make):
    bench = make()
    [one, *_] = bench.add(range(1, 6))
    with bench.db.write() as session:
        session.delete(session.get_one(Picture, one))
    [gate] = failed(gates(bench.measure()))
    assert (gate.name, gate.measured, gate.needed) == ("counts", 5, 4)
    assert gate.message.endswith(": 1 too many.")


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
def test_uploads_and_removals_while_it_counts_are_no_difference(make: Make, moment: str):
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
    make: Make,
):
    bench = make()
    [gone, *_] = bench.add(range(1, 6))
    with bench.db.write() as session:
        session.delete(session.get_one(Picture, gone))
        session.add(OutboxItem(picture_id=gone, sha256="0" * 64))
    counts = bench.count()
    assert (counts.indexed, counts.points) == (4, 5)
    assert counts.least <= counts.points <= counts.most


def test_counts_alone_can_be_taken_again_right_before_a_switch(make: Make):
    bench = make()
    ids = bench.add(range(1, 31))
    bench.built.collection.delete(ids[:1])
    again = bench.measuring.counts_now(bench.built.id)
    assert [gate.name for gate in failed(count_gates(again))] == ["counts"]
