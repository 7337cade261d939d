"""Sweeps: what was lost is queued again, what waits its turn is not."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from lookalike.services import outbox
from lookalike.services.models import Entry, State, now
from lookalike.services.records import Queue
from tests.platforms import OUTAGE, World, small

pytestmark = pytest.mark.both_databases

LONG = timedelta(minutes=5)


@pytest.fixture
def ids(world: World) -> list[UUID]:
    return world.add(*(small(seed) for seed in range(3)))


def change(world: World, ids: list[UUID], **values: object) -> None:
    with world.db.write() as session:
        session.execute(update(Entry).where(Entry.picture_id.in_(ids)).values(**values))


def sweep(world: World) -> int:
    return world.platform.sweeping.run()


def test_what_was_just_queued_is_left_alone(world: World, ids: list[UUID]):
    world.queue.batches.clear()
    assert sweep(world) == 0


def test_what_an_empty_queue_has_forgotten_is_queued_again_once(world: World, ids: list[UUID]):
    world.queue.batches.clear()
    change(world, ids, queued_at=now() - LONG)
    assert sweep(world) == 3
    assert sorted(world.queue.batches[0]) == ids
    world.queue.batches.clear()
    assert sweep(world) == 0


def test_what_waits_its_turn_in_a_long_queue_is_not_queued_twice(world: World, ids: list[UUID]):
    change(world, ids, queued_at=now() - LONG)
    assert sweep(world) == 0
    assert len(world.queue.batches) == 1


def test_after_an_hour_even_a_long_queue_is_not_trusted(world: World, ids: list[UUID]):
    change(world, ids, queued_at=now() - timedelta(hours=2))
    assert sweep(world) == 3


def test_what_a_dead_worker_had_in_hand_is_queued_at_once(world: World, ids: list[UUID]):
    change(world, ids[:1], leased_until=now() - timedelta(seconds=1))
    change(world, ids[1:], leased_until=now() + LONG)
    assert sweep(world) == 1
    assert world.queue.batches[-1] == ids[:1]


def test_each_goes_to_the_queue_it_came_from(world: World):
    one = world.add(small(1))
    many = world.add(small(2), small(3))
    change(world, many, queue=Queue.BULK)
    world.queue.batches.clear()
    change(world, [*one, *many], queued_at=now() - LONG)
    world.queue.queues.clear()
    assert sweep(world) == 3
    batches = zip(world.queue.queues, world.queue.batches, strict=True)
    assert {queue: sorted(batch) for queue, batch in batches} == {
        Queue.INTERACTIVE: one,
        Queue.BULK: many,
    }


def test_a_first_process_takes_over_whatever_was_in_hand(world: World, ids: list[UUID]):
    change(world, ids, leased_until=now() + LONG)
    world.queue.batches.clear()
    assert world.platform.sweeping.start_alone() == 3
    world.work()
    assert {world.state(one) for one in ids} == {State.INDEXED}


def test_vectors_that_are_gone_are_made_again(world: World, ids: list[UUID]):
    world.work()
    world.vectors.delete(ids)
    assert sweep(world) == 3
    assert {world.state(one) for one in ids} == {State.PENDING}
    world.work()
    assert world.vectors.count() == 3


def test_vectors_that_are_gone_beside_others_are_made_again(world: World, ids: list[UUID]):
    world.work()
    world.vectors.delete(ids[:2])
    world.platform.sweeping._count_next = 0.0
    assert sweep(world) == 2
    world.work()
    assert world.vectors.count() == 3


def test_vectors_are_not_counted_in_every_sweep(world: World, ids: list[UUID]):
    world.work()
    sweep(world)
    world.vectors.delete(ids[:2])
    assert sweep(world) == 0


def test_a_queue_that_turns_out_to_forget_is_complained_of_once(world: World, ids: list[UUID]):
    sweep(world)
    world.queue.problem = "It may forget."
    change(world, ids, queued_at=now() - timedelta(hours=2))
    with capture_logs() as logged:
        assert sweep(world) == 3
        sweep(world)
    errors = [one for one in logged if one["log_level"] == "error"]
    assert [(one["event"], one["reason"]) for one in errors] == [
        ("queue_not_safe", "It may forget.")
    ]


def test_while_one_sweeps_others_leave_it_to_that_one(world: World, ids: list[UUID]):
    world.queue.batches.clear()
    change(world, ids, queued_at=now() - LONG)
    others: list[int] = []
    world.vectors.before["is_empty"] = lambda: others.append(sweep(world))
    world.platform.indexing.index(ids[:1])
    assert sweep(world) == 2
    assert others == [0]
    world.queue.batches.clear()
    change(world, ids, queued_at=now() - LONG)
    assert sweep(world) == 2


def test_a_sweep_settles_no_more_than_it_can_in_a_while_the_oldest_first(
    world: World, ids: list[UUID], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(outbox, "MOST", 2)
    world.work()
    world.vectors.failure = OUTAGE
    for one in reversed(ids):
        world.platform.pictures.remove(one)
    world.vectors.failure = None
    sweep(world)
    assert [world.has_point(one) for one in ids] == [True, False, False]
    sweep(world)
    assert not world.has_point(ids[0])


def test_vectors_that_are_down_hold_up_nothing_else(world: World, ids: list[UUID]):
    world.queue.batches.clear()
    change(world, ids, queued_at=now() - LONG)
    world.vectors.failure = OUTAGE
    assert sweep(world) == 3


def test_a_mistake_in_one_step_holds_up_no_other(world: World, ids: list[UUID]):
    world.work()
    world.add(small(9))
    world.vectors.failure = ValueError("a mistake")
    assert world.platform.sweeping.start_alone() == 1


def test_a_removal_that_was_not_settled_is_settled(world: World, ids: list[UUID]):
    world.work()
    world.vectors.failure = OUTAGE
    world.platform.pictures.remove(ids[0])
    world.vectors.failure = None
    sweep(world)
    assert not world.has_point(ids[0])
    assert len(world.blob_names()) == 4
