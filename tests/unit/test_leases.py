"""Leases: one worker at a time, taken over when it dies, and an end for what ends workers."""

from __future__ import annotations

import time
from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import event, update

from lookalike.services.errors import UnavailableError
from lookalike.services.leases import GIVE_UP, SUSPECT, Leases
from lookalike.services.models import Entry, State, now
from tests.platforms import OUTAGE, World, small

pytestmark = pytest.mark.both_databases

MINUTE = timedelta(minutes=1)


@pytest.fixture
def ids(world: World) -> list[UUID]:
    return world.add(*(small(seed) for seed in range(4)))


@pytest.fixture
def leases(world: World) -> Leases:
    return Leases(world.db, MINUTE)


def index_id(world: World) -> UUID:
    return world.platform.indexes.live().id


def change(world: World, picture_id: UUID, **values: object) -> None:
    with world.db.write() as session:
        session.execute(update(Entry).where(Entry.picture_id == picture_id).values(**values))


def attempts(world: World, picture_id: UUID) -> int:
    with world.db.read() as session:
        entry = session.get_one(Entry, (picture_id, index_id(world)))
        return entry.attempts


def test_what_one_worker_has_in_hand_no_other_takes(world: World, leases: Leases, ids: list[UUID]):
    first = leases.take(index_id(world), ids[:3])
    second = leases.take(index_id(world), ids)
    assert [picture.id for picture in first] == ids[:3]
    assert [picture.id for picture in second] == ids[3:]


def test_what_a_dead_worker_had_in_hand_is_taken(world: World, ids: list[UUID]):
    Leases(world.db, timedelta(seconds=-1)).take(index_id(world), ids)
    assert len(Leases(world.db, MINUTE).take(index_id(world), ids)) == 4


def test_a_renewed_lease_lasts(world: World, leases: Leases, ids: list[UUID]):
    short = Leases(world.db, timedelta(seconds=1))
    short.take(index_id(world), ids)
    with short.kept(index_id(world), ids[:2]):
        time.sleep(1.5)
        assert [one.id for one in leases.take(index_id(world), ids)] == ids[2:]


def test_a_lease_of_what_was_done_meanwhile_is_not_renewed(world: World, ids: list[UUID]):
    short = Leases(world.db, timedelta(seconds=1))
    short.take(index_id(world), ids)
    change(world, ids[0], state=State.INDEXED, leased_until=None)
    with short.kept(index_id(world), ids):
        time.sleep(0.7)
    with world.db.read() as session:
        assert session.get_one(Entry, (ids[0], index_id(world))).leased_until is None


def test_an_outage_gives_everything_back_without_blame(world: World, ids: list[UUID]):
    world.vectors.failure = OUTAGE
    with pytest.raises(UnavailableError):
        world.platform.indexing.index(ids)
    world.vectors.failure = None
    assert {attempts(world, one) for one in ids} == {0}
    world.platform.indexing.index(ids)
    assert {world.state(one) for one in ids} == {State.INDEXED}


def test_our_own_mistake_counts_as_an_attempt(world: World, ids: list[UUID]):
    def fail() -> None:
        raise RuntimeError("a bug")

    world.vectors.before["upsert"] = fail
    with pytest.raises(RuntimeError):
        world.platform.indexing.index(ids)
    assert {attempts(world, one) for one in ids} == {1}


def test_suspects_are_worked_on_alone_and_last(world: World, leases: Leases, ids: list[UUID]):
    change(world, ids[0], attempts=SUSPECT + 1)
    change(world, ids[2], attempts=SUSPECT)
    assert leases.plan(index_id(world), ids) == [[ids[1], ids[3]], [ids[2]], [ids[0]]]


def test_what_took_too_many_workers_with_it_is_set_aside(world: World, ids: list[UUID]):
    counted = partial(REGISTRY.get_sample_value, "lookalike_failed_total", {"code": "gave_up"})
    before = counted() or 0
    change(world, ids[0], attempts=GIVE_UP)
    world.work()
    shown = world.show(ids[0])
    assert (shown.state, shown.code) == (State.FAILED, "gave_up")
    assert counted() == before + 1
    assert "Upload it again" in (shown.message or "")
    assert {world.state(one) for one in ids[1:]} == {State.INDEXED}


def test_uploading_it_again_tries_again(world: World, ids: list[UUID]):
    change(world, ids[0], attempts=GIVE_UP)
    world.work()
    world.add(small(0))
    world.work()
    assert world.state(ids[0]) == State.INDEXED


def test_what_is_in_hand_is_not_given_up(world: World, leases: Leases, ids: list[UUID]):
    change(world, ids[0], attempts=GIVE_UP, leased_until=now() + MINUTE)
    leases.plan(index_id(world), ids)
    assert world.state(ids[0]) == State.PENDING


def test_taking_a_batch_does_not_walk_through_all_that_is_pending(world: World, leases: Leases):
    if world.db.engine.dialect.name != "sqlite":
        pytest.skip("only SQLite chose the wrong index")
    asked: list[tuple[str, object]] = []
    event.listen(
        world.db.engine,
        "before_cursor_execute",
        lambda _c, _u, statement, values, *_: asked.append((statement, values)),
    )
    leases.take(index_id(world), [UUID(int=number) for number in range(64)])
    statement, values = next(one for one in asked if "FROM entries" in one[0])
    with world.db.engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
    assert any("picture_id=? AND index_id=?" in str(row) for row in plan)
