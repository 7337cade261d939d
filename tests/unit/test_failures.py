"""Pictures that could not be indexed: counted, listed and tried again."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update

from lookalike.services.errors import NotFoundError
from lookalike.services.models import Entry, State
from lookalike.services.records import Queue
from lookalike.services.reindexing.lifecycle import Plan
from tests.platforms import World, small

pytestmark = pytest.mark.both_databases


def fail(world: World, *ids: UUID, code: str = "corrupt", index_id: UUID | None = None) -> None:
    """Have these pictures fail, in one index or in all."""
    with world.db.write() as session:
        where = [Entry.picture_id.in_(ids)] + ([Entry.index_id == index_id] if index_id else [])
        values = {"state": State.FAILED, "code": code, "message": f"It is {code}.", "attempts": 4}
        session.execute(update(Entry).where(*where).values(**values))


def entry(world: World, picture_id: UUID) -> Entry:
    with world.db.read() as session:
        return session.scalars(select(Entry).where(Entry.picture_id == picture_id)).one()


def test_failures_are_counted_by_code_most_first(world: World):
    ids = world.scenes(6)
    fail(world, *ids[:3])
    fail(world, ids[3], code="gave_up")
    counts = world.platform.failures.by_code()
    assert [(one.code, one.pictures, one.message) for one in counts] == [
        ("corrupt", 3, "It is corrupt."),
        ("gave_up", 1, "It is gave_up."),
    ]


def test_failures_are_listed_newest_first_in_pages(world: World):
    ids = world.scenes(5)
    fail(world, *ids[:4])
    fail(world, ids[4], code="gave_up")
    first = world.platform.failures.list("corrupt", limit=3)
    rest = world.platform.failures.list("corrupt", limit=3, cursor=first.next_cursor)
    assert [one.picture_id for one in first.failures] == ids[3:0:-1]
    assert ([one.picture_id for one in rest.failures], rest.next_cursor) == (ids[:1], None)
    one = rest.failures[0]
    assert (one.library, one.filename, one.message) == ("main", "0.jpg", "It is corrupt.")
    assert len(world.platform.failures.list().failures) == 5


def test_failures_of_another_index_are_told_apart(world: World):
    ids = world.scenes(3)
    index_id = world.platform.reindexing.start(Plan("coarse")).row.id
    world.build()
    fail(world, ids[0], index_id=index_id)
    assert world.platform.failures.by_code() == []
    assert [one.pictures for one in world.platform.failures.by_code(index_id)] == [1]
    assert len(world.platform.failures.list(index_id=index_id).failures) == 1
    with pytest.raises(NotFoundError):
        world.platform.failures.by_code(uuid4())


def test_what_failed_is_tried_again_from_the_start_behind_single_uploads(world: World):
    ids = world.scenes(4)
    fail(world, *ids[:2])
    fail(world, ids[2], code="gave_up")
    assert world.platform.failures.retry("corrupt") == 2
    again = entry(world, ids[0])
    assert (again.state, again.attempts, again.code) == (State.PENDING, 0, None)
    assert (world.queue.batches, world.queue.queues[-1]) == ([ids[:2]], Queue.BULK)
    world.work()
    states = [world.state(one) for one in ids]
    assert states == [State.INDEXED, State.INDEXED, State.FAILED, State.INDEXED]


def test_one_picture_is_tried_again_in_every_index(world: World):
    ids = world.scenes(3)
    index_id = world.platform.reindexing.start(Plan("coarse")).row.id
    world.build()
    fail(world, *ids)
    assert world.platform.failures.retry(picture_id=ids[1]) == 1
    world.work()
    assert len(world.platform.failures.list().failures) == 2
    assert len(world.platform.failures.list(index_id=index_id).failures) == 2
    assert world.platform.failures.retry(picture_id=ids[1]) == 0
    with pytest.raises(NotFoundError):
        world.platform.failures.retry(picture_id=uuid4())


def test_a_failure_in_an_index_that_is_not_fed_any_more_stays(world: World):
    ids = world.scenes(2)
    index_id = world.platform.reindexing.start(Plan("coarse")).row.id
    world.build()
    fail(world, ids[0], index_id=index_id)
    world.platform.reindexing.retire(index_id)
    assert world.platform.failures.retry() == 0


def test_what_fails_again_at_once_is_not_tried_for_ever(world: World):
    ids = world.scenes(3)
    fail(world, *ids)
    world.platform.failures._put = lambda picture_ids: fail(world, *picture_ids)
    assert world.platform.failures.retry() == 3


def test_what_cannot_be_queued_is_picked_up_by_a_sweep(world: World):
    ids = world.scenes(3)
    fail(world, *ids)
    world.queue.down = True
    assert world.platform.failures.retry() == 3
    world.queue.down = False
    world.platform.sweeping.start_alone()
    world.work()
    assert {world.state(one) for one in ids} == {State.INDEXED}


def test_however_many_failed_few_are_queued_at_once(world: World, monkeypatch: pytest.MonkeyPatch):
    ids = world.scenes(7)
    fail(world, *ids)
    monkeypatch.setattr("lookalike.services.failures.TOGETHER", 2)
    monkeypatch.setattr("lookalike.services.failures.MOST", 4)
    assert world.platform.failures.retry() == 7
    assert world.queue.batches == [ids[:2], ids[2:4]]
    assert {entry(world, one).state for one in ids} == {State.PENDING}


def test_a_picture_that_is_gone_stays_gone(world: World):
    ids = world.indexed(small(1), small(2))
    fail(world, *ids)
    world.platform.pictures.remove(ids[0])
    assert world.platform.failures.retry() == 1
    assert world.queue.batches == [ids[1:]]
