"""Status and readiness: figures of the moment, and which part is wrong."""

from __future__ import annotations

from sqlalchemy import text

from lookalike.services.models import State
from lookalike.services.records import Queue
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
    assert readiness.parts["queue"] == "ok"


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
