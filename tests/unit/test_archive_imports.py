"""Imports in archives: told, gone on with and undone on another platform as on their own."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, select, update

from lookalike.services.archive.restored_imports import NOT_HERE, RESUME, SEND_ON
from lookalike.services.errors import InvalidRequestError
from lookalike.services.importing.starting import Wanted
from lookalike.services.models import (
    Import,
    ImportedPicture,
    ImportFailure,
    ImportState,
    Picture,
    now,
)
from tests.platforms import World, make_world, small
from tests.unit.test_archive import backup, contents, refused, restore, write
from tests.unit.test_imports import (
    BAD,
    counts,
    everything,
    few_at_once,
    pictures,
    run,
    scenes,
    start,
)
from tests.unit.test_receiving import FILES, send, wanted

__all__ = ["few_at_once"]

pytestmark = pytest.mark.both_databases

OF_THE_PLATFORM = {
    *("file_key", "ticket", "leased_until", "updated_at"),
    *("rate", "rated_at", "rated_settled", "received_at"),
}
"""What is told of an import only where it runs."""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of pictures that may be imported from."""
    (tmp_path / "photos").mkdir()
    for name, data in scenes(0, 7).items():
        (tmp_path / "photos" / name).write_bytes(data)
    return tmp_path / "photos"


@pytest.fixture
def home(tmp_path: Path, photos: Path) -> Iterator[World]:
    """The platform that is backed up: SQLite."""
    made = make_world(tmp_path / "home", import_roots=(photos,))
    yield made
    made.platform.close()


@pytest.fixture
def other(tmp_path: Path, photos: Path, database_url: str) -> Iterator[World]:
    """Another platform, on either database, with nothing in it."""
    folder = tmp_path / "other"
    made = make_world(folder, database_url=database_url, import_roots=(photos,))
    yield made
    made.platform.close()


@pytest.fixture
def move(tmp_path: Path, other: World) -> Callable[[World], World]:
    """Has the other platform take in all of one; nothing is gone on with there yet."""

    def moved(world: World) -> World:
        backup(world, tmp_path / "a.tar")
        other.platform.restore.run(tmp_path / "a.tar")
        return other

    return moved


def rows(world: World) -> list[list[dict[str, Any]]]:
    """The imports, what they brought and what failed, but what only matters where they run."""
    with world.db.read() as session:
        return [
            [
                {
                    column.name: getattr(row, column.name)
                    for column in table.__table__.columns
                    if column.name not in OF_THE_PLATFORM
                }
                for row in session.scalars(select(table).order_by(*table.__table__.primary_key))
            ]
            for table in (Import, ImportedPicture, ImportFailure)
        ]


def row(world: World, import_id: UUID) -> Import:
    return world.platform.imports.get(import_id).row


def folder(world: World, **wanted: Any) -> UUID:
    """An import of a folder of the server, just begun."""
    spec = {"path": str(world.folder.parent / "photos")}
    return world.platform.imports.start(Wanted("folder", spec, "photos", "main", **wanted)).row.id


def undo(world: World, import_id: UUID) -> None:
    world.platform.imports.undo(import_id)
    world.carry()


# Those that had ended


def test_imports_go_to_another_database_and_back_as_they_were(
    home: World, move: Callable[[World], World], tmp_path: Path
):
    home.indexed(small(0))
    home.platform.libraries.create("attic")
    run(home, scenes(0, 6) | BAD | {"twin.jpg": small(3)}, tags=["été"])
    run(home, scenes(2, 3), library="attic")
    run(home, scenes(0, 9) | BAD, dry_run=True)
    undo(home, run(home, scenes(4, 5)).row.id)
    before = rows(home)
    there = move(home)
    assert rows(there) == before
    assert [len(part) for part in before] == [4, 11, 6]
    backup(there, tmp_path / "back.tar")
    back = make_world(tmp_path / "back")
    assert restore(back, tmp_path / "back.tar").imports == 4
    assert rows(back) == before
    assert back.platform.checking.run(deep=True, patience=0).differences == []
    back.platform.close()


def test_a_restored_import_tells_its_failures_and_tries_again_what_is_stored(
    home: World, move: Callable[[World], World]
):
    done = run(home, scenes(0, 3) | BAD)
    there = move(home)
    imports = there.platform.imports
    there.carry()
    assert [one.row.id for one in imports.list(10)] == [done.row.id]
    assert counts(imports.get(done.row.id)) == (3, 0, 3)
    assert imports.codes(done.row.id) == home.platform.imports.codes(done.row.id)
    names = [one.name for one in imports.failures(done.row.id, 10).failures]
    assert names == list(BAD)
    imports.retry(done.row.id)
    there.carry()
    assert (row(there, done.row.id).state, counts(imports.get(done.row.id))) == (
        ImportState.DONE,
        (3, 0, 3),
    )


def test_undoing_a_restored_import_removes_what_it_alone_brought_from_all_three_stores(
    home: World, move: Callable[[World], World]
):
    home.indexed(small(0))
    one, two = run(home, scenes(0, 5) | BAD), run(home, scenes(3, 4))
    there = move(home)
    there.work()
    assert pictures(there) == 8
    undo(there, one.row.id)
    assert (row(there, one.row.id).state, row(there, one.row.id).removed) == ("undone", 3)
    undo(home, one.row.id)
    assert everything(there) == everything(home)
    assert everything(there)[:2] == (5, 5)
    undo(there, two.row.id)
    assert everything(there)[:2] == (1, 1)
    assert there.platform.checking.run(deep=True, patience=0).differences == []


def test_where_the_same_imports_are_still_those_of_the_archive_take_their_place(
    other: World, tmp_path: Path
):
    done = run(other, scenes(0, 3) | BAD)
    before = rows(other)
    backup(other, tmp_path / "a.tar")
    undo(other, done.row.id)
    mine = start(other, scenes(7, 1))
    restore(other, tmp_path / "a.tar")
    assert [part for part in rows(other)[0] if part["id"] == done.row.id] == before[0]
    assert rows(other)[1:] == before[1:]
    other.carry()
    assert row(other, mine).state == ImportState.DONE
    undo(other, done.row.id)
    assert pictures(other) == 1


# Those that were under way


def begun(world: World, import_id: UUID) -> UUID:
    """The same import, after a batch of it."""
    world.step()
    assert row(world, import_id).state in {ImportState.RUNNING, ImportState.REHEARSING}
    assert row(world, import_id).position > 0
    return import_id


@pytest.fixture
def slow(few_at_once: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices of one batch, however fast the machine is."""
    monkeypatch.setattr("lookalike.services.importing.bringing.SLICE_SECONDS", 0)
    ticking = SimpleNamespace(monotonic=itertools.count().__next__)
    monkeypatch.setattr("lookalike.services.importing.rehearsing.time", ticking)


@pytest.mark.parametrize("state", ["queued", "running", "paused", "rehearsing"])
def test_what_was_read_from_an_uploaded_file_has_failed_and_says_what_to_do(
    home: World, move: Callable[[World], World], slow: None, state: str
):
    import_id = start(home, scenes(0, 7), dry_run=state == "rehearsing")
    if state != "queued":
        begun(home, import_id)
    if state == "paused":
        home.platform.imports.pause(import_id)
    assert row(home, import_id).state == state
    there = move(home)
    told = row(there, import_id)
    assert (told.state, told.code, told.message) == (ImportState.FAILED, "bad_source", NOT_HERE)
    assert told.ended_at is not None
    assert (told.file_key, there.queue.imports) == (None, [])
    if state != "rehearsing":
        brought = pictures(there)
        assert brought == (0 if state == "queued" else 3)
        done = run(there, scenes(0, 7))
        assert counts(done) == (7 - brought, brought, 0)
        undo(there, import_id)
        assert pictures(there) == 7


@pytest.mark.parametrize("dry_run", [False, True])
def test_what_can_be_read_again_waits_until_it_is_resumed(
    home: World, move: Callable[[World], World], slow: None, dry_run: bool
):
    import_id = begun(home, folder(home, dry_run=dry_run))
    there = move(home)
    assert (row(there, import_id).state, row(there, import_id).message) == (
        ImportState.PAUSED,
        RESUME,
    )
    there.carry()
    assert row(there, import_id).position == row(home, import_id).position
    there.platform.imports.resume(import_id)
    there.carry()
    done = there.platform.imports.get(import_id)
    assert (done.row.state, done.row.message, counts(done)) == (ImportState.DONE, None, (7, 0, 0))
    assert pictures(there) == (0 if dry_run else 7)


def test_what_the_owner_of_a_data_folder_had_read_is_nobodys_right_elsewhere(
    home: World, move: Callable[[World], World], slow: None, tmp_path: Path
):
    secret = tmp_path / "elsewhere"
    secret.mkdir()
    for name, data in scenes(0, 7).items():
        (secret / name).write_bytes(data)
    owned = Wanted("folder", {"path": str(secret)}, "x", "main", of_owner=True)
    import_id = begun(home, home.platform.imports.start(owned).row.id)
    there = move(home)
    assert (row(there, import_id).state, row(there, import_id).message) == (
        ImportState.FAILED,
        NOT_HERE,
    )
    there.platform.imports.resume(import_id)
    there.carry()
    assert row(there, import_id).state == ImportState.FAILED
    assert "may be imported from" in row(there, import_id).message
    assert pictures(there) == 3


@pytest.mark.parametrize("dry_run", [False, True])
def test_files_are_sent_on_where_that_stopped(
    home: World, move: Callable[[World], World], dry_run: bool
):
    import_id = home.platform.imports.start(wanted(dry_run=dry_run)).row.id
    send(home, import_id, 0, *FILES[:2])
    there = move(home)
    assert (row(there, import_id).state, row(there, import_id).message) == (
        ImportState.PAUSED,
        SEND_ON,
    )
    assert send(there, import_id, 2, *FILES[2:]).found == 2
    assert there.platform.imports.start(wanted(dry_run=dry_run)).row.id == import_id
    send(there, import_id, 2, *FILES[2:])
    there.carry()
    done = there.platform.imports.get(import_id)
    assert (done.row.state, counts(done)) == (ImportState.DONE, (2, 1, 1))


def test_what_has_read_everything_ends_by_itself(home: World, move: Callable[[World], World]):
    import_id = start(home, scenes(0, 3) | BAD)
    home.platform.carrying.go_on(*home.queue.imports.pop())
    assert (row(home, import_id).state, row(home, import_id).exhausted) == ("running", True)
    there = move(home)
    assert row(there, import_id).state == ImportState.RUNNING
    there.carry()
    done = there.platform.imports.get(import_id)
    assert (done.row.state, counts(done)) == (ImportState.DONE, (3, 0, 3))


def test_what_was_being_undone_is_undone_on_when_all_is_there(
    home: World, move: Callable[[World], World]
):
    home.indexed(small(0))
    done = run(home, scenes(0, 3))
    home.platform.imports.undo(done.row.id)
    there = move(home)
    assert row(there, done.row.id).state == ImportState.UNDOING
    there.carry()
    assert row(there, done.row.id).state == ImportState.UNDONE
    assert everything(there)[:2] == (1, 1)
    assert there.platform.checking.run(deep=True, patience=0).differences == []


def test_a_restore_that_is_cut_short_undoes_nothing_behind_its_back(
    home: World, other: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    done = run(home, scenes(0, 3))
    home.platform.imports.undo(done.row.id)
    backup(home, tmp_path / "a.tar", vectors=True)
    monkeypatch.setattr("lookalike.services.archive.restore.go_on", _cut)
    with pytest.raises(KeyboardInterrupt):
        other.platform.restore.run(tmp_path / "a.tar")
    told = row(other, done.row.id)
    assert (told.state, "Undo it again" in told.message) == (ImportState.CANCELLED, True)
    undo(other, done.row.id)
    assert pictures(other) == 0


def _cut(*_: object) -> None:
    raise KeyboardInterrupt


def test_nobody_has_a_restored_import_in_hand(home: World, move: Callable[[World], World]):
    import_id = start(home, scenes(0, 3))
    home.platform.carrying.go_on(*home.queue.imports.pop())
    ticket = uuid4()
    with home.db.write() as session:
        held = {"ticket": ticket, "leased_until": now() + timedelta(days=1)}
        session.execute(update(Import).values(held))
    there = move(home)
    assert (row(there, import_id).ticket != ticket, row(there, import_id).leased_until) == (
        True,
        None,
    )
    there.work()
    there.platform.carrying.go_on(import_id, ticket)
    assert row(there, import_id).state == ImportState.RUNNING
    there.carry()
    assert row(there, import_id).state == ImportState.DONE


def test_what_was_to_be_tried_again_waits_until_somebody_asks(
    home: World, move: Callable[[World], World]
):
    done = run(home, scenes(0, 3) | BAD)
    home.platform.imports.retry(done.row.id)
    there = move(home)
    there.carry()
    assert row(there, done.row.id).state == ImportState.DONE
    assert counts(there.platform.imports.get(done.row.id)) == (3, 0, 3)
    with pytest.raises(InvalidRequestError, match="Import them again"):
        there.platform.imports.retry(done.row.id, 3)


# One moment, and what is lost


def test_imports_are_of_the_same_moment_as_the_pictures(other: World, tmp_path: Path, slow: None):
    import_id = begun(other, folder(other))
    position = row(other, import_id).position
    going_on = iter([other.step])

    def show(what: str, *_: int) -> None:
        if what == "Rows":
            next(going_on, bool)()

    other.platform.backup.run(tmp_path / "a.tar", vectors=False, show=show)
    assert row(other, import_id).position > position
    members = contents(tmp_path / "a.tar")
    [told] = lines(members, "imports")
    assert told["position"] == told["new"] == position == 3
    assert len(lines(members, "pictures")) == len(lines(members, "imported")) == 3


def test_a_picture_whose_original_is_lost_is_no_longer_of_its_import(
    home: World, move: Callable[[World], World]
):
    done = run(home, scenes(0, 3))
    with home.db.read() as session:
        lost = session.scalars(select(Picture.id)).first()
    home.lose_original(lost)
    there = move(home)
    there.work()
    assert lost not in {one["picture_id"] for one in rows(there)[1]}
    assert (pictures(there), len(rows(there)[1])) == (2, 2)
    undo(there, done.row.id)
    assert pictures(there) == 0


def test_an_import_of_many_is_taken_in_in_statements_of_bounded_size(
    home: World, other: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    run(home, scenes(0, 20) | {f"bad {number}.jpg": b"text" for number in range(20)})
    backup(home, tmp_path / "a.tar")
    monkeypatch.setattr("lookalike.services.slices.sliced.__defaults__", (2,))
    most = 0

    def watch(*call: Any) -> None:
        nonlocal most
        statement, values, many = call[2], call[3], call[5]
        if statement.startswith("INSERT INTO import"):
            most = max(most, len(values) if many else 1)

    event.listen(other.db.engine, "before_cursor_execute", watch)
    other.platform.restore.run(tmp_path / "a.tar")
    assert most == 2
    assert [len(part) for part in rows(other)] == [1, 20, 20]


# What is refused, and what is older


def lines(members: dict[str, bytes], name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in members[f"{name}.jsonl"].splitlines()]


def rewrite(members: dict[str, bytes], name: str, told: list[dict[str, Any]]) -> None:
    """Put these lines in, as if they had been written."""
    data = "".join(json.dumps(line) + "\n" for line in told).encode()
    manifest = json.loads(members["manifest.json"])
    manifest["sha256"][f"{name}.jsonl"] = hashlib.sha256(data).hexdigest()
    manifest[name] = len(told)
    members[f"{name}.jsonl"] = data
    members["manifest.json"] = json.dumps(manifest).encode()


LAST = str(UUID(int=2**128 - 1))
"""An id that comes after all others, so that only its being unknown is wrong."""

DAMAGES: dict[str, tuple[str, Callable[[list[dict[str, Any]]], object], str]] = {
    "no picture": ("imported", lambda told: told[0].update(picture_id=str(uuid4())), "not there"),
    "no import": ("imported", lambda told: told[-1].update(import_id=LAST), "is of none"),
    "link twice": ("imported", lambda told: told.insert(1, told[1]), "comes twice"),
    "failure of none": ("failures", lambda told: told[-1].update(import_id=LAST), "is of none"),
    "failure twice": ("failures", lambda told: told.append(told[0]), "comes twice"),
    "no library": ("imports", lambda told: told[0].update(library="nowhere"), "no library"),
    "import twice": ("imports", lambda told: told.append(told[0]), "one id"),
    "no state": ("imports", lambda told: told[0].update(state="odd"), "imports.jsonl"),
    "too large": ("imports", lambda told: told[0].update(position=2**40), "imports.jsonl"),
    "another field": ("imported", lambda told: told[0].update(ticket=None), "imported.jsonl"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_imports_that_cannot_be_are_refused_before_anything_changes(
    home: World, other: World, tmp_path: Path, damage: str
):
    name, change, words = DAMAGES[damage]
    run(home, scenes(0, 3) | BAD)
    backup(home, tmp_path / "a.tar")
    members = contents(tmp_path / "a.tar")
    told = lines(members, name)
    change(told)
    rewrite(members, name, told)
    write(tmp_path / "a.tar", members)
    refused(other, tmp_path / "a.tar", "damaged or incomplete", words)
    assert rows(other) == [[], [], []]


@pytest.mark.parametrize("name", ["imports", "imported", "failures"])
def test_a_changed_byte_or_count_of_imports_is_noticed(
    home: World, other: World, tmp_path: Path, name: str
):
    run(home, scenes(0, 3) | BAD)
    backup(home, tmp_path / "a.tar")
    members = contents(tmp_path / "a.tar")
    manifest = json.loads(members["manifest.json"])
    fewer = {**manifest, name: manifest[name] - 1}
    write(tmp_path / "a.tar", {**members, "manifest.json": json.dumps(fewer).encode()})
    refused(other, tmp_path / "a.tar", "damaged or incomplete")
    changed = bytearray(members[f"{name}.jsonl"])
    changed[len(changed) // 2] ^= 1
    write(tmp_path / "a.tar", {**members, f"{name}.jsonl": bytes(changed)})
    refused(other, tmp_path / "a.tar", "damaged or incomplete")
    del members[f"{name}.jsonl"]
    write(tmp_path / "a.tar", members)
    refused(other, tmp_path / "a.tar", "is not what was written")


def test_an_archive_of_version_1_has_pictures_that_no_import_may_take(
    home: World, other: World, tmp_path: Path
):
    run(home, scenes(0, 3))
    backup(home, tmp_path / "a.tar", vectors=True)
    write(tmp_path / "a.tar", of_version_1(contents(tmp_path / "a.tar")))
    restored = restore(other, tmp_path / "a.tar")
    assert (restored.pictures, restored.vectors, restored.imports) == (3, 3, 0)
    with other.db.read() as session:
        assert set(session.scalars(select(Picture.uploaded))) == {True}
    again = run(other, scenes(0, 5))
    undo(other, again.row.id)
    assert pictures(other) == 3


def of_version_1(members: dict[str, bytes]) -> dict[str, bytes]:
    """The archive as the first version of its form has it."""
    told = lines(members, "pictures")
    for line in told:
        del line["uploaded"]
    rewrite(members, "pictures", told)
    manifest = json.loads(members["manifest.json"])
    for name in ("imports", "imported", "failures"):
        del members[f"{name}.jsonl"], manifest["sha256"][f"{name}.jsonl"], manifest[name]
    head = {"format": "lookalike-archive", "version": 1}
    return members | {
        "lookalike.json": json.dumps(head).encode(),
        "manifest.json": json.dumps(manifest).encode(),
    }
