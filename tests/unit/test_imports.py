"""Imports: every item ends once as new, duplicate or failed, whatever happens on the way."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from lookalike.services.claims import OvertakenError
from lookalike.services.errors import InvalidRequestError, NotFoundError, SourceError
from lookalike.services.importing.progress import Progress
from lookalike.services.importing.starting import Wanted
from lookalike.services.models import (
    Import,
    ImportedPicture,
    ImportState,
    IndexState,
    OutboxItem,
    Picture,
    State,
    now,
)
from lookalike.services.pictures import Selection
from lookalike.services.records import Queue
from lookalike.services.reindexing.lifecycle import Plan
from tests.factories import ODD
from tests.platforms import OUTAGE, World, make_world, small

pytestmark = pytest.mark.both_databases

BAD = {f"{name}.jpg": ODD[name].data for name in ("text", "empty", "jpeg_truncated")}


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip file of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def scenes(first: int, count: int) -> dict[str, bytes]:
    return {f"{number}.jpg": small(number) for number in range(first, first + count)}


def start(world: World, files: Mapping[str, bytes], *, dry_run: bool = False, **wanted) -> UUID:
    with world.platform.staging.new() as staged:
        staged.write(zipped(files))
        options = {"kind": "zip", "spec": {}, "name": "a.zip", "library": "main", **wanted}
        return world.platform.imports.start(Wanted(**options, dry_run=dry_run), staged).row.id


def run(world: World, files: Mapping[str, bytes], **wanted) -> Progress:
    """Start an import and carry it out; how it ended."""
    import_id = start(world, files, **wanted)
    world.carry()
    return world.platform.imports.get(import_id)


def counts(progress: Progress) -> tuple[int, int, int]:
    row = progress.row
    return row.new, row.duplicate, row.failed


def pictures(world: World, library: str = "main") -> int:
    with world.db.read() as session:
        query = select(func.count()).where(Picture.library == library)
        return session.scalar(query) or 0


@pytest.fixture
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Batches of three items, so that small imports take several."""
    monkeypatch.setattr("lookalike.services.importing.taking.BATCH_ITEMS", 3)
    monkeypatch.setattr("lookalike.services.importing.bringing.BATCH_ITEMS", 3)
    return


def test_every_item_ends_once(world: World, few_at_once):
    world.indexed(small(0))
    files = scenes(0, 7) | BAD | {"twin.jpg": small(3)}
    done = run(world, files, tags=["trip"])
    assert done.row.state == ImportState.DONE
    assert (counts(done), done.found, done.row.total) == ((6, 2, 3), 11, 11)
    stored = [small(number) for number in range(1, 7)] + [BAD["jpeg_truncated.jpg"]]
    assert done.row.bytes == sum(map(len, stored))
    assert pictures(world) == 8
    page = world.platform.pictures.list(Selection(tag="trip", state=State.INDEXED), 50)
    assert len(page.pictures) == 6
    failures = world.platform.imports.failures(done.row.id, 2)
    assert [(one.name, one.code) for one in failures.failures] == [
        ("text.jpg", "not_an_image"),
        ("empty.jpg", "empty_file"),
    ]
    rest = world.platform.imports.failures(done.row.id, 2, failures.next_position)
    assert ([one.name for one in rest.failures], rest.next_position) == (
        ["jpeg_truncated.jpg"],
        None,
    )
    assert world.platform.imports.codes(done.row.id) == dict.fromkeys(
        sorted(["not_an_image", "empty_file", rest.failures[0].code]), 1
    )


def test_pictures_wait_in_the_bulk_queue(world: World):
    start(world, scenes(0, 2))
    world.platform.carrying.go_on(*world.queue.imports.pop())
    assert set(world.queue.queues) == {Queue.BULK}


def test_a_picture_that_fails_while_it_is_indexed_counts_as_failed(world: World):
    files = scenes(0, 3)
    import_id = start(world, files)
    world.platform.carrying.go_on(*world.queue.imports.pop())
    [first, *_] = world.queue.batches[0]
    world.lose_original(first)
    world.carry()
    done = world.platform.imports.get(import_id)
    assert (done.row.state, counts(done)) == (ImportState.DONE, (2, 0, 1))
    [failure] = world.platform.imports.failures(import_id, 10).failures
    assert (failure.code, failure.picture_id, failure.position) == ("blob_missing", first, 0)


def test_the_same_import_twice_stores_nothing_twice(world: World):
    assert counts(run(world, scenes(0, 5))) == (5, 0, 0)
    assert counts(run(world, scenes(0, 5))) == (0, 5, 0)
    assert pictures(world) == 5


def test_a_task_that_comes_twice_does_nothing_twice(world: World, few_at_once):
    import_id = start(world, scenes(0, 8))
    first = world.queue.imports.pop(0)
    world.platform.carrying.go_on(*first)
    before = world.platform.imports.get(import_id).row
    world.platform.carrying.go_on(*first)
    after = world.platform.imports.get(import_id).row
    assert (before.position, before.ticket) == (after.position, after.ticket)
    assert len(world.queue.imports) == 1


def test_it_waits_while_enough_of_its_pictures_are_pending(tmp_path: Path, few_at_once):
    world = make_world(tmp_path / "data", import_pending=4)
    import_id = start(world, scenes(0, 12))
    for _ in range(5):
        world.platform.carrying.go_on(*world.queue.imports.pop())
    progress = world.platform.imports.get(import_id)
    assert (progress.row.position, progress.pending) == (6, 6)
    world.carry()
    assert counts(world.platform.imports.get(import_id)) == (12, 0, 0)
    world.platform.close()


def test_a_worker_that_dies_loses_nothing_and_repeats_nothing(world: World, few_at_once):
    import_id = start(world, scenes(0, 10) | BAD)
    claims = world.platform.carrying._claims
    claim = claims.take(*world.queue.imports.pop())
    world.platform.carrying._go_on(claim)
    assert world.platform.sweeping.run() == 0
    assert world.queue.imports == []  # its lease is good
    with world.db.write() as session:
        session.execute(update(Import).values(leased_until=now()))
    world.platform.sweeping.run()
    world.carry()
    done = world.platform.imports.get(import_id)
    assert (done.row.state, counts(done), pictures(world)) == (ImportState.DONE, (10, 0, 3), 11)


def test_whoever_was_overtaken_writes_nothing(world: World, few_at_once):
    import_id = start(world, scenes(0, 6))
    claim = world.platform.carrying._claims.take(*world.queue.imports.pop())
    with world.db.write() as session:
        session.execute(update(Import).values(leased_until=now()))
    world.platform.sweeping.run()
    world.carry()
    with pytest.raises(OvertakenError):
        world.platform.carrying._go_on(claim)
    assert counts(world.platform.imports.get(import_id)) == (6, 0, 0)


def test_pause_stops_after_the_batch_and_resume_goes_on_there(world: World, few_at_once):
    imports = world.platform.imports
    import_id = start(world, scenes(0, 9))
    imports.pause(import_id)
    world.carry()
    assert imports.get(import_id).row.position == 0
    imports.resume(import_id)
    assert imports.get(import_id).row.state == ImportState.QUEUED
    world.blobs.after["put"] = lambda: imports.pause(import_id)
    world.carry()
    paused = imports.get(import_id)
    assert (paused.row.state, paused.row.position) == (ImportState.PAUSED, 3)
    imports.resume(import_id)
    world.carry()
    assert (imports.get(import_id).row.state, pictures(world)) == (ImportState.DONE, 9)


def test_cancel_keeps_what_is_in(world: World, few_at_once):
    imports = world.platform.imports
    import_id = start(world, scenes(0, 9))
    world.blobs.after["put"] = lambda: imports.cancel(import_id)
    world.carry()
    assert (imports.get(import_id).row.state, pictures(world)) == (ImportState.CANCELLED, 3)
    assert imports.cancel(import_id).row.state == ImportState.CANCELLED
    with pytest.raises(InvalidRequestError):
        imports.pause(import_id)


def test_an_outage_is_waited_out(world: World):
    import_id = start(world, scenes(0, 3))
    world.blobs.failure = OUTAGE
    world.platform.carrying.go_on(*world.queue.imports.pop())
    waiting = world.platform.imports.get(import_id).row
    assert (waiting.state, waiting.message) == (ImportState.RUNNING, OUTAGE.message)
    world.blobs.failure = None
    world.carry()
    done = world.platform.imports.get(import_id)
    assert (counts(done), done.row.message) == ((3, 0, 0), None)


def test_a_mistake_of_ours_ends_the_import_with_a_sentence(world: World):
    import_id = start(world, scenes(0, 3))
    world.blobs.failure = RuntimeError("a bug")
    world.carry()
    failed = world.platform.imports.get(import_id).row
    assert (failed.state, failed.code) == (ImportState.FAILED, "internal")
    world.blobs.failure = None
    world.platform.imports.resume(import_id)
    world.carry()
    assert counts(world.platform.imports.get(import_id)) == (3, 0, 0)


def test_what_is_no_archive_is_refused_and_leaves_nothing(world: World):
    with world.platform.staging.new() as staged:
        staged.write(b"no zip")
        with pytest.raises(SourceError):
            world.platform.imports.start(Wanted("zip", {}, "a.zip", "main"), staged)
    assert world.platform.imports.list(10) == []
    assert list((world.folder / "blobs").rglob("imports/*")) == []
    with pytest.raises(NotFoundError):
        start(world, {}, library="nowhere")


def test_the_uploaded_file_goes_when_all_is_in_and_stays_while_something_can_be_retried(
    world: World,
):
    complete = run(world, scenes(0, 2))
    partly = run(world, BAD)
    assert complete.row.file_key is None
    kept = [path.name for path in (world.folder / "blobs" / "imports").glob("*")]
    assert kept == [str(partly.row.id)]
    assert world.staged_files() == []


def test_retry_reads_what_was_refused_and_indexes_what_had_failed(world: World, few_at_once):
    imports = world.platform.imports
    import_id = start(world, scenes(0, 4) | BAD | scenes(10, 1))
    world.platform.carrying.go_on(*world.queue.imports.pop())
    lost = world.queue.batches[0][1]
    world.lose_original(lost)
    world.carry()
    assert counts(imports.get(import_id)) == (4, 0, 4)
    world.offer(small(1))  # the original is back
    imports.retry(import_id)
    world.carry()
    done = imports.get(import_id)
    assert (done.row.state, counts(done)) == (ImportState.DONE, (5, 0, 3))
    assert world.state(lost) == State.INDEXED
    [first, *_] = imports.failures(import_id, 10).failures
    imports.retry(import_id, first.position)
    world.carry()
    assert counts(imports.get(import_id)) == (5, 0, 3)
    with pytest.raises(NotFoundError):
        imports.retry(import_id, 10_000)


def everything(world: World) -> tuple[int, int, set[str]]:
    with world.db.read() as session:
        left = session.scalar(select(func.count()).select_from(OutboxItem))
    assert left == 0
    files = {name for name in world.blob_names() if not name.startswith("imports/")}
    return pictures(world), world.vectors.count(), files


def vectors(world: World) -> list[int]:
    """How many vectors each index has, the live one first."""
    return [one.count() for one in world.platform.indexes.collections()]


def test_undo_removes_what_the_import_alone_brought_in_from_all_three_stores(world: World):
    world.indexed(small(0))
    before = everything(world)
    done = run(world, scenes(0, 6) | BAD)
    assert everything(world) != before
    world.platform.imports.undo(done.row.id)
    world.carry()
    undone = world.platform.imports.get(done.row.id).row
    assert (undone.state, undone.removed) == (ImportState.UNDONE, 6)
    assert everything(world) == before
    with world.db.read() as session:
        assert session.scalar(select(func.count()).select_from(ImportedPicture)) == 0
    assert list((world.folder / "blobs" / "imports").glob("*")) == []


@pytest.mark.parametrize("state", [IndexState.BUILDING, IndexState.READY])
def test_undo_removes_vectors_from_an_index_beside_the_live_one_too(
    world: World, state: IndexState
):
    world.indexed(small(0))
    index_id = beside(world, state)
    before = everything(world)
    assert vectors(world) == [1, 1]
    done = run(world, scenes(0, 6) | BAD)
    assert vectors(world) == [6, 6]
    world.platform.imports.undo(done.row.id)
    world.carry()
    assert world.platform.reindexing.get(index_id).row.state == state
    assert (everything(world), vectors(world)) == (before, [1, 1])
    world.build()
    assert (everything(world), vectors(world)) == (before, [1, 1])
    assert world.platform.checking.run(patience=0).differences == []


def test_undo_leaves_nothing_for_an_index_whose_build_was_paused(world: World, few_at_once):
    world.indexed(small(0))
    index_id = beside(world, IndexState.BUILDING)
    before = everything(world)
    world.platform.reindexing.pause(index_id)
    done = run(world, scenes(0, 6))
    assert vectors(world) == [6, 1]
    world.platform.imports.undo(done.row.id)
    world.carry()
    world.platform.reindexing.resume(index_id)
    world.build()
    assert world.platform.reindexing.get(index_id).row.state == IndexState.READY
    assert (everything(world), vectors(world)) == (before, [1, 1])
    assert world.platform.checking.run(patience=0).differences == []


def beside(world: World, state: IndexState) -> UUID:
    """An index that has every picture, beside the live one; BUILDING until queued work is done."""
    index_id = world.platform.reindexing.start(Plan(model="coarse")).row.id
    world.platform.building.go_on(*world.queue.builds.pop(0))
    world.work()
    if state == IndexState.READY:
        world.build()
    assert world.platform.reindexing.get(index_id).row.state == state
    return index_id


def test_undo_leaves_what_was_uploaded_by_itself_as_well(world: World):
    done = run(world, scenes(0, 3))
    world.indexed(small(1))
    world.platform.imports.undo(done.row.id)
    world.carry()
    assert pictures(world) == 1


def test_undoing_two_imports_of_the_same_pictures_ends_the_same_in_either_order(world: World):
    one, two = run(world, scenes(0, 4)), run(world, scenes(2, 4))
    world.platform.imports.undo(one.row.id)
    world.carry()
    assert pictures(world) == 4
    world.platform.imports.undo(two.row.id)
    world.carry()
    assert pictures(world) == 0
    assert world.vectors.count() == 0


def test_what_runs_cannot_be_undone(world: World):
    import_id = start(world, scenes(0, 3))
    with pytest.raises(InvalidRequestError):
        world.platform.imports.undo(import_id)
    world.carry()
    rehearsal = run(world, scenes(0, 3), dry_run=True)
    with pytest.raises(InvalidRequestError):
        world.platform.imports.undo(rehearsal.row.id)


def test_a_rehearsal_foretells_the_outcome_and_stores_nothing(world: World, few_at_once):
    world.indexed(small(0))
    before = everything(world)
    files = scenes(0, 7) | BAD | {"twin.jpg": small(3), "broken.jpg": broken()}
    rehearsed = run(world, files, dry_run=True)
    assert rehearsed.row.state == ImportState.DONE
    assert everything(world) == before
    foretold = rehearsed.row.rehearsal
    world.platform.imports.perform(rehearsed.row.id)
    world.carry()
    done = world.platform.imports.get(rehearsed.row.id)
    assert done.row.state == ImportState.DONE
    assert counts(done) == (foretold["new"], foretold["duplicate"], foretold["failed"])
    assert counts(done) == (6, 2, 4)
    assert world.platform.imports.codes(done.row.id) == foretold["codes"]
    assert done.row.bytes == foretold["bytes"]
    assert foretold["seconds"] >= 0


def broken() -> bytes:
    """A picture that looks sound from outside and cannot be decoded."""
    data = bytearray(small(77, format="PNG"))
    middle = len(data) // 2
    data[middle : middle + 40] = bytes(40)
    return bytes(data)


def test_folders_outside_the_roots_are_refused(tmp_path: Path):
    inside, outside = tmp_path / "in", tmp_path / "out"
    for folder in (inside, outside):
        folder.mkdir()
        (folder / "a.jpg").write_bytes(small(1))
    world = make_world(tmp_path / "data", import_roots=(inside,))
    imports = world.platform.imports
    with pytest.raises(SourceError):
        imports.start(Wanted("folder", {"path": str(outside)}, "out", "main"))
    import_id = imports.start(Wanted("folder", {"path": str(inside)}, "in", "main")).row.id
    world.carry()
    assert counts(imports.get(import_id)) == (1, 0, 0)
    world.platform.close()


def test_a_manifest_gives_each_picture_its_own_labels(tmp_path: Path):
    (tmp_path / "in").mkdir()
    for number in range(3):
        (tmp_path / "in" / f"{number}.jpg").write_bytes(small(number))
    table = "path,title,tags,price\n0.jpg,Zero,red,1\n1.jpg,One,blue,2\nnone.jpg,,,\n2.jpg,Two,,3\n"
    world = make_world(tmp_path / "data", import_roots=(tmp_path / "in",))
    with world.platform.staging.new() as staged:
        staged.write(table.encode())
        spec = {"format": "csv", "folder": str(tmp_path / "in")}
        wanted = Wanted("manifest", spec, "a.csv", "main", tags=["all"])
        import_id = world.platform.imports.start(wanted, staged).row.id
    world.carry()
    assert counts(world.platform.imports.get(import_id)) == (3, 0, 1)
    assert world.platform.imports.codes(import_id) == {"missing_file": 1}
    found = [one.picture for one in world.platform.pictures.list(Selection(), 9).pictures]
    labels = sorted((one.title, one.tags, one.attributes["price"]) for one in found)
    assert labels == [
        ("One", ("all", "blue"), 2),
        ("Two", ("all",), 3),
        ("Zero", ("all", "red"), 1),
    ]
    world.platform.close()


def test_urls_of_this_machine_are_refused_one_by_one(world: World):
    with world.platform.staging.new() as staged:
        staged.write(b"http://127.0.0.1:1/a.jpg\nhttp://169.254.169.254/latest\n")
        import_id = world.platform.imports.start(Wanted("urls", {}, "a.txt", "main"), staged).row.id
    world.carry()
    assert world.platform.imports.codes(import_id) == {"blocked_address": 2}


def test_an_item_that_takes_longer_than_a_lease_is_read_once(tmp_path: Path):
    world = make_world(tmp_path / "data", lease_seconds=1)
    import_id = start(world, scenes(0, 2))
    swept = []

    def dawdle() -> None:
        time.sleep(1.5)
        world.platform.sweeping.run()
        swept.extend(world.queue.imports)

    world.blobs.after["put"] = dawdle
    world.carry()
    assert swept == []
    assert counts(world.platform.imports.get(import_id)) == (2, 0, 0)
    world.platform.close()


def test_a_process_has_one_import_in_hand_at_a_time(world: World):
    one, two = start(world, scenes(0, 2)), start(world, scenes(5, 2))
    first, second = world.queue.imports
    world.queue.imports.clear()
    world.blobs.after["put"] = lambda: world.platform.carrying.go_on(*second)
    world.platform.carrying.go_on(*first)
    assert second in world.queue.imports
    assert world.platform.imports.get(two).row.state == ImportState.QUEUED
    world.carry()
    assert [counts(world.platform.imports.get(each)) for each in (one, two)] == [(2, 0, 0)] * 2
