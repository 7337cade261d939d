"""Files that are sent: taken once each, in their order, and gone on with by whoever sends them."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, update

from lookalike.services.errors import InvalidRequestError, MissingFileError, NotFoundError
from lookalike.services.importing.progress import Progress
from lookalike.services.importing.receiving import Sent
from lookalike.services.importing.starting import Wanted
from lookalike.services.models import Import, ImportedPicture, ImportState, now
from lookalike.services.pictures import Selection
from tests.platforms import World, small
from tests.unit.test_imports import counts, pictures, start

pytestmark = pytest.mark.both_databases

FILES = [small(0), b"no picture", small(1), small(0)]


def wanted(files: int = len(FILES), fingerprint: str = "a" * 64, **more) -> Wanted:
    spec = {"files": files, "fingerprint": fingerprint}
    return Wanted("files", spec, "pictures", "main", ["trip"], **more)


def begin(world: World) -> UUID:
    return world.platform.imports.start(wanted()).row.id


def send(world: World, import_id: UUID, position: int, *files: bytes) -> Progress:
    staged = [world.platform.staging.new() for _ in files]
    for one, data in zip(staged, files, strict=True):
        one.write(data)
    sent = [Sent(f"holiday/{position + at}.jpg", one) for at, one in enumerate(staged)]
    try:
        world.platform.receiving.receive(import_id, position, sent)
    finally:
        for one in staged:
            one.close()
    return world.platform.imports.get(import_id)


def test_every_file_ends_once_with_the_tags_of_the_import(world: World):
    import_id = begin(world)
    assert send(world, import_id, 0, *FILES[:2]).found == 2
    world.step()
    assert world.platform.imports.get(import_id).row.state == ImportState.RUNNING
    assert send(world, import_id, 2, *FILES[2:]).found == 4
    world.carry()
    done = world.platform.imports.get(import_id)
    assert (done.row.state, counts(done), done.row.total) == (ImportState.DONE, (2, 1, 1), 4)
    [failure] = world.platform.imports.failures(import_id, 10).failures
    assert (failure.name, failure.code) == ("holiday/1.jpg", "not_an_image")
    page = world.platform.pictures.list(Selection(tag="trip"), 10)
    assert {one.picture.filename for one in page.pictures} == {"0.jpg", "2.jpg"}


def test_files_that_are_sent_twice_count_once(world: World):
    import_id = begin(world)
    for _ in range(3):
        assert send(world, import_id, 0, *FILES[:2]).found == 2
    assert counts(world.platform.imports.get(import_id)) == (1, 0, 1)


def test_a_gap_is_refused_and_says_where_to_go_on(world: World):
    import_id = begin(world)
    send(world, import_id, 0, *FILES[:1])
    with pytest.raises(InvalidRequestError, match="position 1") as refused:
        send(world, import_id, 2, FILES[2])
    assert refused.value.details["found"] == 1
    assert pictures(world) == 1


def test_more_files_than_were_announced_are_refused(world: World):
    import_id = begin(world)
    with pytest.raises(InvalidRequestError, match="4 files"):
        send(world, import_id, 0, *FILES, small(9))
    assert pictures(world) == 0


def test_nothing_is_taken_while_it_is_paused_or_after_its_end(world: World):
    import_id = begin(world)
    world.platform.imports.pause(import_id)
    assert send(world, import_id, 0, FILES[0]).found == 0
    world.platform.imports.resume(import_id)
    assert send(world, import_id, 0, FILES[0]).found == 1
    world.platform.imports.cancel(import_id)
    assert send(world, import_id, 1, FILES[2]).found == 1
    assert pictures(world) == 1


def test_files_of_an_import_that_is_cancelled_under_them_are_not_kept(world: World):
    import_id = begin(world)
    world.blobs.after["put"] = lambda: world.platform.imports.cancel(import_id)
    assert send(world, import_id, 0, *FILES).found == 0
    assert (pictures(world), world.blob_names()) == (0, set())


def test_whoever_starts_the_same_again_goes_on_with_it(world: World):
    import_id = begin(world)
    send(world, import_id, 0, *FILES[:2])
    world.platform.imports.pause(import_id)
    again = world.platform.imports.start(wanted())
    assert (again.row.id, again.found, again.row.state) == (import_id, 2, ImportState.QUEUED)
    assert world.platform.imports.start(wanted(fingerprint="b" * 64)).row.id != import_id
    send(world, import_id, 2, *FILES[2:])
    world.platform.imports.cancel(import_id)
    assert world.platform.imports.start(wanted()).row.id != import_id


def test_what_the_sender_cannot_read_fails_with_its_reason(world: World):
    import_id = begin(world)
    error = MissingFileError("The file cannot be read (Permission denied).")
    world.platform.receiving.receive(import_id, 0, [Sent("a.jpg", None, error)])
    [failure] = world.platform.imports.failures(import_id, 10).failures
    assert (failure.name, failure.code, failure.message) == ("a.jpg", error.code, error.message)


def fall_silent(world: World, import_id: UUID) -> None:
    """Send the first two files, then nothing until the import is paused."""
    send(world, import_id, 0, *FILES[:2])
    world.step()
    with world.db.write() as session:
        session.execute(update(Import).values(received_at=now() - timedelta(minutes=11)))
    world.step()
    paused = world.platform.imports.get(import_id).row
    assert (paused.state, "same command" in (paused.message or "")) == (ImportState.PAUSED, True)


def test_it_is_paused_when_nothing_comes_for_long_and_goes_on_when_something_does(world: World):
    import_id = begin(world)
    fall_silent(world, import_id)
    assert world.platform.imports.start(wanted()).row.id == import_id
    world.step()
    assert world.platform.imports.get(import_id).row.state == ImportState.RUNNING


def test_what_was_not_stored_can_only_be_sent_again(world: World):
    import_id = begin(world)
    send(world, import_id, 0, *FILES)
    world.carry()
    with pytest.raises(InvalidRequestError, match="Import them again"):
        world.platform.imports.retry(import_id)


def test_only_an_import_of_files_takes_any(world: World):
    with pytest.raises(InvalidRequestError, match="zip"):
        send(world, start(world, {}), 0, FILES[0])
    with pytest.raises(NotFoundError):
        world.platform.receiving.receive(uuid4(), 0, [])


def rehearse(world: World) -> UUID:
    return world.platform.imports.start(wanted(dry_run=True)).row.id


def seen(world: World) -> int:
    """Bytes that rehearsals and imports remember."""
    with world.db.read() as session:
        return session.scalar(select(func.count()).select_from(ImportedPicture)) or 0


def test_a_rehearsal_foretells_what_sending_them_does_and_keeps_nothing(world: World):
    world.indexed(small(1))
    before, import_id = world.blob_names(), rehearse(world)
    assert send(world, import_id, 0, *FILES[:2]).row.state == ImportState.QUEUED
    world.step()
    assert world.platform.imports.get(import_id).row.state == ImportState.REHEARSING
    rehearsed = send(world, import_id, 2, *FILES[2:]).row
    assert rehearsed.state == ImportState.DONE
    assert (seen(world), world.blob_names(), world.staged_files()) == (0, before, [])
    assert (pictures(world), world.queue.batches) == (1, [])
    told = rehearsed.rehearsal
    assert told is not None
    assert (told["new"], told["duplicate"], told["codes"]) == (1, 2, {"not_an_image": 1})
    done_id = begin(world)
    send(world, done_id, 0, *FILES)
    world.carry()
    done = world.platform.imports.get(done_id)
    assert counts(done) == (told["new"], told["duplicate"], told["failed"])
    assert done.row.bytes == told["bytes"]
    assert world.platform.imports.codes(done_id) == told["codes"]


def test_a_rehearsal_judges_files_that_are_sent_twice_once(world: World):
    import_id = rehearse(world)
    for _ in range(3):
        assert counts(send(world, import_id, 0, *FILES[:2])) == (1, 0, 1)


def test_files_judged_for_a_rehearsal_that_somebody_cancels_meanwhile_count_for_nothing(
    world: World,
):
    import_id = rehearse(world)
    world.embedder.before["embed"] = lambda: world.platform.imports.cancel(import_id)
    dropped = send(world, import_id, 0, *FILES)
    assert (dropped.row.state, dropped.found, seen(world)) == (ImportState.CANCELLED, 0, 0)


def test_a_rehearsal_and_an_import_of_the_same_files_are_two(world: World):
    rehearsal_id, import_id = rehearse(world), begin(world)
    assert rehearsal_id != import_id
    send(world, rehearsal_id, 0, FILES[0])
    world.step()
    again = world.platform.imports.start(wanted(dry_run=True))
    assert (again.row.id, again.found) == (rehearsal_id, 1)
    assert world.platform.imports.start(wanted()).row.id == import_id


def test_a_rehearsal_that_nobody_sends_for_is_paused_and_goes_on_when_somebody_does(world: World):
    import_id = rehearse(world)
    fall_silent(world, import_id)
    assert world.platform.imports.start(wanted(dry_run=True)).row.id == import_id
    assert send(world, import_id, 2, *FILES[2:]).row.state == ImportState.DONE


def test_the_time_that_nobody_sent_is_not_foretold(world: World):
    import_id = rehearse(world)
    send(world, import_id, 0, *FILES[:2])
    with world.db.write() as session:
        session.execute(update(Import).values(received_at=now() - timedelta(minutes=9)))
    world.platform.imports.start(wanted(dry_run=True))
    rehearsal = send(world, import_id, 2, *FILES[2:]).row.rehearsal
    assert rehearsal is not None
    assert rehearsal["seconds"] < 500


def test_a_rehearsal_of_files_is_not_carried_out_without_them(world: World):
    import_id = rehearse(world)
    send(world, import_id, 0, *FILES)
    with pytest.raises(InvalidRequestError, match="without --dry-run"):
        world.platform.imports.perform(import_id)
    assert world.platform.imports.get(import_id).row.dry_run
