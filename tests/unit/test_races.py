"""What happens to one picture at the same time: the end is as if it had been one by one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from lookalike.services.errors import LookalikeError, NotFoundError, StorageFullError
from lookalike.services.intake import Upload
from lookalike.services.labels import Changes, Labels
from lookalike.services.models import Entry, OutboxItem, State, now
from lookalike.services.outbox import Outbox
from lookalike.services.pictures import Selection
from tests.platforms import OUTAGE, World, small

pytestmark = pytest.mark.both_databases

WAIT_SECONDS = 10


def is_settled(world: World) -> bool:
    with world.db.read() as session:
        return session.scalar(select(func.count()).select_from(OutboxItem)) == 0


def retag(world: World, picture_id: UUID) -> None:
    world.platform.pictures.change(picture_id, Changes(tags=["new"]))


def follows(world: World, picture_id: UUID) -> bool:
    return world.matches(picture_id, tags={"any": ["new"], "none": ["old"]})


@pytest.fixture(params=["while it is embedded", "while it is stored", "after it is stored"])
def meanwhile(request: pytest.FixtureRequest, world: World) -> Callable[[Callable], None]:
    """Has something done at a moment of the next indexing."""

    def arrange(action: Callable[[], object]) -> None:
        match request.param:
            case "while it is embedded":
                world.embedder.before["embed"] = action
            case "while it is stored":
                world.vectors.before["upsert"] = action
            case _:
                world.vectors.after["upsert"] = action

    return arrange


def test_a_picture_removed_while_it_is_indexed_leaves_nothing(world: World, meanwhile):
    gone, stays = world.add(small(1), small(2))
    meanwhile(lambda: world.platform.pictures.remove(gone))
    world.work()
    assert not world.has_point(gone)
    assert world.state(stays) == State.INDEXED
    assert len(world.blob_names()) == 2
    assert is_settled(world)


def test_a_worker_that_dies_with_a_removed_picture_in_hand_leaves_no_point(world: World):
    [gone] = world.add(small())

    def die() -> None:
        raise KeyboardInterrupt

    world.vectors.before["upsert"] = lambda: world.platform.pictures.remove(gone)
    world.vectors.after["upsert"] = die
    with suppress(KeyboardInterrupt):
        world.work()
    assert world.has_point(gone)
    world.platform.sweeping.run()
    assert not is_settled(world)  # until then, somebody may bring it again
    with world.db.write() as session:
        session.execute(update(OutboxItem).values(until=now()))
    world.platform.sweeping.run()
    assert not world.has_point(gone)
    assert is_settled(world)


def test_a_picture_removed_before_it_is_decoded_leaves_no_promise(world: World):
    gone, stays = world.add(small(1), small(2))
    world.blobs.before["open"] = lambda: world.platform.pictures.remove(gone)
    world.work()
    assert not world.has_point(gone)
    assert world.state(stays) == State.INDEXED
    assert is_settled(world)


def test_a_picture_changed_while_it_is_indexed_is_found_by_its_new_tags(world: World, meanwhile):
    [picture_id] = world.add(small(), tags=["old"])
    meanwhile(lambda: retag(world, picture_id))
    world.work()
    assert world.state(picture_id) == State.INDEXED
    assert follows(world, picture_id)
    assert is_settled(world)


def test_a_picture_removed_and_brought_back_while_it_is_indexed_is_whole(world: World, meanwhile):
    [first] = world.add(small())

    def swap() -> None:
        world.platform.pictures.remove(first)
        world.add(small())

    meanwhile(swap)
    world.work()
    [shown] = world.platform.pictures.list(Selection(), 10).pictures
    assert shown.state == State.INDEXED
    assert shown.picture.id != first
    assert not world.has_point(first)
    assert world.has_point(shown.picture.id)
    assert len(world.blob_names()) == 2
    assert is_settled(world)


@pytest.fixture
def late_settling(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Index one picture so that another thread's `action` overlaps with it in the worst way.

    The action's write to the vectors (`method`) comes before the picture's point is there, and
    the action's end comes after indexing has recorded the picture but before it settles.
    """

    def run(picture_id: UUID, method: str, action: Callable[[], object]) -> None:
        wrote, recorded = threading.Event(), threading.Event()

        def pause() -> None:
            wrote.set()
            assert recorded.wait(WAIT_SECONDS)

        world.vectors.after[method] = pause
        other = threading.Thread(target=action)
        settle = Outbox.settle

        def settle_after_the_other(outbox: Outbox, ids: list[UUID]) -> None:
            if threading.current_thread() is not other:
                recorded.set()
                other.join(WAIT_SECONDS)
            settle(outbox, ids)

        def begin() -> None:
            other.start()
            assert wrote.wait(WAIT_SECONDS)

        monkeypatch.setattr(Outbox, "settle", settle_after_the_other)
        world.embedder.before["embed"] = begin
        world.platform.indexing.index([picture_id])

    return run


def test_a_removal_that_ends_between_recording_and_settling_leaves_no_point(
    world: World, late_settling
):
    [picture_id] = world.add(small())
    late_settling(picture_id, "delete", lambda: world.platform.pictures.remove(picture_id))
    assert not world.has_point(picture_id)
    assert is_settled(world)


def test_a_change_that_ends_between_recording_and_settling_is_not_lost(world: World, late_settling):
    [picture_id] = world.add(small(), tags=["old"])
    late_settling(picture_id, "set_payload", lambda: retag(world, picture_id))
    assert follows(world, picture_id)
    assert is_settled(world)


def test_a_change_that_is_overtaken_while_it_is_written_does_not_win(world: World):
    [picture_id] = world.indexed(small(), tags=["old"])
    world.vectors.before["set_payload"] = lambda: retag(world, picture_id)
    world.platform.pictures.change(picture_id, Changes(tags=["overtaken"]))
    assert world.show(picture_id).picture.tags == ("new",)
    assert world.matches(picture_id, tags={"any": ["new"], "none": ["overtaken"]})
    assert is_settled(world)


def test_an_upload_racing_with_a_removal_of_the_same_bytes_never_loses_the_file(world: World):
    for _ in range(12):
        [present] = world.add(small())
        start = threading.Barrier(2)

        def remove(picture_id: UUID = present, start: threading.Barrier = start) -> None:
            start.wait(WAIT_SECONDS)
            world.platform.pictures.remove(picture_id)

        def upload(start: threading.Barrier = start) -> UUID:
            start.wait(WAIT_SECONDS)
            return world.add(small())[0]

        with ThreadPoolExecutor(2) as pool:
            removal, acknowledged = pool.submit(remove), pool.submit(upload)
            removal.result()
        for shown in world.platform.pictures.list(Selection(), 10).pictures:
            assert shown.picture.id == acknowledged.result()
            world.platform.pictures.original(shown.picture.id)[1].close()
            world.platform.pictures.remove(shown.picture.id)
        assert world.blob_names() == set()


def test_an_upload_whose_file_is_removed_just_before_its_row_is_there_stores_it_again(
    world: World,
):
    [present] = world.add(small())
    world.blobs.after["put"] = lambda: world.platform.pictures.remove(present)
    [acknowledged] = world.add(small())
    assert acknowledged != present
    with world.platform.pictures.original(acknowledged)[1] as file:
        assert file.read() == small()


class NotRecordedError(LookalikeError):
    """Why a test does not let pictures be recorded."""


def dropped(world: World, *files: bytes) -> None:
    """Offer files whose transaction is undone when all is written."""

    def refuse(*_: object) -> None:
        raise NotRecordedError("Another worker has taken this over.")

    uploads = [Upload("a.jpg", world.platform.staging.new()) for _ in files]
    for upload, data in zip(uploads, files, strict=True):
        upload.staged.write(data)
    try:
        with pytest.raises(NotRecordedError):
            world.platform.intake.add(uploads, "main", Labels(), ledger=refuse)
    finally:
        for upload in uploads:
            upload.staged.close()


def originals(world: World) -> int:
    return sum(name.startswith("originals/") for name in world.blob_names())


def test_pictures_that_are_not_recorded_leave_no_files_but_those_of_others(world: World):
    [present] = world.indexed(small(1))
    before = world.blob_names()
    dropped(world, small(0), small(1), small(2), small(0))
    assert world.blob_names() == before
    world.platform.pictures.original(present)[1].close()


def test_files_that_are_taken_back_under_an_upload_of_the_same_bytes_are_stored_again(
    world: World,
):
    world.blobs.after["put"] = lambda: dropped(world, small())
    [acknowledged] = world.add(small())
    with world.platform.pictures.original(acknowledged)[1] as file:
        assert file.read() == small()


def test_files_of_an_upload_that_is_acknowledged_meanwhile_are_not_taken_back(world: World):
    acknowledged: list[UUID] = []
    world.blobs.after["put"] = lambda: acknowledged.extend(world.add(small()))
    dropped(world, small())
    world.platform.pictures.original(acknowledged[0])[1].close()


def test_what_cannot_be_taken_back_does_not_hide_why_it_was_dropped(world: World):
    def refuse() -> None:
        raise OUTAGE

    world.blobs.before["delete"] = refuse
    dropped(world, small())
    assert originals(world) == 1


def test_a_disk_that_fills_up_keeps_none_of_the_pictures_before(world: World):
    def fill() -> None:
        raise StorageFullError("The disk is full.")

    def arrange() -> None:
        world.blobs.before["put"] = fill

    world.blobs.after["put"] = arrange
    with pytest.raises(StorageFullError):
        world.offer(small(1), small(2))
    assert originals(world) == 0


def test_everything_at_once_ends_in_agreement(world: World):
    """Uploads, changes, removals and indexing by several workers, in no order at all."""

    def live(seed: int) -> None:
        [picture_id] = world.add(small(seed), tags=["old"])
        world.platform.indexing.index([picture_id])
        retag(world, picture_id)
        if seed % 3 == 0:
            world.platform.pictures.remove(picture_id)

    def work(_: int) -> None:
        with suppress(NotFoundError):
            pending = world.platform.pictures.list(Selection(state=State.PENDING), 50).pictures
            world.platform.indexing.index([one.picture.id for one in pending])

    with ThreadPoolExecutor(4) as pool:
        lives = pool.map(live, range(12))
        list(pool.map(work, range(12)))
        list(lives)
    shown = world.platform.pictures.list(Selection(), 100).pictures
    assert len(shown) == 8
    assert {one.state for one in shown} == {State.INDEXED}
    assert all(follows(world, one.picture.id) for one in shown)
    assert world.vectors.count() == 8
    assert len(world.blob_names()) == 16
    assert is_settled(world)


def test_a_slow_worker_that_fails_does_not_undo_what_another_has_done(world: World):
    [picture_id] = world.add(small())

    def another_is_quicker() -> None:
        with world.db.write() as session:  # the lease has run out
            session.execute(update(Entry).values(leased_until=None))
        world.platform.indexing.index([picture_id])
        world.lose_original(picture_id)

    world.blobs.before["open"] = another_is_quicker
    world.work()
    assert world.state(picture_id) == State.INDEXED
