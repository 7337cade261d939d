"""What fails late, after a cancel, or more than once is told all the same; retries stay small."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import event, update

from lookalike.services.errors import InvalidRequestError
from lookalike.services.importing import ledger
from lookalike.services.models import Import, ImportState
from tests.factories import ODD
from tests.platforms import World, small
from tests.unit.test_imports import BAD, counts, few_at_once, pictures, run, scenes, start

__all__ = ["few_at_once"]

pytestmark = pytest.mark.both_databases


def lost(world: World, import_id: UUID) -> None:
    """Bring one batch in, and lose the files of all of it before it is indexed."""
    world.platform.carrying.go_on(*world.queue.imports.pop())
    for picture_id in world.queue.batches[0]:
        world.lose_original(picture_id)


def test_however_many_fail_at_the_end_each_is_in_the_list_when_it_is_done(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ledger, "COLLECTED", 2)
    import_id = start(world, scenes(0, 7))
    lost(world, import_id)
    world.carry()
    done = world.platform.imports.get(import_id)
    assert (done.row.state, counts(done)) == (ImportState.DONE, (0, 0, 7))
    assert len(world.platform.imports.failures(import_id, 10).failures) == 7


@pytest.mark.parametrize("end", ["cancel", "pause"])
def test_what_fails_after_it_was_stopped_counts_as_failed(world: World, end: str):
    import_id = start(world, scenes(0, 3))
    lost(world, import_id)
    getattr(world.platform.imports, end)(import_id)
    world.work()
    assert len(world.platform.imports.failures(import_id, 10).failures) == 3
    assert counts(world.platform.imports.get(import_id)) == (0, 0, 3)
    assert world.platform.imports.codes(import_id) == {"blob_missing": 3}
    assert [counts(one) for one in world.platform.imports.list(5)] == [(0, 0, 3)]


def test_a_retry_after_a_cancel_brings_in_nothing_else(world: World, few_at_once):
    imports = world.platform.imports
    import_id = start(world, BAD | scenes(0, 9))
    world.blobs.after["put"] = lambda: imports.cancel(import_id)
    world.carry()
    cancelled = imports.get(import_id)
    assert (cancelled.row.state, cancelled.row.position) == (ImportState.CANCELLED, 3)
    first, *_ = imports.failures(import_id, 1).failures
    imports.retry(import_id, first.position)
    world.carry()
    again = imports.get(import_id)
    assert (again.row.state, again.row.position) == (ImportState.CANCELLED, 3)
    assert pictures(world) == 1


@pytest.mark.parametrize("dry_run", [False, True])
def test_each_copy_of_a_broken_picture_counts_as_failed(world: World, few_at_once, dry_run: bool):
    broken = ODD["jpeg_truncated"].data
    files = {f"{number}.jpg": broken for number in range(5)} | scenes(10, 2)
    done = run(world, files, dry_run=dry_run)
    assert counts(done) == (2, 0, 5)
    names = [one.name for one in world.platform.imports.failures(done.row.id, 10).failures]
    assert names == [f"{number}.jpg" for number in range(5)]


def test_copies_are_undone_with_their_picture(world: World, few_at_once):
    files = {f"{number}.jpg": small(1) for number in range(5)}
    done = run(world, files)
    assert counts(done) == (1, 4, 0)
    world.platform.imports.undo(done.row.id)
    world.carry()
    assert (world.platform.imports.get(done.row.id).row.removed, pictures(world)) == (1, 0)


def test_many_failures_are_retried_in_statements_of_bounded_size(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    import_id = start(world, scenes(0, 30))
    lost(world, import_id)
    world.carry()
    monkeypatch.setattr("lookalike.services.slices.sliced.__defaults__", (2,))
    most = 0

    def watch(*call: object) -> None:
        nonlocal most
        parameters = call[3]
        most = max(most, len(parameters) if isinstance(parameters, tuple | dict) else 0)

    event.listen(world.db.engine, "before_cursor_execute", watch)
    world.platform.imports.retry(import_id)
    assert 0 < most < 20
    assert counts(world.platform.imports.get(import_id))[2] == 0


def test_what_is_stored_is_retried_where_the_file_is_gone(world: World):
    imports = world.platform.imports
    import_id = start(world, scenes(0, 3) | {"text.jpg": b"text", "empty.jpg": b""})
    lost(world, import_id)
    world.carry()
    with world.db.write() as session:
        session.execute(update(Import).values(file_key=None))
    world.offer(*scenes(0, 3).values())
    imports.retry(import_id)
    world.carry()
    assert counts(imports.get(import_id)) == (3, 0, 2)
    with pytest.raises(InvalidRequestError, match="Import them again"):
        imports.retry(import_id)


def test_progress_is_looked_up_from_what_is_pending_and_not_from_all_that_was_brought(
    world: World,
):
    if world.db.engine.dialect.name != "sqlite":
        pytest.skip("only SQLite chose the wrong order")
    done = run(world, scenes(0, 3))
    asked: list[tuple[str, object]] = []
    event.listen(
        world.db.engine,
        "before_cursor_execute",
        lambda _c, _u, statement, values, *_: asked.append((statement, values)),
    )
    with world.db.read() as session:
        ledger.pending(session, done.row.id)
        ledger.has_uncollected(session, done.row)
    joined = [one for one in asked if "JOIN entries" in one[0]]
    assert len(joined) == 2
    for statement, values in joined:
        with world.db.engine.connect() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
        told = " ".join(map(str, plan))
        assert "ix_entries_index_state" in told
        assert "imported_pictures USING INDEX ix_imported_pictures_picture_id" in told, told


def test_an_undoing_that_goes_wrong_can_only_be_undone_again(world: World, monkeypatch):
    imports = world.platform.imports
    done = run(world, scenes(0, 3))
    imports.undo(done.row.id)
    with monkeypatch.context() as broken:
        broken.setattr("lookalike.services.importing.undoing.TOGETHER", "a mistake of ours")
        world.carry()
    stopped = imports.get(done.row.id).row
    assert (stopped.state, stopped.code) == (ImportState.CANCELLED, "internal")
    assert "undo it again" in (stopped.message or "")
    with pytest.raises(InvalidRequestError):
        imports.resume(done.row.id)
    imports.undo(done.row.id)
    world.carry()
    assert (imports.get(done.row.id).row.state, pictures(world)) == (ImportState.UNDONE, 0)


def test_what_is_to_be_retried_is_not_looked_for_among_all_that_failed(world: World):
    if world.db.engine.dialect.name != "sqlite":
        pytest.skip("the plan is SQLite's")
    done = run(world, {"text.jpg": b"text"})
    query = ledger.to_retry(done.row.id).compile(
        world.db.engine, compile_kwargs={"literal_binds": True}
    )
    with world.db.engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}").all()
    assert "ix_import_failures_retry" in str(plan), plan
