"""Archives: all that was in comes out, and nothing out of one that is not as it was written."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import astuple
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import select

from lookalike.services.archive.backup import BackedUp
from lookalike.services.archive.form import ArchiveError
from lookalike.services.archive.restore import Restored
from lookalike.services.blobs import original_key, thumbnail_key
from lookalike.services.errors import (
    ConfigurationError,
    InvalidRequestError,
    NotFoundError,
    UnavailableError,
)
from lookalike.services.models import Entry, Index, Library, OutboxItem, Picture, State
from lookalike.services.reindexing.lifecycle import Plan
from tests.factories import ODD
from tests.platforms import World, make_world, small

Members = dict[str, bytes]


@pytest.fixture
def other(tmp_path: Path):
    """Another platform with nothing in it."""
    made = make_world(tmp_path / "other")
    yield made
    made.platform.close()


@pytest.fixture
def full(world: World) -> World:
    """Pictures in every state, in two libraries that share one."""
    world.platform.libraries.create("attic")
    world.platform.libraries.create("empty")
    world.indexed(
        small(1),
        small(2),
        title="Été",
        tags=["a", "été"],
        attributes={"on": True, "one": 1, "n": 10.0, "x": 0.1, "far": 2**53, "word": "1"},
    )
    world.indexed(small(1), small(3), library="attic")
    world.indexed(ODD["jpeg_truncated"].data)
    world.add(small(4))
    return world


def backup(world: World, path: Path, **options: bool) -> BackedUp:
    return world.platform.backup.run(path, **{"vectors": False, **options})


def restore(world: World, path: Path) -> Restored:
    restored = world.platform.restore.run(path)
    world.work()
    return restored


def pictures(world: World) -> list[dict[str, Any]]:
    """Everything that is known of every picture, but what indexing made of it."""
    with world.db.read() as session:
        rows = session.execute(
            select(Picture, Entry).join(Entry, Entry.picture_id == Picture.id).order_by(Picture.id)
        )
        return [
            {column.name: getattr(row, column.name) for column in Picture.__table__.columns}
            | {"tags": row.tags, "failure": (entry.code, entry.message)}
            for row, entry in rows
        ]


def libraries(world: World) -> list[tuple[str, Any]]:
    with world.db.read() as session:
        rows = session.scalars(select(Library).where(Library.name != "main").order_by(Library.name))
        return [(row.name, row.added_at) for row in rows]


def assert_untouched(world: World) -> None:
    """There is nothing on the platform, nor any file that was left."""
    with world.db.read() as session:
        assert [session.scalar(select(table)) for table in (Picture, Entry, OutboxItem)] == [
            None
        ] * 3
    assert world.blob_names() == set()
    assert world.vectors.count() == 0
    assert world.staged_files() == []


# Round trips


@pytest.mark.both_databases
@pytest.mark.parametrize("vectors", [False, True])
def test_all_that_was_in_comes_out(full: World, other: World, tmp_path: Path, vectors: bool):
    path = tmp_path / "pictures.tar"
    done = backup(full, path, vectors=vectors)
    assert astuple(done) == (6, 5, 4 if vectors else 0, 0, [])
    restored = restore(other, path)
    assert astuple(restored) == (6, 4 if vectors else 0, 1 if vectors else 5, 0)
    full.work()
    assert pictures(other) == pictures(full)
    assert libraries(other) == libraries(full)
    kinds = {name.partition("/")[0] for name in full.blob_names()}
    assert kinds == {"originals", "thumbnails"}
    assert other.blob_names() == full.blob_names()
    assert other.vectors.count() == full.vectors.count() == 5
    assert other.platform.checking.run(deep=True, patience=0).differences == []
    assert [one.name for one in tmp_path.iterdir() if one.is_file()] == ["pictures.tar"]


def test_vectors_that_came_along_are_not_computed_again(full: World, other: World, tmp_path: Path):
    backup(full, tmp_path / "a.tar", vectors=True)
    other.embedder.failure = AssertionError("computed")
    restored = other.platform.restore.run(tmp_path / "a.tar")
    assert restored.queued == 1
    ids = [one["id"] for one in pictures(full)]
    before, after = full.vectors.vectors(ids), other.vectors.vectors(ids)
    assert before.keys() == after.keys()
    assert all(np.allclose(before[one], after[one], atol=1e-6) for one in before)


def test_a_centred_index_comes_out_with_its_mean(world: World, other: World, tmp_path: Path):
    ids = world.scenes(100)
    index = world.platform.reindexing.start(Plan("coarse", centred=True, switch=True)).row
    world.build()
    backup(world, tmp_path / "a.tar", vectors=True)
    done = restore(other, tmp_path / "a.tar")
    assert (done.vectors, done.queued) == (100, 0)
    row = other.platform.reindexing.get(other.platform.indexes.live().id).row
    assert (row.model, row.centred, row.recipe) == ("coarse", True, index.recipe)
    hits = [
        [(one.shown.picture.id, round(one.score, 5)) for one in place.search(like=[ids[0]]).results]
        for place in (world, other)
    ]
    assert hits[0] == hits[1]


def test_an_empty_platform_makes_an_archive_too(world: World, other: World, tmp_path: Path):
    backup(world, tmp_path / "a.tar", vectors=True)
    assert astuple(restore(other, tmp_path / "a.tar")) == (0, 0, 0, 0)


def test_a_restored_platform_can_be_backed_up_again(full: World, other: World, tmp_path: Path):
    full.work()
    backup(full, tmp_path / "a.tar", vectors=True)
    restore(other, tmp_path / "a.tar")
    backup(other, tmp_path / "b.tar", vectors=True)
    first, second = contents(tmp_path / "a.tar"), contents(tmp_path / "b.tar")
    assert first.keys() == second.keys()
    differing = {name for name in first if first[name] != second[name]}
    assert differing <= {"manifest.json", "libraries.jsonl", "vectors/00000.npy"}


# What is written


def contents(path: Path) -> Members:
    with tarfile.open(path) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


def test_an_archive_can_be_read_without_lookalike(full: World, tmp_path: Path):
    backup(full, tmp_path / "a.tar", vectors=True)
    members = contents(tmp_path / "a.tar")
    names = list(members)
    assert names[0] == "lookalike.json"
    ends = ["libraries", "pictures", "imports", "imported", "failures"]
    assert names[-6:] == [*(f"{name}.jsonl" for name in ends), "manifest.json"]
    assert json.loads(members["lookalike.json"]) == {"format": "lookalike-archive", "version": 2}
    lines = [json.loads(line) for line in members["pictures.jsonl"].splitlines()]
    assert {original_key(line["sha256"]) for line in lines} < members.keys()
    ids = np.load(io.BytesIO(members["vectors/00000.ids.npy"]))
    rows = np.load(io.BytesIO(members["vectors/00000.npy"]))
    stored = full.vectors.vectors([UUID(bytes=one.tobytes()) for one in ids])
    assert np.array_equal(np.stack(list(stored.values())), rows)
    assert not any(name.startswith("thumbnails") for name in names)


@pytest.mark.both_databases
def test_a_picture_that_is_removed_meanwhile_is_left_out_with_its_rows(
    full: World, other: World, tmp_path: Path
):
    gone = next(one for one in pictures(full) if one["sha256"] == hash_of_seed_2(full))
    read = full.platform.pictures.remove
    full.blobs.before["open"] = lambda: read(gone["id"])
    done = backup(full, tmp_path / "a.tar")
    assert (done.pictures, done.lost) == (5, [])
    restore(other, tmp_path / "a.tar")
    assert gone["id"] not in {one["id"] for one in pictures(other)}


def hash_of_seed_2(world: World) -> str:
    return hashlib.sha256(small(2)).hexdigest()


@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_picture_whose_original_is_lost_is_named(
    full: World, other: World, tmp_path: Path, damage: str
):
    [lost] = [one["id"] for one in pictures(full) if one["sha256"] == hash_of_seed_2(full)]
    file = full.folder / "blobs" / original_key(hash_of_seed_2(full))
    file.unlink() if damage == "missing" else file.write_bytes(small(2)[:-1])
    done = backup(full, tmp_path / "a.tar", vectors=True)
    assert (done.pictures, done.lost) == (5, [lost])
    assert restore(other, tmp_path / "a.tar").pictures == 5


def test_a_file_that_is_there_is_not_overwritten(world: World, tmp_path: Path):
    (tmp_path / "a.tar").write_bytes(b"precious")
    with pytest.raises(ConfigurationError, match="exists already"):
        backup(world, tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == b"precious"


def test_a_place_that_cannot_be_written_is_told(world: World, tmp_path: Path):
    with pytest.raises(UnavailableError, match="cannot be written"):
        backup(world, tmp_path / "nowhere" / "a.tar")


def test_a_backup_that_fails_leaves_nothing(full: World, tmp_path: Path):
    full.blobs.failure = UnavailableError("It is down.")
    folder = tmp_path / "backups"
    folder.mkdir()
    with pytest.raises(UnavailableError):
        backup(full, folder / "a.tar")
    assert list(folder.iterdir()) == []


# What is refused


@pytest.fixture
def archive(full: World, tmp_path: Path) -> Path:
    """An archive with everything in it."""
    backup(full, tmp_path / "pictures.tar", vectors=True)
    return tmp_path / "pictures.tar"


def write(path: Path, members: Members, **fields: Any) -> None:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for field, value in fields.items():
                setattr(info, field, value)
            tar.addfile(info, io.BytesIO(data))


def refused(world: World, path: Path, *words: str) -> None:
    """Check that restoring is refused in these words and changes nothing."""
    with pytest.raises(ArchiveError) as caught:
        world.platform.restore.run(path)
    assert caught.value.message.endswith(".")
    for word in words:
        assert word in caught.value.message
    assert_untouched(world)


def test_every_cut_is_noticed(archive: Path, other: World):
    data = archive.read_bytes()
    cuts = [0, 1, 511, 512, 600, 1024, *range(1500, len(data) - 10_240, 7001)]
    for cut in cuts:
        archive.write_bytes(data[:cut])
        refused(other, archive)


def test_every_changed_byte_is_noticed(archive: Path, other: World):
    """In whatever member it is; a byte of padding between members matters to nobody."""
    with tarfile.open(archive) as tar:
        spans = [(member.offset_data, member.size) for member in tar]
    data = archive.read_bytes()
    for start, size in spans[:-1]:
        for place in {start, start + size // 2, start + size - 1}:
            changed = bytearray(data)
            changed[place] ^= 1
            archive.write_bytes(changed)
            refused(other, archive)


def test_a_changed_manifest_is_noticed(archive: Path, other: World):
    members = contents(archive)
    manifest = json.loads(members["manifest.json"])
    for name, wrong in {"pictures": 5, "originals": 9, "sha256": {}}.items():
        members["manifest.json"] = json.dumps({**manifest, name: wrong}).encode()
        write(archive, members)
        refused(other, archive, "damaged or incomplete")


def test_a_newer_version_is_told_from_damage(archive: Path, other: World):
    head = {"format": "lookalike-archive", "version": 3, "news": True}
    write(archive, {**contents(archive), "lookalike.json": json.dumps(head).encode()})
    refused(other, archive, "version 3", "reads up to 2", "newer Lookalike")


@pytest.mark.parametrize("data", [b"", b"hello", b"\0" * 10_240, small()])
def test_what_is_no_archive_at_all_is_told(other: World, tmp_path: Path, data: bytes):
    (tmp_path / "a.tar").write_bytes(data)
    refused(other, tmp_path / "a.tar")


def test_somebody_elses_tar_file_is_told(other: World, tmp_path: Path):
    write(tmp_path / "a.tar", {"readme.txt": b"hello"})
    refused(other, tmp_path / "a.tar", "not an archive that `lookalike backup` has written")


@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "/tmp/outside",
        "originals/../../outside",
        f"originals/ab/cd/{'ab' * 32}/../../../../outside",
        f"originals/zz/ab/{'ab' * 32}",
        f"originals/ab/cd/{'ab' * 32}",
        f"thumbnails/ab/ab/{'ab' * 32}.jpg",
        "vectors/../../outside.npy",
        "owner.lock",
        "",
    ],
)
def test_a_name_that_no_archive_has_is_refused(
    archive: Path, other: World, tmp_path: Path, name: str
):
    members = contents(archive)
    write(archive, {"lookalike.json": members.pop("lookalike.json"), name: b"x", **members})
    before = {path for path in tmp_path.rglob("*") if "other" not in path.parts}
    refused(other, archive)
    assert {path for path in tmp_path.rglob("*") if "other" not in path.parts} == before


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE]
)
def test_what_is_no_plain_file_is_refused(archive: Path, other: World, tmp_path: Path, kind: bytes):
    members = contents(archive)
    with tarfile.open(tmp_path / "odd.tar", "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            if name.startswith("originals/"):
                info.type, info.linkname, info.size = kind, "/etc/passwd", 0
            tar.addfile(info, io.BytesIO(data))
    refused(other, tmp_path / "odd.tar", "not a plain file")


def test_a_member_that_comes_twice_is_refused(archive: Path, other: World, tmp_path: Path):
    members = list(contents(archive).items())
    with tarfile.open(tmp_path / "odd.tar", "w") as tar:
        for name, data in [*members[:-1], members[-2], members[-1]]:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    refused(other, tmp_path / "odd.tar", "comes twice")


def test_a_platform_with_pictures_is_left_alone(archive: Path, other: World):
    [picture_id] = other.indexed(small(9))
    files = other.blob_names()
    with pytest.raises(InvalidRequestError, match="pictures here already"):
        other.platform.restore.run(archive)
    assert [one["id"] for one in pictures(other)] == [picture_id]
    assert other.blob_names() == files


def test_a_model_that_cannot_be_used_here_is_told_before_anything_changes(
    archive: Path, other: World, monkeypatch: pytest.MonkeyPatch
):
    def missing(name: str) -> Any:
        raise NotFoundError(f"There is no model {name!r}.")

    restoring = other.platform.restore
    monkeypatch.setattr(type(restoring._stores.embedders), "get", lambda _, name: missing(name))
    with pytest.raises(NotFoundError, match="no model"):
        restoring.run(archive)
    assert_untouched(other)


# What goes wrong on the way


@pytest.mark.parametrize("moment", ["first file", "last file", "rows"])
def test_a_restore_that_fails_leaves_nothing(
    archive: Path, other: World, monkeypatch: pytest.MonkeyPatch, moment: str
):
    puts = {"first file": 1, "last file": 5, "rows": 99}[moment]
    fail_after(other, monkeypatch, puts)
    if moment == "rows":
        monkeypatch.setattr("lookalike.services.archive.restore._insert_some", _down)
    with pytest.raises(UnavailableError):
        other.platform.restore.run(archive)
    monkeypatch.undo()
    assert_untouched(other)
    assert restore(other, archive).pictures == 6


def _down(*_: object) -> None:
    raise UnavailableError("It is down.")


def fail_after(world: World, monkeypatch: pytest.MonkeyPatch, puts: int) -> None:
    put, count = world.blobs.inner.put, 0

    def counted(key: str, source: Path) -> None:
        nonlocal count
        count += 1
        if count >= puts:
            _down()
        put(key, source)

    monkeypatch.setattr(world.blobs.inner, "put", counted)


def test_an_upload_during_a_restore_is_not_lost_when_the_restore_gives_way(
    archive: Path, other: World
):
    uploaded: list[UUID] = []
    other.blobs.after["put"] = lambda: uploaded.extend(other.add(small(2)))
    with pytest.raises(InvalidRequestError):
        other.platform.restore.run(archive)
    other.work()
    assert [one["id"] for one in pictures(other)] == uploaded
    assert other.platform.checking.run(deep=True, patience=0).differences == []


def test_a_picture_that_is_removed_while_its_vector_is_stored_leaves_none(
    full: World, other: World, tmp_path: Path
):
    backup(full, tmp_path / "a.tar", vectors=True)
    gone = pictures(full)[0]["id"]
    other.vectors.before["upsert"] = lambda: other.platform.pictures.remove(gone)
    restore(other, tmp_path / "a.tar")
    assert other.platform.checking.run(deep=True, patience=0).differences == []
    assert gone not in {one["id"] for one in pictures(other)}


def test_vectors_that_cannot_be_stored_are_computed_by_workers(archive: Path, other: World):
    vectors = other.vectors
    vectors.before["upsert"] = _down
    with pytest.raises(UnavailableError):
        other.platform.restore.run(archive)
    other.platform.indexing.index([one["id"] for one in pictures(other)])
    assert other.platform.checking.run(patience=0).differences == []
    assert vectors.count() == 5


def test_a_damaged_file_of_the_same_name_does_not_take_the_place_of_a_sound_one(
    archive: Path, other: World
):
    other.blobs.put_bytes(original_key(hash_of_seed_2(other)), b"cut")
    restore(other, archive)
    assert other.platform.checking.run(deep=True, patience=0).differences == []


def test_another_models_empty_index_gives_way(archive: Path, other: World):
    with other.db.write() as session:
        index = session.scalars(select(Index)).one()
        index.model = "second"
    restore(other, archive)
    with other.db.read() as session:
        [live] = session.scalars(select(Index)).all()
    assert live.model == "fake"
    assert other.store.names() == [live.collection] != [index.collection]


def test_vectors_of_another_recipe_are_not_used(archive: Path, other: World):
    members = contents(archive)
    manifest = json.loads(members["manifest.json"])
    manifest["index"]["recipe"] = "another"
    write(archive, {**members, "manifest.json": json.dumps(manifest).encode()})
    restored = restore(other, archive)
    assert (restored.vectors, restored.queued) == (0, 5)
    assert other.platform.checking.run(patience=0).differences == []
    assert {State.INDEXED, State.FAILED} == {other.state(one["id"]) for one in pictures(other)}
    assert other.blobs.exists(thumbnail_key(hash_of_seed_2(other)))
