"""Repairing: what SQL and the originals can tell is put right, the rest is named with advice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, update

from lookalike.services.blobs import original_key, thumbnail_key
from lookalike.services.consistency.report import Kind, Report
from lookalike.services.models import Entry, Picture, State
from lookalike.services.payloads import payload_of
from lookalike.services.records import CollectionSpec, Point, Queue
from tests.fake_embedder import FakeEmbedder
from tests.platforms import World, make_world, small

pytestmark = pytest.mark.both_databases

pytestmark = pytest.mark.both_databases

DIMENSIONS = FakeEmbedder().definition.dimensions
ORPHAN = "ab" * 32


def look(world: World) -> Report:
    return world.platform.checking.run(patience=0)


def repair(world: World) -> dict[Kind, bool | None]:
    """Check, repair and index; whether the differences of each kind were repaired."""
    report = world.platform.repairing.run(look(world))
    assert all(one.message.endswith(".") for one in report.differences)
    world.work()
    return {one.kind: one.repaired for one in report.differences}


def key(world: World, picture_id: UUID) -> str:
    return original_key(world.show(picture_id).picture.sha256)


def test_a_healthy_platform_is_left_alone(world: World):
    world.indexed(small(1), small(2))
    assert repair(world) == {}
    assert world.queue.batches == []


@pytest.mark.parametrize("lost", ["entry", "point"])
def test_a_picture_that_is_not_in_its_index_is_indexed_again(world: World, lost: str):
    picture_id, other = world.indexed(small(1), small(2))
    if lost == "entry":
        with world.db.write() as session:
            session.execute(delete(Entry).where(Entry.picture_id == picture_id))
    else:
        world.vectors.delete([picture_id])
    assert set(repair(world).values()) == {True}
    assert look(world).differences == []
    assert {world.state(one) for one in (picture_id, other)} == {State.INDEXED}
    assert world.has_point(picture_id)


def test_what_is_queued_again_waits_behind_people(world: World):
    [picture_id] = world.indexed(small())
    world.vectors.delete([picture_id])
    world.platform.repairing.run(look(world))
    assert world.queue.batches == [[picture_id]]
    assert world.queue.queues[-1] == Queue.BULK


def test_a_queue_that_is_down_leaves_it_to_the_sweep(world: World):
    [picture_id] = world.indexed(small())
    world.vectors.delete([picture_id])
    world.queue.down = True
    world.platform.repairing.run(look(world))
    assert world.state(picture_id) == State.PENDING


def test_points_follow_their_rows(world: World):
    picture_id, _ = world.indexed(small(1), small(2), tags=["right"])
    stray = uuid4()
    payload = payload_of(world.show(picture_id).picture)
    [vector] = world.vectors.vectors([picture_id]).values()
    world.vectors.upsert([Point(stray, vector, payload)])
    world.vectors.set_payload({picture_id: replace(payload, tags=("wrong",))})
    assert repair(world) == {Kind.VECTOR_WITHOUT_ROW: True, Kind.PAYLOAD_WRONG: True}
    assert look(world).differences == []
    assert world.matches(picture_id, tags={"any": ["right"], "none": ["wrong"]})
    assert not world.has_point(stray)


def test_a_wrong_size_is_taken_from_the_sound_file(world: World):
    [picture_id] = world.indexed(small())
    with world.db.write() as session:
        session.execute(update(Picture).values(bytes=7))
    assert repair(world) == {Kind.SIZE_WRONG: True, Kind.PAYLOAD_WRONG: True}
    assert world.show(picture_id).picture.bytes == len(small())
    assert look(world).differences == []


@pytest.mark.parametrize("left", [None, b""])
def test_a_thumbnail_is_made_again(world: World, left: bytes | None):
    [picture_id] = world.indexed(small())
    name = thumbnail_key(world.show(picture_id).picture.sha256)
    world.blobs.delete(name)
    if left is not None:
        world.blobs.put_bytes(name, left)
    assert repair(world) == {Kind.THUMBNAIL_MISSING: True}
    assert look(world).differences == []


def test_a_thumbnail_is_not_left_when_the_picture_is_removed_meanwhile(world: World):
    [picture_id] = world.indexed(small())
    world.blobs.delete(thumbnail_key(world.show(picture_id).picture.sha256))
    report = look(world)
    world.blobs.before["put_bytes"] = lambda: world.platform.pictures.remove(picture_id)
    world.platform.repairing.run(report)
    assert world.blob_names() == set()


def test_files_that_belong_to_no_picture_are_removed(world: World):
    world.indexed(small())
    kept = world.blob_names()
    world.blobs.put_bytes(original_key(ORPHAN), b"x")
    world.blobs.put_bytes(thumbnail_key(ORPHAN), b"x")
    world.blobs.put_bytes("originals/holiday.jpg", b"somebody's")
    assert repair(world) == {Kind.ORPHAN_ORIGINAL: True, Kind.ORPHAN_THUMBNAIL: True}
    assert world.blob_names() == {*kept, "originals/holiday"}


def test_an_upload_is_not_robbed_of_a_file_that_looked_like_nobodys(world: World):
    """The file is there and found to be an orphan, and removed, before the upload's rows are."""
    world.blobs.after["put"] = lambda: world.platform.repairing.run(look(world))
    [picture_id] = world.add(small())
    assert world.blobs.exists(key(world, picture_id))
    with world.platform.pictures.original(picture_id)[1] as file:
        assert file.read() == small()


def test_an_upload_that_is_done_by_the_time_of_the_repair_keeps_its_file(world: World):
    world.blobs.put_bytes(original_key(ORPHAN), b"x")
    report = look(world)
    [picture_id] = world.add(small())
    with world.db.write() as session:
        session.execute(update(Picture).values(sha256=ORPHAN))
    world.platform.repairing.run(report)
    assert world.blobs.exists(original_key(ORPHAN))
    assert world.state(picture_id) == State.PENDING


def test_a_lost_original_is_named_with_what_to_do_and_its_vector_still_answers(world: World):
    lost, other = world.indexed(small(1), small(2))
    world.lose_original(lost)
    report = world.platform.repairing.run(look(world))
    [difference] = report.remaining
    assert (difference.kind, difference.repaired) == (Kind.BLOB_MISSING, False)
    assert "upload the picture again" in difference.message
    [result] = world.search(like=[other], exact=True).results
    assert result.shown.picture.id == lost
    assert world.add(small(1)) == [lost]
    assert look(world).differences == []


def test_a_damaged_original_is_kept_aside_so_that_an_upload_mends_it(world: World, tmp_path: Path):
    [picture_id] = world.indexed(small())
    path = world.folder / "blobs" / key(world, picture_id)
    path.write_bytes(small()[:100])
    assert repair(world) == {Kind.BLOB_DAMAGED: False}
    [aside] = (world.folder / "blobs" / "damaged").iterdir()
    assert aside.read_bytes() == small()[:100]
    assert [one.kind for one in look(world).differences] == [Kind.BLOB_MISSING]
    assert world.add(small()) == [picture_id]
    assert path.read_bytes() == small()
    assert look(world).differences == []


def test_collections_of_no_index_are_dropped_where_nobody_else_has_any(world: World):
    name = f"fake-{uuid4().hex}"
    world.store.open(name, CollectionSpec(DIMENSIONS))
    assert repair(world) == {Kind.LEFTOVER_COLLECTION: True}
    assert name not in world.store.names()


def test_collections_on_a_qdrant_server_may_be_somebody_elses(tmp_path: Path):
    world = make_world(tmp_path / "data", qdrant_url="http://127.0.0.1:9")
    name = f"fake-{uuid4().hex}"
    world.store.open(name, CollectionSpec(DIMENSIONS))
    assert repair(world) == {Kind.LEFTOVER_COLLECTION: False}
    assert name in world.store.names()
    world.platform.close()


def test_repairing_twice_from_one_report_does_no_harm(world: World):
    ids = world.indexed(*(small(seed) for seed in range(6)))
    world.vectors.delete(ids[:2])
    world.blobs.put_bytes(original_key(ORPHAN), b"x")
    world.lose_original(ids[5])
    report = look(world)
    first = world.platform.repairing.run(report)
    assert world.platform.repairing.run(report) == first
    world.work()
    assert [(one.kind, one.id) for one in look(world).differences] == [
        (Kind.BLOB_MISSING, str(ids[5]))
    ]
