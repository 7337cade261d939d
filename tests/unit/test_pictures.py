"""Stored pictures: shown, listed, changed and removed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from lookalike.services.errors import BlobMissingError, NotFoundError
from lookalike.services.labels import Changes
from lookalike.services.models import Entry, OutboxItem, PictureTag, State
from lookalike.services.pictures import Selection
from tests.factories import ODD
from tests.platforms import OUTAGE, World, small

pytestmark = pytest.mark.both_databases

EVERYTHING = Selection()


def pages(world: World, size: int, selection: Selection = EVERYTHING) -> list[list[UUID]]:
    """All pages of a listing, as ids."""
    found, cursor = [], None
    while True:
        page = world.platform.pictures.list(selection, size, cursor)
        found.append([one.picture.id for one in page.pictures])
        if page.next_cursor is None:
            return found
        cursor = page.next_cursor


def listed(world: World, **selection) -> set[UUID]:
    return {picture_id for page in pages(world, 500, Selection(**selection)) for picture_id in page}


def rows(world: World, table: type) -> int:
    with world.db.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def change(world: World, picture_id: UUID, **changes) -> None:
    world.platform.pictures.change(picture_id, Changes(**changes))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8])
def test_pages_hold_every_picture_once_newest_first(world: World, size: int):
    ids = world.add(*(small(seed) for seed in range(7)))
    found = pages(world, size)
    assert [one for page in found for one in page] == ids[::-1]
    assert all(len(page) == size for page in found[:-1])
    assert found[-1]


def test_nothing_is_one_empty_page(world: World):
    assert pages(world, 5) == [[]]


def test_pages_are_complete_and_without_doubles_while_pictures_come_in(world: World):
    before = world.add(*(small(seed) for seed in range(12)))
    with ThreadPoolExecutor(2) as pool:
        coming = pool.map(lambda seed: world.add(small(seed)), range(100, 112))
        seen = [one for page in pages(world, 3) for one in page]
        list(coming)
    assert len(seen) == len(set(seen))
    assert set(before) <= set(seen)


def test_pages_go_on_where_they_were_after_the_picture_at_the_cursor_is_gone(world: World):
    ids = world.add(*(small(seed) for seed in range(4)))
    first = world.platform.pictures.list(EVERYTHING, 2)
    assert first.next_cursor is not None
    world.platform.pictures.remove(first.next_cursor)
    rest = world.platform.pictures.list(EVERYTHING, 2, first.next_cursor)
    assert [one.picture.id for one in rest.pictures] == ids[1::-1]


def test_listings_are_narrowed_by_library_state_tag_and_ids_alone_and_together(world: World):
    world.platform.libraries.create("attic")
    [red] = world.indexed(small(1), tags=["red", "all"])
    [broken] = world.indexed(ODD["jpeg_truncated"].data, tags=["red"])
    [attic] = world.indexed(small(1), library="attic", tags=["red"])
    [waiting] = world.add(small(2), tags=["all"])
    assert listed(world) == {red, broken, attic, waiting}
    assert listed(world, library="attic") == {attic}
    assert listed(world, library="nowhere") == set()
    assert listed(world, state=State.PENDING) == {waiting}
    assert listed(world, state=State.FAILED) == {broken}
    assert listed(world, state=State.INDEXED) == {red, attic}
    assert listed(world, tag="red") == {red, broken, attic}
    assert listed(world, tag="RED") == set()
    assert listed(world, ids=[red, waiting, uuid4()]) == {red, waiting}
    assert listed(world, ids=[]) == set()
    assert listed(world, library="main", tag="red", state=State.INDEXED) == {red}


def test_counts_name_every_state(world: World):
    assert world.platform.pictures.counts() == dict.fromkeys(State, 0)
    world.indexed(small(1), small(2), ODD["jpeg_truncated"].data)
    world.add(small(3))
    assert world.platform.pictures.counts() == {
        State.INDEXED: 2,
        State.FAILED: 1,
        State.PENDING: 1,
    }


def test_a_change_is_shown_and_filters_follow(world: World):
    [picture_id] = world.indexed(small(), tags=["old", "kept"], attributes={"price": 1})
    shown = world.platform.pictures.change(
        picture_id, Changes(title="New", tags=["new", "kept"], attributes={"price": 2.5})
    )
    assert shown.picture.title == "New"
    assert shown.picture.tags == ("kept", "new")
    assert shown.picture.attributes == {"price": 2.5}
    assert shown.state == State.INDEXED
    assert world.matches(picture_id, tags={"all": ["kept", "new"], "none": ["old"]})
    assert world.matches(picture_id, attributes={"price": 2.5})
    assert rows(world, OutboxItem) == 0


def test_what_is_left_out_of_a_change_stays(world: World):
    [picture_id] = world.indexed(small(), title="T", tags=["a"], attributes={"n": 1})
    change(world, picture_id, title="U")
    change(world, picture_id, tags=["b"])
    change(world, picture_id)
    picture = world.show(picture_id).picture
    assert (picture.title, picture.tags, picture.attributes) == ("U", ("b",), {"n": 1})


def test_everything_can_be_emptied(world: World):
    [picture_id] = world.indexed(small(), title="T", tags=["a"], attributes={"n": 1})
    change(world, picture_id, title="", tags=[], attributes={})
    picture = world.show(picture_id).picture
    assert (picture.title, picture.tags, picture.attributes) == ("", (), {})
    assert not world.matches(picture_id, tags={"any": ["a"]})
    assert world.matches(picture_id, tags={"none": ["a"]})


def test_the_revision_grows_only_when_filters_could_see_it(world: World):
    [picture_id] = world.indexed(small(), tags=["a"])

    def revision_after(**changes) -> int:
        change(world, picture_id, **changes)
        return world.show(picture_id).picture.revision

    first = revision_after(title="New sea")
    assert revision_after(title="new SEA!") == first
    assert revision_after(tags=["a", "a"]) == first
    assert revision_after(tags=["b"]) == first + 1
    assert revision_after(attributes={"n": 1}) == first + 2
    assert revision_after(attributes={"n": 1}) == first + 2
    assert revision_after(attributes={"n": True}) == first + 3
    assert revision_after(title="old sea") == first + 4


def test_a_pending_picture_can_be_changed_and_is_indexed_so(world: World):
    [picture_id] = world.add(small(), tags=["old"])
    change(world, picture_id, tags=["new"])
    world.work()
    assert world.matches(picture_id, tags={"any": ["new"], "none": ["old"]})


def test_an_outage_of_the_vectors_while_changing_is_made_good_later(world: World):
    [picture_id] = world.indexed(small(), tags=["old"])
    world.vectors.failure = OUTAGE
    change(world, picture_id, tags=["new"])
    assert world.show(picture_id).picture.tags == ("new",)
    world.vectors.failure = None
    world.platform.sweeping.start_alone()
    assert world.matches(picture_id, tags={"any": ["new"], "none": ["old"]})
    assert rows(world, OutboxItem) == 0


def test_many_changes_at_once_end_with_vectors_that_agree_with_sql(world: World):
    [picture_id] = world.indexed(small())
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda tag: change(world, picture_id, tags=[str(tag)]), range(24)))
    [tag] = world.show(picture_id).picture.tags
    assert world.matches(picture_id, tags={"any": [tag]})
    assert rows(world, OutboxItem) == 0


def test_a_removed_picture_leaves_nothing(world: World):
    [gone, stays] = world.indexed(small(1), small(2), tags=["a"])
    kept = world.show(stays).picture.sha256
    world.platform.pictures.remove(gone)
    with pytest.raises(NotFoundError):
        world.show(gone)
    assert not world.has_point(gone)
    assert world.has_point(stays)
    assert world.blob_names() == {f"originals/{kept}", f"thumbnails/{kept}"}
    assert (rows(world, Entry), rows(world, PictureTag), rows(world, OutboxItem)) == (1, 1, 0)


def test_files_stay_while_another_library_has_them(world: World):
    world.platform.libraries.create("attic")
    [here] = world.indexed(small())
    [there] = world.indexed(small(), library="attic")
    world.platform.pictures.remove(here)
    assert not world.has_point(here)
    assert world.has_point(there)
    _, file = world.platform.pictures.original(there)
    file.close()
    assert len(world.blob_names()) == 2
    world.platform.pictures.remove(there)
    assert world.blob_names() == set()


def test_a_picture_that_failed_or_waits_can_be_removed(world: World):
    [failed] = world.indexed(ODD["jpeg_truncated"].data)
    [waiting] = world.add(small())
    world.platform.pictures.remove(failed)
    world.platform.pictures.remove(waiting)
    world.work()
    assert listed(world) == set()
    assert world.blob_names() == set()


def test_a_removed_picture_can_be_brought_in_again(world: World):
    [first] = world.indexed(small())
    world.platform.pictures.remove(first)
    [second] = world.indexed(small())
    assert second != first
    assert world.state(second) == State.INDEXED


@pytest.mark.parametrize("part", ["vectors", "blobs"])
def test_an_outage_while_removing_is_made_good_later(world: World, part: str):
    [picture_id] = world.indexed(small())
    broken = getattr(world, part)
    broken.failure = OUTAGE
    world.platform.pictures.remove(picture_id)
    assert listed(world) == set()
    broken.failure = None
    world.platform.sweeping.start_alone()
    assert not world.has_point(picture_id)
    assert world.blob_names() == set()
    assert rows(world, OutboxItem) == 0


def test_what_is_not_there_cannot_be_shown_changed_or_removed(world: World):
    pictures, unknown = world.platform.pictures, uuid4()
    for attempt in (
        lambda: pictures.get(unknown),
        lambda: pictures.change(unknown, Changes(title="x")),
        lambda: pictures.remove(unknown),
        lambda: pictures.original(unknown),
    ):
        with pytest.raises(NotFoundError) as caught:
            attempt()
        assert caught.value.details == {"id": str(unknown)}


def test_a_lost_original_is_told_from_a_lost_picture(world: World):
    [picture_id] = world.add(small())
    world.lose_original(picture_id)
    with pytest.raises(BlobMissingError):
        world.platform.pictures.original(picture_id)
