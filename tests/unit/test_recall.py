"""The recall meter: searches are sampled, replayed exactly, and what was found is charted."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import select, update

from lookalike.services.filters import Filter, parse_filter
from lookalike.services.models import Index, IndexState, RecallSample, SampledQuery, new_id, now
from lookalike.services.ports import VectorQuery
from lookalike.services.ranking import recall
from lookalike.services.recall.reading import Overall, Point, Recall, Step
from lookalike.services.recall.replaying import KEPT, MOST, STALE, Replaying
from lookalike.services.recall.sampling import MOST_WAITING, Sampling
from lookalike.services.records import Hit, target
from lookalike.services.shapes import Shape
from tests.platforms import OUTAGE, World, make_world, small

pytestmark = pytest.mark.both_databases

ALWAYS = 1e-9
"""Seconds between samples: none that a clock could tell."""

HOUR = timedelta(hours=1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def rows(world: World, table: type[Any]) -> Sequence[Any]:
    with world.db.read() as session:
        return session.scalars(select(table).order_by(table.asked_at)).all()


def sample(world: World, *requests: dict[str, Any], seconds: float = ALWAYS) -> list[SampledQuery]:
    """Search, each search sampled to its end; all queries that are kept by then."""
    for request in requests:
        sampling = Sampling(world.db, seconds)
        world.platform.search._sampling = sampling
        world.search(**request)
        sampling.close()
    return list(rows(world, SampledQuery))


def replay(world: World) -> list[float]:
    """Replay as a sweep does; all that was measured by then."""
    Replaying(world.db, world.platform.indexes).run()
    return [one.recall for one in rows(world, RecallSample)]


def forgetful(world: World, monkeypatch: pytest.MonkeyPatch, share: float) -> list[VectorQuery]:
    """Let ordinary searches find only the first `share` of what there is; gives what is asked."""
    asked: list[VectorQuery] = []
    search = world.vectors.inner.search

    def searching(query: VectorQuery) -> list[Hit]:
        asked.append(query)
        hits: list[Hit] = search(query)
        return hits if query.exact else hits[: round(len(hits) * share)]

    monkeypatch.setattr(world.vectors.inner, "search", searching)
    return asked


def put(world: World, *measured: tuple[datetime, Shape, float]) -> None:
    index_id = world.platform.indexes.live().id
    with world.db.write() as session:
        session.add_all(
            RecallSample(index_id=index_id, shape=shape, recall=found, asked_at=at)
            for at, shape, found in measured
        )


def test_a_search_is_kept_with_its_vector_and_filter_and_without_its_picture(world: World):
    ids = world.scenes(4, tags=["red"])
    asked = Filter.model_validate({"tags": {"any": ["red"]}})
    files = world.blob_names()
    [kept] = sample(world, {"picture": BytesIO(small(9)), "like": ids[:1], "filter": asked})
    assert (kept.library, kept.shape, kept.filter) == ("main", Shape.TAG, {"tags": asked_tags()})
    assert kept.index_id == world.platform.indexes.live().id
    assert now() - kept.asked_at < HOUR
    assert world.blob_names() == files


def asked_tags() -> dict[str, list[str]]:
    return {"any": ["red"], "all": [], "none": []}


def test_examples_are_kept_as_the_one_vector_that_was_searched_for(world: World):
    ids = world.scenes(4)
    vectors = world.vectors.vectors(ids)
    [kept] = sample(world, {"like": ids[:2], "unlike": ids[2:3]})
    wanted = target([vectors[ids[0]], vectors[ids[1]]], [vectors[ids[2]]])
    np.testing.assert_allclose(np.frombuffer(kept.vector, "<f4"), wanted, atol=1e-6)
    assert set(kept.without) == {str(one) for one in ids[:3]}


@pytest.mark.parametrize("unusual", [{"exact": True}, {"offset": 2}])
def test_only_first_pages_of_ordinary_searches_are_kept(world: World, unusual: dict[str, Any]):
    ids = world.scenes(4)
    assert sample(world, {"like": ids[:1], **unusual}) == []
    assert len(sample(world, {"like": ids[:1]})) == 1


def test_a_search_that_is_refused_is_not_kept(world: World):
    sampling = world.platform.search._sampling = Sampling(world.db, ALWAYS)
    world.vectors.failure = OUTAGE
    with pytest.raises(type(OUTAGE)):
        world.search(picture=BytesIO(small()))
    sampling.close()
    assert rows(world, SampledQuery) == []


def test_nothing_is_kept_where_that_is_turned_off(world: World):
    ids = world.scenes(2)
    assert sample(world, {"like": ids[:1]}, seconds=0) == []


def test_after_one_the_next_is_kept_when_the_time_has_come(world: World):
    ids = world.scenes(3)
    sampling = world.platform.search._sampling = Sampling(world.db, 3600)
    for like in ids:
        world.search(like=[like])
    sampling._due -= 3600
    sampling._busy.acquire(timeout=10)  # the first has been written by then
    sampling._busy.release()
    world.search(like=[ids[2]])
    sampling.close()
    vectors = world.vectors.vectors(ids)
    kept = [np.frombuffer(one.vector, "<f4") for one in rows(world, SampledQuery)]
    np.testing.assert_allclose(kept, [vectors[ids[0]], vectors[ids[2]]], atol=1e-6)


def test_the_platform_writes_what_is_in_hand_before_it_closes(world: World):
    ids = world.scenes(2)
    world.search(like=ids[:1])
    world.platform.close()
    assert len(rows(world, SampledQuery)) == 1


def test_while_one_is_being_written_others_are_passed_over_at_once(world: World, monkeypatch):
    ids = world.scenes(3)
    sampling = world.platform.search._sampling = Sampling(world.db, ALWAYS)
    free, write = threading.Event(), sampling._write
    monkeypatch.setattr(sampling, "_write", lambda query: free.wait(60) and write(query))
    for _ in range(2):
        for like in ids:
            assert len(world.search(like=[like]).results) == 2
    assert rows(world, SampledQuery) == []
    free.set()
    sampling.close()
    assert len(rows(world, SampledQuery)) == 1


def test_a_database_that_is_down_fails_no_search(world: World, monkeypatch):
    ids = world.scenes(3)
    sampling = world.platform.search._sampling = Sampling(world.db, ALWAYS)
    tries: list[SampledQuery] = []

    def fail(query: SampledQuery) -> None:
        tries.append(query)
        raise OUTAGE

    with monkeypatch.context() as patched:
        patched.setattr(sampling, "_write", fail)
        assert len(world.search(like=ids[:1]).results) == 2
        assert sampling._busy.acquire(timeout=10)  # it was tried, and is free for the next
        sampling._busy.release()
    world.search(like=ids[1:2])
    sampling.close()
    assert (len(tries), len(rows(world, SampledQuery))) == (1, 1)


def test_a_search_after_the_meter_was_closed_is_answered(world: World):
    ids = world.scenes(3)
    sampling = world.platform.search._sampling = Sampling(world.db, ALWAYS)
    sampling.close()
    for _ in range(2):
        assert len(world.search(like=ids[:1]).results) == 2
    assert rows(world, SampledQuery) == []


def test_queries_do_not_pile_up_where_nobody_replays_them(world: World):
    ids = world.scenes(2)
    [kept] = sample(world, {"like": ids[:1]})
    with world.db.write() as session:
        session.add_all(copied(kept, now() - HOUR) for _ in range(MOST_WAITING - 1))
    assert len(sample(world, {"like": ids[:1]})) == MOST_WAITING


def copied(kept: SampledQuery, asked_at: datetime) -> SampledQuery:
    return SampledQuery(
        index_id=kept.index_id,
        library=kept.library,
        vector=kept.vector,
        without=kept.without,
        filter=kept.filter,
        shape=kept.shape,
        asked_at=asked_at,
    )


def test_a_replayed_query_does_not_find_its_own_example(world: World, monkeypatch):
    ids = world.scenes(3)
    sample(world, {"like": ids[:1]})
    asked: list[VectorQuery] = []
    search = world.vectors.inner.search
    monkeypatch.setattr(world.vectors.inner, "search", lambda q: asked.append(q) or search(q))
    replay(world)
    assert [query.without for query in asked] == [frozenset(ids[:1])] * 2


def test_a_replayed_query_leaves_its_recall_and_nothing_else(world: World, monkeypatch):
    ids = world.scenes(14)
    [kept] = sample(world, {"like": ids[:1]})
    forgetful(world, monkeypatch, 0.6)
    assert replay(world) == [0.6]
    [measured] = rows(world, RecallSample)
    assert (measured.index_id, measured.shape) == (kept.index_id, Shape.UNFILTERED)
    assert measured.asked_at == kept.asked_at
    assert rows(world, SampledQuery) == []
    assert replay(world) == [0.6]


def test_the_same_is_searched_for_exactly_and_as_usual(world: World, monkeypatch):
    world.platform.libraries.create("attic")
    world.scenes(3)
    ids = world.scenes(5, library="attic", tags=["red"])
    asked = parse_filter('{"tags": {"any": ["red"]}, "added": {"from": "2020-01-01"}}')
    request = {"like": ids[:1], "library": "attic", "filter": asked, "limit": 2, "min_score": 0.9}
    sample(world, request)
    queries = forgetful(world, monkeypatch, 1)
    assert replay(world) == [1.0]
    assert [(one.exact, one.limit) for one in queries] == [(True, 10), (False, 10)]
    for query in queries:
        assert (query.library, query.offset, query.min_score) == ("attic", 0, None)
        assert query.conditions == asked.conditions()
        np.testing.assert_allclose(
            target(query.like, query.unlike), world.vectors.vectors(ids[:1])[ids[0]], atol=1e-6
        )


def test_where_there_are_fewer_than_ten_the_share_is_of_those(world: World, monkeypatch):
    ids = world.scenes(5)
    sample(world, {"like": ids[:1]})
    forgetful(world, monkeypatch, 0.5)
    assert replay(world) == [0.5]


def test_a_query_with_nothing_to_find_says_nothing(world: World):
    ids = world.scenes(3)
    asked = Filter.model_validate({"tags": {"any": ["green"]}})
    assert len(sample(world, {"like": ids[:1], "filter": asked})) == 1
    assert replay(world) == []
    assert rows(world, SampledQuery) == []


def test_a_sweep_replays_a_few_the_oldest_first(world: World):
    ids = world.scenes(3)
    [kept] = sample(world, {"like": ids[:1]})
    times = [now() - minutes * timedelta(minutes=1) for minutes in range(1, 2 * MOST)]
    with world.db.write() as session:
        session.add_all(copied(kept, at) for at in times)
    world.platform.sweeping.run()
    left = [one.asked_at for one in rows(world, SampledQuery)]
    assert left == sorted([*times, kept.asked_at])[MOST:]
    world.platform.sweeping.run()
    assert rows(world, SampledQuery) == []
    assert len(rows(world, RecallSample)) == 2 * MOST


def test_processes_that_sweep_at_once_replay_each_query_once(world: World):
    ids = world.scenes(3)
    [kept] = sample(world, {"like": ids[:1]})
    with world.db.write() as session:
        session.add_all(copied(kept, now()) for _ in range(11))
    together = threading.Barrier(4)

    def sweep() -> None:
        together.wait(60)
        replay(world)

    threads = [threading.Thread(target=sweep) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    replay(world)
    assert rows(world, SampledQuery) == []
    assert len(rows(world, RecallSample)) == 12


def test_others_write_while_a_query_is_replayed(world: World):
    ids = world.scenes(3)
    sample(world, {"like": ids[:1]})
    world.vectors.before["search"] = lambda: world.platform.libraries.create("attic")
    assert replay(world) == [1.0]


def test_a_query_of_an_index_that_is_gone_is_dropped(world: World):
    ids = world.scenes(3)
    [kept] = sample(world, {"like": ids[:1]})
    retired = new_id()
    with world.db.write() as session:
        live = session.get_one(Index, kept.index_id)
        facts = {name: getattr(live, name) for name in ("model", "recipe", "dimensions")}
        session.add(
            Index(
                id=retired,
                distance=live.distance,
                collection="gone",
                state=IndexState.RETIRED,
                **facts,
            )
        )
        session.flush()
        session.execute(update(SampledQuery).values(index_id=retired))
    assert replay(world) == []
    assert rows(world, SampledQuery) == []


def test_a_query_that_cannot_be_read_any_more_holds_up_no_other(world: World):
    ids = world.scenes(3)
    [kept] = sample(world, {"like": ids[:1]})
    strange = copied(kept, now() - HOUR)
    strange.filter = {"smell": "roses"}
    with world.db.write() as session:
        session.add(strange)
    assert replay(world) == [1.0]
    assert rows(world, SampledQuery) == []


def test_vectors_that_are_down_hold_up_no_sweep(world: World):
    ids = world.scenes(3)
    sample(world, {"like": ids[:1]}, {"like": ids[1:2]})
    world.vectors.failure = OUTAGE
    world.platform.sweeping.run()
    world.vectors.failure = None
    assert len(rows(world, SampledQuery)) == 1
    assert replay(world) == [1.0]


def test_what_is_old_is_forgotten(world: World):
    ids = world.scenes(3)
    [kept] = sample(world, {"like": ids[:1]})
    with world.db.write() as session:
        session.execute(update(SampledQuery).values(asked_at=now() - STALE - HOUR))
    put(
        world,
        (now() - KEPT - HOUR, Shape.TAG, 0.1),
        (now() - KEPT + HOUR, Shape.TAG, 0.2),
    )
    assert replay(world) == [0.2]
    assert rows(world, SampledQuery) == []
    assert kept.asked_at > now() - HOUR


def test_an_empty_index_that_gives_way_to_a_restore_takes_its_queries_along(
    world: World, tmp_path: Path
):
    full = make_world(tmp_path / "full")
    full.scenes(2)
    full.platform.backup.run(tmp_path / "archive.tar", vectors=False)
    full.platform.close()
    assert len(sample(world, {"picture": BytesIO(small())})) == 1
    put(world, (NOON, Shape.TAG, 1.0))
    with world.db.write() as session:
        session.execute(update(Index).values(model="second"))
    world.platform.restore.run(tmp_path / "archive.tar")
    assert rows(world, SampledQuery) == rows(world, RecallSample) == []


def hits(*scores: float) -> list[Hit]:
    return [Hit(UUID(int=number), score) for number, score in enumerate(scores)]


@pytest.mark.parametrize(
    ("exact", "found", "expected"),
    [
        ([0.9, 0.8, 0.7, 0.6], [0.9, 0.8, 0.7, 0.6], 1),
        ([0.9, 0.8, 0.7, 0.6], [0.9, 0.7, 0.5, 0.4], 0.5),
        ([0.9, 0.8, 0.7, 0.6], [0.9], 0.25),
        ([0.9, 0.8], [], 0),
        ([0.5, 0.5], [0.5, 0.5, 0.5], 1),
        ([0.9, 0.5], [0.9 + 1e-7, 0.5 - 1e-7], 1),
        ([-0.2, -0.3], [-0.2, -0.4], 0.5),
        ([], [], None),
        ([], [0.5], None),
    ],
)
def test_recall_is_the_share_of_the_nearest_that_is_as_alike(
    exact: list[float], found: list[float], expected: float | None
):
    assert recall(hits(*exact), hits(*found)) == expected


def test_it_does_not_matter_which_of_several_that_are_equally_alike_is_found():
    others = [Hit(UUID(int=number), 0.5) for number in (7, 8)]
    assert recall(hits(0.9, 0.5, 0.5), [*hits(0.9), *others]) == 1


def test_history_is_by_shape_and_hour_or_day(world: World):
    put(
        world,
        (NOON, Shape.TAG, 1.0),
        (NOON + 0.99 * HOUR, Shape.TAG, 0.5),
        (NOON + HOUR, Shape.TAG, 0.0),
        (NOON + 13 * HOUR, Shape.TAG, 0.5),
        (NOON - 0.01 * HOUR, Shape.UNFILTERED, 0.8),
    )
    meter = Recall(world.db)
    unfiltered, tag = meter.history(NOON - HOUR, Step.HOUR)
    assert (unfiltered.shape, tag.shape) == (Shape.UNFILTERED, Shape.TAG)
    assert unfiltered.points == [Point(NOON - HOUR, 0.8, 1)]
    assert tag.points == [
        Point(NOON, 0.75, 2),
        Point(NOON + HOUR, 0.0, 1),
        Point(NOON + 13 * HOUR, 0.5, 1),
    ]
    assert (tag.recall, tag.queries) == (0.5, 4)
    _, tag = meter.history(NOON - HOUR, Step.DAY)
    midnight = NOON - 12 * HOUR
    assert tag.points == [Point(midnight, 0.5, 3), Point(midnight + 24 * HOUR, 0.5, 1)]
    assert (tag.recall, tag.queries) == (0.5, 4)


def test_history_begins_where_it_is_asked_to(world: World):
    put(world, (NOON, Shape.RANGE, 0.25), (NOON + timedelta(minutes=30), Shape.RANGE, 0.75))
    [late] = Recall(world.db).history(NOON + timedelta(minutes=1), Step.HOUR)
    assert late.points == [Point(NOON, 0.75, 1)]
    assert Recall(world.db).history(NOON + HOUR, Step.HOUR) == []


def test_overall_recall_is_that_of_all_queries_together(world: World):
    put(world, (NOON, Shape.RANGE, 0.5), (NOON, Shape.TAG, 1.0), (NOON, Shape.TAG, 0.9))
    meter = Recall(world.db)
    overall = meter.overall(NOON)
    assert overall.queries == 3
    assert overall.recall == pytest.approx(0.8)
    assert meter.overall(NOON + HOUR) == Overall(None, 0)


def test_those_that_wait_are_counted(world: World):
    ids = world.scenes(3)
    assert Recall(world.db).waiting() == 0
    sample(world, {"like": ids[:1]}, {"like": ids[1:2]})
    assert Recall(world.db).waiting() == 2
