"""Checking: every difference is found by kind and id, and nothing that is as it should be."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, update

from lookalike.services.blobs import original_key, thumbnail_key
from lookalike.services.consistency import checking
from lookalike.services.consistency.report import Difference, Kind, Report
from lookalike.services.labels import Changes
from lookalike.services.models import Entry, Picture, State
from lookalike.services.payloads import agree, payload_of
from lookalike.services.records import CollectionSpec, Payload, Point
from tests.factories import ODD
from tests.fake_embedder import FakeEmbedder
from tests.platforms import World, small

pytestmark = pytest.mark.both_databases

DIMENSIONS = FakeEmbedder().definition.dimensions
ORPHAN = "ab" * 32


def look(world: World, **options: Any) -> Report:
    return world.platform.checking.run(**{"patience": 0, **options})


def found(world: World, **options: Any) -> list[tuple[Kind, str]]:
    """Kind and id of every difference, checked to say something."""
    differences = look(world, **options).differences
    assert all(one.message.endswith(".") and one.repaired is None for one in differences)
    return [(one.kind, one.id) for one in differences]


def hash_of(world: World, picture_id: UUID) -> str:
    return world.show(picture_id).picture.sha256


def path_of(world: World, picture_id: UUID) -> Path:
    return world.folder / "blobs" / original_key(hash_of(world, picture_id))


def payload(world: World, picture_id: UUID) -> Payload:
    return payload_of(world.show(picture_id).picture)


def point(world: World, point_id: UUID, like: UUID) -> Point:
    [vector] = world.vectors.vectors([like]).values()
    return Point(point_id, vector, payload(world, like))


# What is as it should be


def test_an_empty_platform_agrees(world: World):
    report = look(world)
    assert (report.pictures, report.differences, report.counts) == (0, [], {})


def test_pictures_in_every_state_agree(world: World):
    world.platform.libraries.create("other")
    world.indexed(small(1), small(2), tags=["a"], attributes={"on": True, "n": 10.0, "x": 0.1})
    world.indexed(small(1), library="other")
    world.indexed(ODD["jpeg_truncated"].data)
    [removed] = world.indexed(small(3))
    world.platform.pictures.remove(removed)
    world.add(small(4))
    report = look(world, deep=True)
    assert report.differences == []
    assert report.pictures == 5
    [index] = report.indexes
    assert index.points == 3
    assert index.entries == {State.PENDING: 1, State.INDEXED: 3, State.FAILED: 1}


def test_a_point_whose_worker_was_killed_before_it_told_is_none(world: World):
    [picture_id] = world.indexed(small())
    with world.db.write() as session:
        session.execute(update(Entry).values(state=State.PENDING))
    assert found(world) == []
    assert world.has_point(picture_id)


def test_files_under_names_that_are_not_ours_are_passed_over(world: World):
    for name in ("originals/holiday.jpg", f"originals/{ORPHAN}", f"thumbnails/zz/{ORPHAN}.jpg"):
        world.blobs.put_bytes(name, b"somebody's")
    assert found(world) == []


def test_collections_under_names_that_are_not_ours_are_passed_over(world: World):
    world.store.open("somebody-else", CollectionSpec(4))
    assert found(world) == []


def test_what_a_removal_or_change_is_about_to_settle_is_none(world: World):
    gone, changed = world.indexed(small(1), small(2))
    world.vectors.failure = world.blobs.failure = RuntimeError("killed")
    world.platform.pictures.remove(gone)
    world.platform.pictures.change(changed, Changes(tags=["new"]))
    world.vectors.failure = world.blobs.failure = None
    assert world.has_point(gone)
    assert found(world) == []


# What is not


def test_a_lost_original(world: World):
    picture_id, _ = world.indexed(small(1), small(2))
    world.lose_original(picture_id)
    assert found(world) == [(Kind.BLOB_MISSING, str(picture_id))]


def test_a_lost_original_that_two_libraries_have(world: World):
    world.platform.libraries.create("other")
    ids = [*world.indexed(small()), *world.indexed(small(), library="other")]
    world.lose_original(ids[0])
    assert found(world) == [(Kind.BLOB_MISSING, str(one)) for one in ids]


def test_a_cut_original(world: World):
    picture_id, _ = world.indexed(small(1), small(2))
    path_of(world, picture_id).write_bytes(small(1)[:-1])
    assert found(world) == [(Kind.BLOB_DAMAGED, str(picture_id))]


def test_an_original_of_the_same_size_with_other_bytes_is_found_when_files_are_read(world: World):
    picture_id, _ = world.indexed(small(1), small(2))
    data = small(1)
    path_of(world, picture_id).write_bytes(bytes([data[0] ^ 1]) + data[1:])
    assert found(world) == []
    assert found(world, deep=True) == [(Kind.BLOB_DAMAGED, str(picture_id))]


def test_a_wrong_size_in_the_row_of_a_sound_file(world: World):
    picture_id, _ = world.indexed(small(1), small(2))
    with world.db.write() as session:
        session.execute(update(Picture).where(Picture.id == picture_id).values(bytes=7))
    expected = [(Kind.SIZE_WRONG, str(picture_id)), (Kind.PAYLOAD_WRONG, str(picture_id))]
    assert found(world) == expected


@pytest.mark.parametrize("left", [None, b""])
def test_a_lost_or_empty_thumbnail(world: World, left: bytes | None):
    picture_id, _ = world.indexed(small(1), small(2))
    key = thumbnail_key(hash_of(world, picture_id))
    world.blobs.delete(key)
    if left is not None:
        world.blobs.put_bytes(key, left)
    assert found(world) == [(Kind.THUMBNAIL_MISSING, str(picture_id))]


def test_files_that_belong_to_no_picture(world: World):
    world.indexed(small())
    world.blobs.put_bytes(original_key(ORPHAN), b"x")
    world.blobs.put_bytes(thumbnail_key(ORPHAN), b"x")
    assert found(world) == [(Kind.ORPHAN_ORIGINAL, ORPHAN), (Kind.ORPHAN_THUMBNAIL, ORPHAN)]


def test_a_lost_entry(world: World):
    picture_id, _ = world.indexed(small(1), small(2))
    with world.db.write() as session:
        session.execute(delete(Entry).where(Entry.picture_id == picture_id))
    [difference] = look(world).differences
    index = world.platform.indexes.live().id
    assert difference == Difference(Kind.ENTRY_MISSING, str(picture_id), index)


def test_a_lost_point(world: World):
    picture_id, _ = world.indexed(small(1), small(2))
    world.vectors.delete([picture_id])
    report = look(world)
    assert [(one.kind, one.id) for one in report.differences] == [
        (Kind.VECTOR_MISSING, str(picture_id))
    ]
    assert report.indexes[0].points == 1


def test_a_point_of_no_picture(world: World):
    [picture_id] = world.indexed(small())
    stray = uuid4()
    world.vectors.upsert([point(world, stray, picture_id)])
    assert found(world) == [(Kind.VECTOR_WITHOUT_ROW, str(stray))]


@pytest.mark.parametrize(
    "change",
    [
        {"library": "other"},
        {"tags": ("a",)},
        {"tags": ()},
        {"width": 65},
        {"bytes": 7},
        {"taken": 1.5},
        {"added": 1.7e9},
        {"attributes": {"on": 1, "n": 10}},
        {"attributes": {"on": True}},
        {"words": ()},
        {"words": ("sea", "dog")},
    ],
)
def test_a_payload_that_the_row_does_not_give(world: World, change: dict[str, Any]):
    options: dict[str, Any] = {
        "title": "Sea",
        "tags": ["a", "b"],
        "attributes": {"on": True, "n": 10.0},
    }
    picture_id, _ = world.indexed(small(1), small(2), **options)
    world.vectors.set_payload({picture_id: replace(payload(world, picture_id), **change)})
    assert found(world) == [(Kind.PAYLOAD_WRONG, str(picture_id))]


def test_a_collection_of_no_index(world: World):
    name = f"fake-{uuid4().hex}"
    world.store.open(name, CollectionSpec(DIMENSIONS))
    assert found(world) == [(Kind.LEFTOVER_COLLECTION, name)]


# Payloads agree in spite of what engines may do to them


def test_payloads_agree_whatever_the_order_of_tags_and_words_and_the_last_bit_of_times(
    world: World,
):
    labels: dict[str, Any] = {"title": "Sea dog", "tags": ["a", "b"], "attributes": {"n": 10.0}}
    [picture_id] = world.indexed(small(), **labels)
    one = payload(world, picture_id)
    swapped = replace(one, tags=("b", "a"), words=("dog", "sea"))
    other = replace(swapped, added=one.added + 2e-7, attributes={"n": 10})
    assert agree(one, other)
    assert not agree(one, replace(other, added=one.added + 1e-3))


# While the platform is used


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], list[float]]:
    """Has something done in the pause of a check; gives a list of the pauses that were made."""

    def arrange(action: Callable[[], object]) -> list[float]:
        pauses: list[float] = []

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            action()

        monkeypatch.setattr(checking.time, "sleep", sleep)
        return pauses

    return arrange


def test_an_upload_between_its_file_and_its_row_is_waited_for(world: World, meanwhile):
    """The check begins when the file is there; the row follows in its pause."""
    reports: list[Report] = []
    stored, checked = threading.Event(), threading.Event()

    def stop_after_the_file() -> None:
        stored.set()
        assert checked.wait(10)

    world.blobs.after["put"] = stop_after_the_file
    with ThreadPoolExecutor(1) as pool:
        upload = pool.submit(world.add, small())
        assert stored.wait(10)

        def go_on() -> None:
            checked.set()
            upload.result()

        pauses = meanwhile(go_on)
        reports.append(look(world, patience=3))
    assert pauses == [3]
    assert reports[0].differences == []
    assert reports[0].pictures == 1


def test_a_point_that_is_taken_back_after_a_removal_is_waited_for(world: World, meanwhile):
    kept, stray = world.indexed(small())[0], uuid4()
    world.vectors.upsert([point(world, stray, kept)])
    pauses = meanwhile(lambda: world.vectors.delete([stray]))
    assert look(world, patience=1).differences == []
    assert pauses == [1]


def test_nothing_is_waited_for_when_all_agrees(world: World, meanwhile):
    world.indexed(small())
    pauses = meanwhile(lambda: None)
    assert look(world, patience=9).differences == []
    assert pauses == []


def test_a_change_between_reading_the_point_and_its_row_is_no_difference(world: World):
    [picture_id] = world.indexed(small(), tags=["old"])
    scan = world.vectors.inner.scan

    def changed_after_reading() -> Iterator[Any]:
        parts = list(scan())
        world.vectors.inner.scan = scan
        world.platform.pictures.change(picture_id, Changes(tags=["new"]))
        yield from parts

    world.vectors.inner.scan = changed_after_reading
    assert found(world) == []
    assert world.show(picture_id).picture.tags == ("new",)


def test_a_removal_between_reading_rows_and_their_files_is_no_difference(world: World):
    picture_id, _ = world.indexed(small(1), small(2))
    world.lose_original(picture_id)
    world.blobs.after["exists"] = lambda: world.platform.pictures.remove(picture_id)
    assert found(world) == []
