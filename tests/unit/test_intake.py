"""The way in: what is accepted is kept, what is refused leaves nothing."""

from __future__ import annotations

import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.services.errors import NotFoundError, UnavailableError
from lookalike.services.intake import Accepted, Rejected, clean_filename
from lookalike.services.models import State
from lookalike.services.pictures import Selection
from tests.factories import ODD
from tests.platforms import OUTAGE, World, make_world, small

pytestmark = pytest.mark.both_databases

TEXT = b"This is not a picture."


def listed(world: World, **selection) -> list:
    return world.platform.pictures.list(Selection(**selection), limit=100).pictures


def test_an_accepted_picture_is_stored_pending_and_queued(world: World):
    [outcome] = world.offer(("a.jpg", small()), title="A", tags=["x", "b"], attributes={"n": 1})
    assert outcome == Accepted("a.jpg", outcome.id, State.PENDING, duplicate=False)
    shown = world.show(outcome.id)
    assert (shown.picture.title, shown.picture.tags) == ("A", ("b", "x"))
    assert (shown.picture.width, shown.picture.height, shown.picture.format) == (64, 48, "jpeg")
    assert shown.picture.attributes == {"n": 1}
    assert shown.picture.bytes == len(small())
    assert world.queue.batches == [[outcome.id]]
    _, file = world.platform.pictures.original(outcome.id)
    with file:
        assert file.read() == small()


def test_answers_come_in_the_order_of_the_files_whatever_became_of_them(world: World):
    known = world.indexed(small(9))
    outcomes = world.offer(
        ("text.jpg", TEXT),
        ("one.jpg", small(1)),
        ("nothing.jpg", b""),
        ("known.jpg", small(9)),
        ("one again.jpg", small(1)),
        ("two.png", small(2, format="PNG")),
        ("tiny.png", small(3, (2, 2), format="PNG")),
    )
    told = [
        (one.filename, one.error.code) if isinstance(one, Rejected)
        else (one.filename, one.state, one.duplicate)
        for one in outcomes
    ]  # fmt: skip
    assert told == [
        ("text.jpg", "not_an_image"),
        ("one.jpg", State.PENDING, False),
        ("nothing.jpg", "empty_file"),
        ("known.jpg", State.INDEXED, True),
        ("one again.jpg", State.PENDING, True),
        ("two.png", State.PENDING, False),
        ("tiny.png", "too_small"),
    ]
    assert outcomes[3].id == known[0]
    assert outcomes[4].id == outcomes[1].id
    assert world.queue.batches == [[outcomes[1].id, outcomes[5].id]]
    assert len(listed(world)) == 3


def test_nothing_is_kept_of_files_that_are_refused(world: World):
    outcomes = world.offer(TEXT, b"", small(1, (2, 2), format="PNG"), small()[:200])
    assert all(isinstance(one, Rejected) for one in outcomes)
    assert world.blob_names() == set()
    assert listed(world) == []
    assert world.queue.batches == []
    assert world.staged_files() == []


def test_no_files_are_no_trouble(world: World):
    assert world.offer() == []
    assert world.queue.batches == []


def test_a_duplicate_keeps_the_first_names_and_labels(world: World):
    [first] = world.add(small(), title="first", tags=["a"])
    [second] = world.add(small(), title="second", tags=["b"])
    assert second == first
    assert world.show(first).picture.title == "first"
    assert world.show(first).picture.tags == ("a",)


def test_the_same_bytes_in_two_libraries_are_two_pictures_and_one_file(world: World):
    world.platform.libraries.create("attic")
    [here] = world.indexed(small())
    [there] = world.indexed(small(), library="attic")
    assert here != there
    assert world.state(here) == world.state(there) == State.INDEXED
    assert {name.partition("/")[0] for name in world.blob_names()} == {"originals", "thumbnails"}
    assert len(world.blob_names()) == 2


def test_one_library_does_not_see_the_others_duplicates(world: World):
    world.platform.libraries.create("attic")
    world.add(small())
    [outcome] = world.offer(small(), library="attic")
    assert not outcome.duplicate


def test_a_failed_picture_that_is_offered_again_is_tried_again(world: World):
    data = ODD["jpeg_truncated"].data
    [failed] = world.indexed(data)
    assert world.state(failed) == State.FAILED
    [outcome] = world.offer(data)
    assert outcome == Accepted("0.jpg", failed, State.PENDING, duplicate=True)
    assert world.show(failed).code is None
    assert world.queue.batches == [[failed]]


def test_a_picture_whose_file_was_lost_is_whole_again_after_a_new_upload(world: World):
    [picture_id] = world.add(small())
    world.lose_original(picture_id)
    world.work()
    assert world.show(picture_id).code == "blob_missing"
    assert world.indexed(small()) == [picture_id]
    assert world.state(picture_id) == State.INDEXED


def test_an_unknown_library_is_refused_before_anything_is_stored(world: World):
    with pytest.raises(NotFoundError, match="attic"):
        world.offer(small(), library="attic")
    assert world.blob_names() == set()


def test_a_queue_that_is_down_loses_nothing(world: World):
    world.queue.down = True
    [picture_id] = world.add(small())
    assert world.state(picture_id) == State.PENDING
    world.queue.down = False
    assert world.platform.sweeping.start_alone() == 1
    world.work()
    assert world.state(picture_id) == State.INDEXED


def test_a_blob_store_that_is_down_accepts_nothing(world: World):
    world.blobs.failure = OUTAGE
    with pytest.raises(UnavailableError):
        world.offer(small())
    assert listed(world) == []
    assert world.queue.batches == []
    assert world.staged_files() == []


def test_a_file_beyond_the_limit_is_refused_alone(tmp_path: Path):
    world = make_world(tmp_path, max_file_bytes=len(small()))
    too_large, accepted = world.offer(small() + b"\0", small())
    assert isinstance(too_large, Rejected)
    assert too_large.error.code == "too_large"
    assert isinstance(accepted, Accepted)
    world.platform.close()


def test_the_limits_are_those_of_the_settings(tmp_path: Path):
    world = make_world(tmp_path, max_megapixels=1, min_side=50)
    outcomes = world.offer(small(1, (1200, 1000)), small(1, (64, 48)), small(1, (1000, 1000)))
    told = [one.error.code if isinstance(one, Rejected) else one.state for one in outcomes]
    assert told == ["too_many_pixels", "too_small", State.PENDING]
    world.platform.close()


def test_many_at_once_offering_the_same_picture_make_one(world: World):
    with ThreadPoolExecutor(6) as pool:
        ids = list(pool.map(lambda _: world.add(small())[0], range(12)))
    assert len(set(ids)) == 1
    assert len(listed(world)) == 1


def test_many_at_once_offering_different_pictures_lose_none(world: World):
    with ThreadPoolExecutor(6) as pool:
        ids = list(pool.map(lambda seed: world.add(small(seed))[0], range(24)))
    assert {one.picture.id for one in listed(world)} == set(ids)


def test_tags_are_a_set(world: World):
    [picture_id] = world.add(small(), tags=["b", "a", "b"])
    assert world.show(picture_id).picture.tags == ("a", "b")


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("photo.jpg", "photo.jpg"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\windows\\photo.jpg", "photo.jpg"),
        ("C:\\photos\\a b.jpg", "a b.jpg"),
        ("a/../b.jpg", "b.jpg"),
        ("folder/", "folder"),
        ("..", "unnamed"),
        ("a/..", "unnamed"),
        (".", "unnamed"),
        ("", "unnamed"),
        ("   ", "unnamed"),
        ("\0\n\r\t", "unnamed"),
        ("a\0b\r\nc.jpg", "abc.jpg"),
        ("evil\u202egpj.exe", "evilgpj.exe"),
        ("\u2066a\u2069.jpg", "a.jpg"),
        ("\ud800a.jpg", "a.jpg"),
        ("фото 写真 é.jpg", "фото 写真 é.jpg"),
        ("x" * 300 + ".jpeg", "x" * 250 + ".jpeg"),
    ],
)
def test_filenames_are_cleaned(given_name: str, kept: str):
    assert clean_filename(given_name) == kept


@given(st.text(st.characters(codec=None)))
def test_any_filename_becomes_one_that_is_safe_to_show_and_to_save(name: str):
    clean = clean_filename(name)
    assert 1 <= len(clean) <= 255
    assert not {"/", "\\"} & set(clean)
    assert clean.strip(" .")
    assert not any(unicodedata.category(letter).startswith("C") for letter in clean)
    clean.encode()


def test_the_cleaned_name_is_what_is_stored(world: World):
    [outcome] = world.offer(("../a\u202e.jpg", small()))
    assert world.show(outcome.id).picture.filename == "a.jpg"


def test_labels_of_an_upload_count_for_all_its_files(world: World):
    ids = world.add(small(1), small(2), tags=["both"])
    assert {one.picture.id for one in listed(world, tag="both")} == set(ids)
