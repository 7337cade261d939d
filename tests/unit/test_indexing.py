"""Indexing, and taking it up again: each picture ends indexed once, or failed with a reason."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pytest
from sqlalchemy import func, select

from lookalike.services.errors import NotFoundError, UnavailableError
from lookalike.services.imaging.decoding import decode
from lookalike.services.imaging.preparing import prepare
from lookalike.services.models import Entry, Index, IndexState, OutboxItem, State
from lookalike.services.records import CollectionSpec
from tests.factories import ODD
from tests.fake_embedder import RECIPE, FakeEmbedder
from tests.platforms import OUTAGE, World, make_world, small

pytestmark = pytest.mark.both_databases


def states(world: World, ids: list[UUID]) -> list[State]:
    return [world.state(picture_id) for picture_id in ids]


def attempts(world: World) -> list[int]:
    with world.db.read() as session:
        return list(session.scalars(select(Entry.attempts)))


def test_an_indexed_picture_has_its_vector_thumbnail_and_fingerprints(world: World):
    [picture_id] = world.indexed(small())
    shown = world.show(picture_id)
    assert (shown.state, shown.code, shown.message) == (State.INDEXED, None, None)
    pixels = prepare(decode(BytesIO(small()), world.platform.limits, 512), RECIPE)
    expected = FakeEmbedder().embed([pixels])[0]
    np.testing.assert_array_equal(world.vectors.vectors([picture_id])[picture_id], expected)
    assert f"thumbnails/{shown.picture.sha256}" in world.blob_names()
    for fingerprint in (shown.picture.dhash, shown.picture.phash):
        assert fingerprint is not None
        assert 0 <= int(fingerprint, 16) < 2**64
        assert len(fingerprint) == 16


def test_the_index_knows_what_filters_ask_for(world: World):
    world.platform.libraries.create("attic")
    [picture_id] = world.indexed(
        small(format="PNG"), library="attic", tags=["a"], attributes={"n": 1, "b": True}
    )
    picture = world.show(picture_id).picture
    assert world.matches(
        picture_id,
        library="attic",
        tags={"all": ["a"]},
        format=["png"],
        orientation="landscape",
        width={"gte": 64, "lte": 64},
        height={"gte": 48, "lte": 48},
        bytes={"gte": picture.bytes, "lte": picture.bytes},
        added={"from": picture.added_at, "to": picture.added_at},
        attributes={"n": 1, "b": True},
    )
    assert not world.matches(picture_id, library="main")
    assert not world.matches(picture_id, library="attic", taken={"from": "0001-01-01"})


def test_one_broken_picture_fails_alone_with_a_reason(world: World):
    good = [small(seed) for seed in range(5)]
    ids = world.indexed(*good[:2], ODD["jpeg_truncated"].data, *good[2:])
    assert states(world, ids) == [State.INDEXED] * 2 + [State.FAILED] + [State.INDEXED] * 3
    failed = world.show(ids[2])
    assert failed.code == "truncated"
    assert failed.message
    assert failed.message.endswith(".")
    assert not world.has_point(ids[2])


def test_a_batch_of_nothing_but_broken_pictures_is_no_trouble(world: World):
    ids = world.indexed(ODD["jpeg_truncated"].data, ODD["png_corrupt"].data)
    assert [world.show(one).code for one in ids] == ["truncated", "corrupt"]
    assert world.vectors.count() == 0


def test_ids_that_are_gone_done_or_failed_are_passed_over(world: World):
    done, failed = world.indexed(small(), ODD["jpeg_truncated"].data)
    world.embedder.before["embed"] = pytest.fail
    world.platform.indexing.index([done, failed, uuid4()])
    assert attempts(world) == [1, 1]


def test_the_same_batch_twice_ends_as_once(world: World):
    ids = world.add(small(1), small(2), ODD["jpeg_truncated"].data)
    world.platform.indexing.index([*ids, *ids])
    world.platform.indexing.index(ids)
    assert states(world, ids) == [State.INDEXED, State.INDEXED, State.FAILED]
    assert world.vectors.count() == 2
    assert attempts(world) == [1, 1, 1]


def test_the_same_batch_by_several_workers_at_once_ends_as_once(world: World):
    ids = world.add(*(small(seed) for seed in range(8)), ODD["jpeg_truncated"].data)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(world.platform.indexing.index, [ids] * 3))
    assert states(world, ids) == [State.INDEXED] * 8 + [State.FAILED]
    assert world.vectors.count() == 8


def test_batches_larger_than_a_forward_pass_are_cut(tmp_path: Path):
    world = make_world(tmp_path, forward_batch=2)
    sizes: list[int] = []
    embed = world.embedder.inner.embed
    world.embedder.inner.embed = lambda pictures: (sizes.append(len(pictures)), embed(pictures))[1]
    ids = world.scenes(5)
    assert sizes == [2, 2, 1]
    assert states(world, ids) == [State.INDEXED] * 5
    world.platform.close()


@pytest.mark.parametrize("part", ["vectors", "embedder", "blobs"])
def test_an_outage_leaves_pictures_pending_and_is_told(world: World, part: str):
    ids = world.add(small(1), small(2))
    broken = getattr(world, part)
    broken.failure = OUTAGE
    with pytest.raises(UnavailableError):
        world.work()
    broken.failure = None
    assert states(world, ids) == [State.PENDING] * 2
    assert world.platform.sweeping.start_alone() == 2
    world.work()
    assert states(world, ids) == [State.INDEXED] * 2


def test_what_was_done_before_an_outage_stays_done(tmp_path: Path):
    world = make_world(tmp_path, forward_batch=2)
    ids = world.add(*(small(seed) for seed in range(4)))
    world.vectors.after["upsert"] = lambda: setattr(world.vectors, "failure", OUTAGE)
    with pytest.raises(UnavailableError):
        world.platform.indexing.index(ids)
    assert states(world, ids) == [State.INDEXED] * 2 + [State.PENDING] * 2
    world.platform.close()


def test_a_disk_that_fails_while_reading_is_no_fault_of_the_picture(world: World, monkeypatch):
    class FailingFile(BytesIO):
        def read(self, *_: int) -> bytes:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    [picture_id] = world.add(small())
    monkeypatch.setattr(world.blobs.inner, "open", lambda _: FailingFile())
    with pytest.raises(UnavailableError):
        world.work()
    assert world.state(picture_id) == State.PENDING


def test_a_lost_original_fails_with_what_to_do(world: World):
    [lost, kept] = world.add(small(1), small(2))
    world.lose_original(lost)
    world.work()
    assert world.show(lost).code == "blob_missing"
    assert "again" in (world.show(lost).message or "")
    assert world.state(kept) == State.INDEXED


def test_a_mistake_of_our_own_fails_one_picture_and_says_so(world: World, monkeypatch):
    ids = world.add(small(1), small(2))
    decoding = iter([RuntimeError("a bug"), None])

    def sometimes(*arguments):
        if error := next(decoding):
            raise error
        return decode(*arguments)

    monkeypatch.setattr("lookalike.services.adapters.decoding.jobs.decode", sometimes)
    world.platform.indexing.index(ids)
    assert sorted(states(world, ids)) == [State.FAILED, State.INDEXED]
    [failed] = [one for one in ids if world.state(one) == State.FAILED]
    assert world.show(failed).code == "internal"
    assert "a bug" not in (world.show(failed).message or "")


def test_recovery_queues_what_is_pending_and_nothing_else(world: World):
    world.indexed(small(1), ODD["jpeg_truncated"].data)
    waiting = world.add(small(2), small(3))
    world.queue.batches.clear()
    assert world.platform.sweeping.start_alone() == 2
    assert world.queue.batches == [waiting]
    world.work()
    assert world.platform.sweeping.start_alone() == 0
    assert world.queue.batches == []


def test_a_crash_between_storing_points_and_recording_them_is_repeated_without_harm(world: World):
    ids = world.add(small(1), small(2))

    def crash() -> None:
        raise KeyboardInterrupt

    world.vectors.after["upsert"] = crash
    with pytest.raises(KeyboardInterrupt):
        world.work()
    assert states(world, ids) == [State.PENDING] * 2
    world.platform.sweeping.start_alone()
    world.work()
    assert states(world, ids) == [State.INDEXED] * 2
    assert world.vectors.count() == 2


def test_a_platform_opened_again_on_the_same_folder_goes_on(tmp_path: Path):
    first = make_world(tmp_path)
    [picture_id] = first.add(small())
    live = first.platform.indexes.live().id
    first.platform.close()
    second = make_world(tmp_path)
    assert second.platform.indexes.live().id == live
    assert second.platform.sweeping.start_alone() == 1
    second.work()
    assert second.state(picture_id) == State.INDEXED
    second.platform.close()


def test_an_unknown_model_is_refused_by_name(tmp_path: Path):
    with pytest.raises(NotFoundError, match="nonsense"):
        make_world(tmp_path, model="nonsense")


def test_a_picture_goes_to_every_index_that_is_fed_and_is_done_when_it_is_in_all(world: World):
    with world.db.write() as session:
        for state in (IndexState.BUILDING, IndexState.RETIRED):
            session.add(
                Index(
                    model="fake",
                    recipe="",
                    dimensions=49,
                    distance="cosine",
                    collection=state,
                    state=state,
                )
            )
    [picture_id] = world.add(small())
    world.store.open("building", CollectionSpec(49)).failure = OUTAGE
    with pytest.raises(UnavailableError):
        world.work()
    assert world.offer(small())[0].state == State.PENDING
    world.store.watched["building"].failure = None
    world.work()
    assert world.offer(small())[0].state == State.INDEXED
    assert sorted(world.store.names()) == ["building", live_name(world)]
    for name in world.store.names():
        assert world.store.watched[name].vectors([picture_id])


def live_name(world: World) -> str:
    with world.db.read() as session:
        query = select(Index.collection).where(Index.state == IndexState.LIVE)
        return session.scalars(query).one()


def test_starting_again_makes_no_second_index(world: World):
    world.platform.indexes.ensure_live("fake")
    with world.db.read() as session:
        assert session.scalar(select(func.count()).select_from(Index)) == 1
        assert session.scalar(select(func.count()).select_from(OutboxItem)) == 0


def test_without_an_index_searches_are_unavailable_and_say_what_to_do(world: World):
    with world.db.write() as session:
        session.scalars(select(Index)).one().state = IndexState.RETIRED
    with pytest.raises(UnavailableError, match="lookalike up"):
        world.platform.indexes.live()
