"""Indexes: built beside the live one, measured, switched, rolled back and retired."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from lookalike.services.errors import (
    BusyError,
    GateError,
    InvalidRequestError,
    NotFoundError,
)
from lookalike.services.filters import parse_filter
from lookalike.services.labels import Changes
from lookalike.services.models import Entry, Index, IndexState, IndexTask, State, now
from lookalike.services.records import Storage
from lookalike.services.reindexing.lifecycle import Plan, Standing
from lookalike.services.search import Answer
from tests.platforms import OUTAGE, World, make_world, small

pytestmark = pytest.mark.both_databases

SEA = '{"tags": {"any": ["sea"]}}'


def start(world: World, **plan: Any) -> UUID:
    return world.platform.reindexing.start(Plan(**{"model": "coarse", **plan})).row.id


def built(world: World, **plan: Any) -> UUID:
    index_id = start(world, **plan)
    world.build()
    assert show(world, index_id).row.state == IndexState.READY, show(world, index_id).row.message
    return index_id


def show(world: World, index_id: UUID) -> Standing:
    return world.platform.reindexing.get(index_id)


def live(world: World) -> UUID:
    return world.platform.indexes.live().id


def found(world: World, picture_id: UUID, **request: Any) -> list[UUID]:
    answer = world.search(like=[picture_id], limit=100, **request)
    return [one.shown.picture.id for one in answer.results]


def scores(answer: Answer) -> list[tuple[UUID, float]]:
    return [(one.shown.picture.id, one.score) for one in answer.results]


def points(world: World, index_id: UUID) -> int:
    vectors = world.store.watched.get(show(world, index_id).row.collection)
    return vectors.count() if vectors else 0


def entries(world: World, index_id: UUID) -> int:
    with world.db.read() as session:
        query = select(func.count()).where(Entry.index_id == index_id)
        return session.scalar(query) or 0


@pytest.fixture
def make(tmp_path: Path, database_url: str) -> Iterator[Callable[..., World]]:
    """Makes a platform with these settings."""
    made: list[World] = []

    def call(**settings: Any) -> World:
        made.append(make_world(tmp_path / "data", database_url=database_url, **settings))
        return made[-1]

    yield call
    for world in made:
        world.platform.close()


@pytest.fixture
def few_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three pictures at a time get their entries, and no more than six are pending."""
    monkeypatch.setattr("lookalike.services.reindexing.feeding.TOGETHER", 3)


def test_an_index_is_built_beside_the_live_one_and_switched_to(world: World):
    ids = world.scenes(12)
    before = live(world)
    index_id = built(world)
    assert live(world) == before
    assert show(world, index_id).entries[State.INDEXED] == points(world, index_id) == 12
    world.platform.reindexing.activate(index_id)
    assert live(world) == index_id
    assert world.search(like=[ids[0]]).model == "coarse"
    assert sorted(found(world, ids[0])) == sorted(ids[1:])


def test_the_live_index_is_not_touched_by_a_build(world: World):
    ids = world.scenes(8)
    before, order = live(world), found(world, ids[0])
    built(world)
    assert (live(world), found(world, ids[0])) == (before, order)


def test_the_way_back_needs_no_measurement(world: World):
    ids = world.scenes(5)
    before, index_id = live(world), built(world)
    world.platform.reindexing.activate(index_id)
    late = world.indexed(small(77))
    world.platform.reindexing.activate(before)
    assert live(world) == before
    assert sorted(found(world, ids[0])) == sorted([*ids[1:], *late])


def test_the_way_back_is_closed_while_the_index_before_lacks_pictures(world: World):
    ids = world.scenes(5)
    before, index_id = live(world), built(world)
    world.platform.reindexing.activate(index_id)
    world.store.watched[show(world, before).row.collection].delete(ids[:1])
    shorten(world)
    with pytest.raises(GateError, match="1 too few"):
        world.platform.reindexing.activate(before)
    world.platform.reindexing.activate(before, ["counts"])
    assert live(world) == before


def test_a_way_back_leads_to_the_index_before(world: World):
    world.scenes(5)
    before, index_id = live(world), built(world)
    world.platform.reindexing.activate(index_id)
    late = world.indexed(small(77))
    world.platform.reindexing.measure(before)
    world.build()
    world.platform.reindexing.activate(before)
    assert (live(world), show(world, index_id).row.state) == (before, IndexState.READY)
    assert len(found(world, late[0])) == 5


def test_uploads_and_removals_go_to_both_indexes_while_one_is_built(world: World):
    ids = world.scenes(4)
    index_id = start(world)
    ids += world.indexed(small(50))
    world.platform.pictures.remove(ids.pop(0))
    world.build()
    assert points(world, index_id) == points(world, live(world)) == 4
    world.platform.reindexing.activate(index_id)
    assert sorted(found(world, ids[0])) == sorted(ids[1:])


def test_however_many_pictures_there_are_few_are_queued(make: Any, few_together: None):
    world = make(import_pending=6)
    world.scenes(20)
    index_id = start(world)
    world.platform.building.go_on(*world.queue.builds.pop(0))
    assert entries(world, index_id) == 6
    assert sum(map(len, world.queue.batches)) == 6
    world.build()
    assert points(world, index_id) == 20


def test_a_picture_whose_turn_was_missed_gets_into_the_index(world: World, few_together: None):
    ids = world.scenes(9)
    index_id = start(world)
    with world.db.write() as session:
        session.execute(update(Index).where(Index.id == index_id).values(position=ids[4]))
    world.build()
    assert points(world, index_id) == 9


def test_a_worker_that_dies_while_it_builds_loses_nothing(world: World, few_together: None):
    world.scenes(10)
    index_id = start(world)
    claim = world.platform.building._claims.take(*world.queue.builds.pop())
    assert claim is not None
    world.queue.batches.clear()
    assert world.queue.builds == []
    with world.db.write() as session:
        session.execute(update(Index).where(Index.id == index_id).values(leased_until=now()))
    world.platform.sweeping.start_alone()
    world.build()
    assert points(world, index_id) == 10


def test_a_ticket_that_comes_twice_does_nothing(world: World):
    world.scenes(3)
    index_id = start(world)
    ticket = world.queue.builds[0]
    world.build()
    measured = show(world, index_id).row.measured_at
    world.platform.building.go_on(*ticket)
    assert show(world, index_id).row.measured_at == measured


def test_a_paused_build_stands_still_and_goes_on_where_it_was(make: Any, few_together: None):
    world = make(import_pending=6)
    world.scenes(12)
    index_id = start(world)
    world.platform.building.go_on(*world.queue.builds.pop(0))
    world.platform.reindexing.pause(index_id)
    world.build()
    world.platform.sweeping.start_alone()
    world.build()
    assert (points(world, index_id), show(world, index_id).row.paused) == (0, True)
    late = world.indexed(small(60))
    assert (world.state(late[0]), points(world, index_id)) == (State.INDEXED, 0)
    world.platform.reindexing.resume(index_id)
    world.build()
    assert points(world, index_id) == 13
    assert show(world, index_id).row.state == IndexState.READY


def test_a_build_that_is_given_up_leaves_nothing_behind(world: World):
    world.scenes(6)
    index_id = start(world)
    world.platform.building.go_on(*world.queue.builds.pop(0))
    world.work()
    collection = show(world, index_id).row.collection
    world.platform.reindexing.retire(index_id)
    world.build()
    assert show(world, index_id).row.state == IndexState.RETIRED
    assert (entries(world, index_id), collection in world.store.names()) == (0, False)
    late = world.indexed(small(61))
    assert entries(world, index_id) == 0
    assert world.state(late[0]) == State.INDEXED


def test_the_live_index_cannot_be_retired_nor_paused(world: World):
    for change in (world.platform.reindexing.retire, world.platform.reindexing.pause):
        with pytest.raises(InvalidRequestError):
            change(live(world))


def test_one_index_is_built_at_a_time(world: World):
    start(world)
    with pytest.raises(BusyError):
        start(world)


def test_what_cannot_be_built_is_refused_at_once(world: World):
    with pytest.raises(NotFoundError):
        start(world, model="nobody")
    with pytest.raises(NotFoundError):
        start(world, library="nowhere")
    with pytest.raises(InvalidRequestError, match="at least 100 pictures"):
        start(world, centred=True)
    world.store.storages = lambda: (Storage.FLOAT32, Storage.INT8)
    with pytest.raises(InvalidRequestError, match="float32, int8"):
        start(world, storage=Storage.TURBO)
    assert [one.row.state for one in world.platform.reindexing.list()] == [IndexState.LIVE]


def test_an_index_that_is_being_built_cannot_go_live(world: World):
    world.scenes(2)
    index_id = start(world)
    with pytest.raises(InvalidRequestError, match="building"):
        world.platform.reindexing.activate(index_id)


def test_a_picture_that_the_new_index_lacks_stops_the_switch_unless_overridden(world: World):
    ids = world.scenes(5)
    index_id = built(world)
    with world.db.write() as session:
        session.execute(
            update(Entry)
            .where(Entry.index_id == index_id, Entry.picture_id == ids[0])
            .values(state=State.FAILED, code="internal", message="It failed.")
        )
    shorten(world)
    with pytest.raises(GateError) as stopped:
        world.platform.reindexing.activate(index_id)
    assert "missing" in {gate["name"] for gate in stopped.value.details["gates"]}
    names = [gate["name"] for gate in stopped.value.details["gates"]]
    world.platform.reindexing.activate(index_id, names)
    assert live(world) == index_id


def shorten(world: World) -> None:
    """Do not wait for pictures that never come."""
    world.platform.reindexing._switching.patience = 0.0


def test_an_override_of_no_gate_is_refused_with_the_names_that_there_are(world: World):
    world.scenes(3)
    index_id = built(world)
    with pytest.raises(InvalidRequestError, match="counts"):
        world.platform.reindexing.activate(index_id, ["everything"])


def test_an_index_may_go_live_by_itself(world: World):
    world.scenes(4)
    index_id = start(world, switch=True)
    world.build()
    assert live(world) == index_id


def test_a_page_after_a_switch_stays_on_its_index_while_that_exists(world: World):
    ids = world.scenes(8)
    before = world.search(like=[ids[0]], limit=3)
    index_id = built(world)
    world.platform.reindexing.activate(index_id)
    rest = world.search(like=[ids[0]], limit=10, offset=3, index=before.index_id)
    both = [one.shown.picture.id for one in (*before.results, *rest.results)]
    assert (rest.index_id, rest.model) == (before.index_id, "fake")
    assert sorted(both) == sorted(ids[1:])
    world.platform.reindexing.retire(before.index_id)
    world.build()
    with pytest.raises(NotFoundError):
        world.search(like=[ids[0]], index=before.index_id)


ASKED: dict[str, Callable[[UUID], dict[str, Any]]] = {
    "stored": lambda picture_id: {"like": [picture_id]},
    "exact": lambda picture_id: {"like": [picture_id], "exact": True},
    "filtered": lambda picture_id: {"like": [picture_id], "filter": parse_filter(SEA)},
    "reranked": lambda picture_id: {"like": [picture_id], "rerank": True},
    "cut out": lambda picture_id: {"like": [picture_id], "crop": (0.0, 0.0, 0.5, 0.5)},
    "uploaded": lambda _: {"picture": BytesIO(small(77))},
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
def test_a_search_in_an_index_that_is_retired_meanwhile_is_answered_by_the_live_one(
    world: World, ask: Callable[[UUID], dict[str, Any]]
):
    ids = world.scenes(4, tags=["sea"])
    before, index_id = live(world), built(world)

    def switch() -> None:
        world.platform.reindexing.activate(index_id)
        world.platform.reindexing.retire(before)
        world.build()

    world.vectors.before["search"] = switch
    answer = world.search(**ask(ids[0]))
    assert (answer.index_id, answer.model) == (index_id, "coarse")
    assert len(answer.results) >= 3
    assert scores(answer) == scores(world.search(**ask(ids[0])))


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
def test_pages_across_a_switch_and_back_are_those_of_one_index(
    world: World, ask: Callable[[UUID], dict[str, Any]]
):
    ids = world.scenes(8, tags=["sea"])
    before = live(world)
    whole = scores(world.search(**ask(ids[0])))
    first = world.search(**ask(ids[0]), limit=2)
    index_id = built(world)
    world.platform.reindexing.activate(index_id)
    second = world.search(**ask(ids[0]), limit=2, offset=2, index=first.index_id)
    assert world.search(**ask(ids[0])).index_id == index_id
    world.platform.reindexing.activate(before)
    third = world.search(**ask(ids[0]), limit=9, offset=4, index=first.index_id)
    assert {one.index_id for one in (first, second, third)} == {before}
    assert [*scores(first), *scores(second), *scores(third)] == whole


def test_a_queue_that_is_down_holds_nothing_up_for_good(world: World):
    world.scenes(4)
    world.queue.down = True
    index_id = start(world)
    world.queue.down = False
    world.platform.sweeping.start_alone()
    world.build()
    assert show(world, index_id).row.state == IndexState.READY


def test_an_outage_while_it_is_measured_is_waited_for(world: World):
    world.scenes(4)
    index_id = start(world)
    world.platform.building.go_on(*world.queue.builds.pop(0))
    world.work()
    vectors = world.store.watched[show(world, index_id).row.collection]
    vectors.failure = OUTAGE
    world.platform.building.go_on(*world.queue.builds.pop(0))
    assert show(world, index_id).row.message == OUTAGE.message
    vectors.failure = None
    world.build()
    assert show(world, index_id).row.state == IndexState.READY


def test_a_centred_index_keeps_its_mean_and_finds_with_it(world: World):
    ids = world.scenes(101)
    index_id = built(world, centred=True)
    row = show(world, index_id).row
    assert row.recipe.endswith("centred")
    assert len(row.mean or b"") == 4 * row.dimensions
    world.platform.reindexing.activate(index_id)
    index = world.platform.indexes.live()
    stored = index.collection.vectors(ids)
    assert abs(sum(stored.values()).mean()) < 0.2 * len(ids)
    assert len(found(world, ids[0])) == 100


def test_a_new_measurement_of_a_live_index_changes_only_its_figures(world: World):
    world.scenes(3)
    world.platform.reindexing.measure(live(world))
    world.build()
    row = show(world, live(world)).row
    assert (row.state, row.task, bool(row.figures)) == (IndexState.LIVE, None, True)


def test_an_index_that_is_retired_while_it_is_measured_stays_retired(world: World):
    ids = world.scenes(4)
    index_id = start(world, switch=True)
    measured(world, index_id, lambda: world.platform.reindexing.retire(index_id))
    world.build()
    row = show(world, index_id).row
    assert (row.state, row.task, row.collection in world.store.names()) == ("retired", None, False)
    assert len(found(world, ids[0])) == 3


def test_a_build_that_is_paused_while_it_is_measured_is_measured_when_it_is_resumed(world: World):
    world.scenes(4)
    index_id = start(world)
    measured(world, index_id, lambda: world.platform.reindexing.pause(index_id))
    world.build()
    assert show(world, index_id).row.state == IndexState.BUILDING
    world.platform.reindexing.resume(index_id)
    world.build()
    row = show(world, index_id).row
    assert (row.state, row.paused) == (IndexState.READY, False)


def measured(world: World, index_id: UUID, meanwhile: Callable[[], object]) -> None:
    """Bring every picture in and begin to measure; `meanwhile` happens during the last look."""
    world.platform.building.go_on(*world.queue.builds.pop(0))
    world.work()
    vectors = world.store.watched[show(world, index_id).row.collection]
    vectors.before["bytes_used"] = meanwhile
    world.platform.building.go_on(*world.queue.builds.pop(0))


def test_an_index_goes_live_by_itself_also_after_an_outage(world: World):
    world.scenes(4)
    index_id = start(world, switch=True)
    world.platform.building.go_on(*world.queue.builds.pop(0))
    world.work()
    world.platform.building.go_on(*world.queue.builds.pop(0))
    row = show(world, index_id).row
    assert (row.state, row.task) == (IndexState.READY, IndexTask.SWITCH)
    vectors = world.store.watched[row.collection]
    vectors.failure = OUTAGE
    world.platform.building.go_on(*world.queue.builds.pop(0))
    vectors.failure = None
    world.build()
    row = show(world, index_id).row
    assert (row.state, row.task) == (IndexState.LIVE, None)


def test_what_is_removed_and_changed_while_a_build_has_failed_is_so_in_its_index(world: World):
    ids = world.scenes(6)
    index_id = start(world)
    world.platform.building.go_on(*world.queue.builds.pop(0))
    world.work()
    fail(world, index_id)
    world.platform.pictures.remove(ids[0])
    world.platform.pictures.change(ids[1], Changes(tags=["sea"]))
    world.platform.reindexing.resume(index_id)
    world.build()
    assert points(world, index_id) == 5
    assert world.platform.checking.run(patience=0).differences == []


def fail(world: World, index_id: UUID) -> None:
    with world.db.write() as session:
        values = {"state": IndexState.FAILED, "task": None, "code": "internal", "message": "Oh."}
        session.execute(update(Index).where(Index.id == index_id).values(values))


def test_a_retired_index_that_could_not_be_cleared_away_can_be_retired_again(world: World):
    world.scenes(3)
    index_id = built(world)
    world.platform.reindexing.retire(index_id)
    with world.db.write() as session:
        values = {"task": None, "code": "internal", "message": "Oh."}
        session.execute(update(Index).where(Index.id == index_id).values(values))
    world.platform.reindexing.retire(index_id)
    world.build()
    assert (entries(world, index_id), show(world, index_id).row.code) == (0, None)


def test_a_sweep_drops_the_collection_of_a_retired_index_that_came_back(world: World):
    world.scenes(3)
    index_id = built(world)
    row = show(world, index_id).row
    world.platform.reindexing.retire(index_id)
    world.build()
    world.platform.indexes.collection(row)
    assert row.collection in world.store.names()
    world.platform.sweeping.run()
    assert row.collection not in world.store.names()


def test_vectors_that_are_lost_in_the_middle_of_a_build_are_made_again(world: World):
    ids = world.scenes(8)
    index_id = start(world)
    world.platform.building.go_on(*world.queue.builds.pop(0))
    world.work()
    world.store.watched[show(world, index_id).row.collection].delete(ids[:5])
    world.build()
    assert points(world, index_id) == 8
    assert show(world, index_id).row.state == IndexState.READY


def test_one_that_was_compared_with_an_index_that_is_no_longer_live_is_measured_anew(
    world: World,
):
    world.scenes(6, tags=["sea"])
    first = built(world, labels=["sea"])
    second = built(world, labels=["sea"])
    reindexing = world.platform.reindexing
    reindexing.activate(first, override=["mAP: sea"])
    with pytest.raises(InvalidRequestError, match="Measure it again"):
        reindexing.activate(second, override=["mAP: sea"])
    reindexing.measure(second)
    world.build()
    reindexing.activate(second, override=["mAP: sea"])
    reindexing.activate(first)  # was live already
    assert live(world) == first


def test_one_that_is_about_to_go_live_is_not_measured_once_more(world: World):
    index_id = built(world)
    with world.db.write() as session:
        session.execute(
            update(Index).where(Index.id == index_id).values(task=IndexTask.SWITCH, switch=True)
        )
    with pytest.raises(InvalidRequestError, match="going live"):
        world.platform.reindexing.measure(index_id)
