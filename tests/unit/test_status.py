"""Status and readiness: figures of the moment, and which part is wrong."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text, update

from lookalike.services.errors import UnavailableError
from lookalike.services.models import Entry, Index, IndexState, State, now
from lookalike.services.records import Queue
from lookalike.services.reindexing.lifecycle import Plan
from tests.factories import ODD
from tests.platforms import OUTAGE, World, small


def test_the_report_counts_pictures_batches_and_workers(world: World):
    world.indexed(small(1), ODD["jpeg_truncated"].data)
    world.add(small(2))
    world.add(small(3))
    report = world.platform.status.report()
    assert report.pictures == {State.INDEXED: 1, State.FAILED: 1, State.PENDING: 2}
    assert (report.waiting, report.workers) == ({Queue.INTERACTIVE: 2, Queue.BULK: 0}, 1)
    assert (report.index_id, report.model) == (world.platform.indexes.live().id, "fake")


HOUR = timedelta(hours=1)


def an_hour_passes(world: World) -> None:
    """As if all that is pending had been handed over an hour ago."""
    ago = now() - HOUR
    with world.db.write() as session:
        session.execute(update(Entry).values(pending_since=ago, queued_at=ago))


def oldest(world: World, queue: Queue = Queue.INTERACTIVE) -> timedelta:
    return timedelta(seconds=world.platform.status.oldest_seconds()[queue])


@pytest.mark.both_databases
def test_the_oldest_is_as_old_as_it_has_been_pending_however_often_it_was_queued(world: World):
    [picture_id] = world.add(small(1))
    assert oldest(world) < HOUR
    assert oldest(world, Queue.BULK) == timedelta(0)
    an_hour_passes(world)
    world.queue.batches.clear()
    assert world.platform.sweeping.run() == 1
    world.vectors.failure = OUTAGE
    with pytest.raises(UnavailableError):
        world.work()
    assert HOUR <= oldest(world) < 2 * HOUR
    world.vectors.failure = None
    world.platform.indexing.index([picture_id])
    assert oldest(world) == timedelta(0)


def test_what_is_tried_once_more_has_not_been_pending_since_it_failed(world: World):
    world.indexed(ODD["jpeg_truncated"].data)
    an_hour_passes(world)
    world.add(ODD["jpeg_truncated"].data)
    assert timedelta(0) < oldest(world) < HOUR
    world.work()
    an_hour_passes(world)
    world.platform.failures.retry()
    assert timedelta(0) < oldest(world, Queue.BULK) < HOUR


@pytest.mark.parametrize("held", [{"paused": True}, {"centred": True, "mean": None}])
def test_what_waits_for_an_index_that_nobody_works_on_is_no_alarm(world: World, held: dict):
    live = world.platform.indexes.live()
    world.platform.reindexing.start(Plan("coarse"))
    with world.db.write() as session:
        beside = update(Index).where(Index.state == IndexState.BUILDING)
        session.execute(beside.values(**held))
    world.indexed(small(1))
    an_hour_passes(world)
    with world.db.read() as session:
        pending = session.query(Entry).where(Entry.state == State.PENDING).all()
    assert [entry.index_id == live.id for entry in pending] == [False]
    assert oldest(world) == timedelta(0)


def test_what_waited_through_a_pause_waits_from_its_end(world: World):
    index_id = world.platform.reindexing.start(Plan("coarse")).row.id
    world.platform.reindexing.pause(index_id)
    world.indexed(small(1))
    an_hour_passes(world)
    world.platform.reindexing.resume(index_id)
    assert timedelta(0) < oldest(world) < HOUR


def test_everything_is_ready(world: World):
    readiness = world.platform.status.readiness()
    assert readiness.ready
    assert readiness.parts == {"database": "ok", "vectors": "ok", "queue": "ok", "blobs": "ok"}


def test_a_queue_that_is_down_is_named(world: World):
    world.queue.down = True
    readiness = world.platform.status.readiness()
    assert not readiness.ready
    assert readiness.parts["queue"] == OUTAGE.message
    assert [name for name, state in readiness.parts.items() if state != "ok"] == ["queue"]


def test_vectors_that_are_down_are_named(world: World):
    world.vectors.failure = OUTAGE
    readiness = world.platform.status.readiness()
    assert not readiness.ready
    assert readiness.parts["vectors"] == OUTAGE.message


def test_a_database_that_is_gone_is_named(world: World):
    world.db.close()
    for path in world.folder.glob("lookalike.db*"):
        path.unlink()
    (world.folder / "lookalike.db").mkdir()
    readiness = world.platform.status.readiness()
    assert not readiness.ready
    assert "database" in readiness.parts["database"]
    assert [name for name, state in readiness.parts.items() if state != "ok"] == ["database"]


def test_vectors_that_are_down_with_the_database_are_named_beside_it(world: World):
    world.platform.status._ask_database = fail
    world.store.names = fail
    readiness = world.platform.status.readiness()
    assert readiness.parts["vectors"] == readiness.parts["database"] == OUTAGE.message


def fail() -> None:
    raise OUTAGE


def test_readiness_and_sweeps_do_not_count_vectors(world: World):
    world.indexed(small(1))
    counted: list[bool] = []
    world.vectors.before["count"] = lambda: counted.append(True)
    assert world.platform.status.readiness().ready
    assert world.platform.sweeping.run() == 0
    assert not counted


def test_a_part_that_breaks_in_an_unknown_way_is_named_too(world: World):
    world.vectors.failure = RuntimeError("segment 7 of /srv/secret")
    readiness = world.platform.status.readiness()
    assert not readiness.ready
    assert readiness.parts["vectors"] != "ok"
    assert "secret" not in readiness.parts["vectors"]


def test_asking_leaves_nothing_open(world: World):
    for _ in range(30):
        world.platform.status.readiness()
        world.platform.status.report()
    with world.db.write() as session:
        session.execute(text("SELECT 1"))
