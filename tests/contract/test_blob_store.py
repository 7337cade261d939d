"""What every blob store promises, run against each implementation."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from lookalike.services.adapters.folder_blobs import FolderBlobs
from lookalike.services.adapters.s3_blobs import S3Blobs
from lookalike.services.errors import BlobMissingError, UnavailableError
from lookalike.services.ports import Blob, BlobStore
from tests.servers.s3 import ACCESS_KEY, REGION, SECRET_KEY, S3Server

KEY = "originals/ab/cd/abcd"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with S3Server() as server:
        yield server


@dataclass(frozen=True)
class Place:
    """Where blobs are: `open` gives a store on it, `kept` the names of all that is in it."""

    open: Callable[[], BlobStore]
    kept: Callable[[], list[str]]


@pytest.fixture(params=["links", "no links", "s3"])
def place(request: pytest.FixtureRequest, root: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A folder beside the staged files, one on a file system without links, and a bucket."""
    if request.param == "s3":
        server: S3Server = request.getfixturevalue("s3")
        bucket = server.bucket()
        return Place(lambda: s3_blobs(server, bucket), lambda: server.keys(bucket))
    if request.param == "no links":
        monkeypatch.setattr(os, "link", _cross_device)
    return Place(
        lambda: FolderBlobs(root),
        lambda: [path.relative_to(root).as_posix() for path in files_below(root)],
    )


@pytest.fixture
def blobs(place: Place) -> BlobStore:
    return place.open()


def s3_blobs(server: S3Server, bucket: str) -> S3Blobs:
    return S3Blobs(f"s3://{bucket}", server.endpoint, REGION, ACCESS_KEY, SECRET_KEY)


def _cross_device(*_: object, **__: object) -> None:
    raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))


@pytest.fixture
def source(tmp_path: Path) -> Callable[[bytes], Path]:
    """Makes a file of its own that holds these bytes."""
    numbers = count()

    def make(data: bytes) -> Path:
        path = tmp_path / f"incoming-{next(numbers)}"
        path.write_bytes(data)
        return path

    return make


def read(blobs: BlobStore, key: str) -> bytes:
    with blobs.open(key) as file:
        return file.read()


def files_below(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


def test_what_was_put_is_read_again_after_its_source_is_gone(blobs, source):
    path = source(b"picture")
    blobs.put(KEY, path)
    path.unlink()
    assert blobs.exists(KEY)
    assert read(blobs, KEY) == b"picture"


def test_an_open_blob_is_seekable(blobs, source):
    blobs.put(KEY, source(b"picture"))
    with blobs.open(KEY) as file:
        file.seek(3)
        assert file.read() == b"ture"


def test_a_key_that_is_there_is_left_as_it_is(blobs, source):
    blobs.put(KEY, source(b"first"))
    blobs.put(KEY, source(b"second"))
    assert read(blobs, KEY) == b"first"


def test_bytes_replace_what_was_there(blobs):
    blobs.put_bytes(KEY, b"first")
    blobs.put_bytes(KEY, b"second")
    assert read(blobs, KEY) == b"second"


def test_keys_do_not_disturb_each_other(blobs, source):
    blobs.put("a/b.jpg", source(b"one"))
    blobs.put_bytes("a/c.jpg", b"two")
    blobs.delete("a/b.jpg")
    assert not blobs.exists("a/b.jpg")
    assert read(blobs, "a/c.jpg") == b"two"


def test_a_missing_key_has_its_own_error(blobs):
    assert not blobs.exists(KEY)
    with pytest.raises(BlobMissingError):
        blobs.open(KEY)


def test_deleting_is_final_and_may_be_repeated(blobs):
    blobs.put_bytes(KEY, b"x")
    blobs.delete(KEY)
    blobs.delete(KEY)
    with pytest.raises(BlobMissingError):
        blobs.open(KEY)


def test_a_deleted_key_can_be_put_again(blobs, source):
    blobs.put(KEY, source(b"first"))
    blobs.delete(KEY)
    blobs.put(KEY, source(b"second"))
    assert read(blobs, KEY) == b"second"


def test_a_deleted_blob_that_somebody_reads_is_read_to_its_end(blobs):
    blobs.put_bytes(KEY, b"x" * 100_000)
    with blobs.open(KEY) as file:
        blobs.delete(KEY)
        assert len(file.read()) == 100_000


def test_a_list_names_every_file_of_its_folder_with_its_size(blobs, source):
    blobs.put("originals/ab/cd/abcd", source(b"one"))
    blobs.put("originals/ef/01/ef01", source(b"three"))
    blobs.put_bytes("thumbnails/ab/cd/abcd.jpg", b"x")
    blobs.put_bytes("originals-not/ab", b"x")
    blobs.put("originals/ab/cd/abce", source(b"gone"))
    blobs.delete("originals/ab/cd/abce")
    expected = {Blob("originals/ab/cd/abcd", 3), Blob("originals/ef/01/ef01", 5)}
    assert set(blobs.list("originals/")) == expected
    assert list(blobs.list("nothing/")) == []


def test_many_files_are_listed_once_while_others_go(blobs):
    keys = {f"thumbnails/{number % 7}/{number}.jpg" for number in range(1200)}
    for key in keys:
        blobs.put_bytes(key, b"x")
    listed = []
    for blob in blobs.list("thumbnails/"):
        listed.append(blob.key)
        blobs.delete(blob.key)
    assert sorted(listed) == sorted(keys)


def test_half_written_files_are_not_listed(root, source, monkeypatch: pytest.MonkeyPatch):
    blobs = FolderBlobs(root)
    seen = []
    monkeypatch.setattr(os, "link", _cross_device)
    monkeypatch.setattr(os, "fsync", lambda _: seen.append((files_below(root), listed(blobs))))
    blobs.put(KEY, source(b"picture"))
    [half], none = seen[0]
    assert half.parent == (root / KEY).parent
    assert none == []
    assert listed(blobs) == [KEY]


def listed(blobs: BlobStore) -> list[str]:
    return [blob.key for blob in blobs.list("originals/")]


def test_blobs_are_there_after_reopening(place, source):
    place.open().put(KEY, source(b"picture"))
    assert read(place.open(), KEY) == b"picture"


def test_many_at_once_putting_the_same_key_leave_one_whole_blob(blobs, place, tmp_path):
    data = os.urandom(200_000)
    sources = [tmp_path / f"source-{number}" for number in range(8)]
    for path in sources:
        path.write_bytes(data)
    start = threading.Barrier(len(sources))

    def put(path: Path) -> bytes:
        start.wait(10)
        blobs.put(KEY, path)
        return read(blobs, KEY)

    with ThreadPoolExecutor(len(sources)) as pool:
        assert set(pool.map(put, sources)) == {data}
    assert place.kept() == [KEY]


def test_readers_never_see_a_part_while_bytes_are_replaced(blobs):
    versions = {bytes([number]) * 300_000 for number in range(4)}
    blobs.put_bytes(KEY, min(versions))
    with ThreadPoolExecutor(4) as pool:
        writes = [pool.submit(blobs.put_bytes, KEY, data) for data in [*versions] * 10]
        while not all(write.done() for write in writes):
            assert read(blobs, KEY) in versions
        for write in writes:
            write.result()


def test_a_source_that_cannot_be_read_leaves_nothing(blobs, place, tmp_path):
    with pytest.raises(UnavailableError):
        blobs.put(KEY, tmp_path / "not there")
    assert not blobs.exists(KEY)
    assert place.kept() == []


def test_a_disk_that_fills_up_while_writing_leaves_nothing(
    root, source, monkeypatch: pytest.MonkeyPatch
):
    blobs = FolderBlobs(root)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "link", _cross_device)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UnavailableError, match="No space left"):
        blobs.put(KEY, source(b"picture"))
    assert not blobs.exists(KEY)
    assert files_below(root) == []


def test_a_place_that_cannot_be_written_is_unavailable(root, source):
    blobs = FolderBlobs(root)
    (root / "originals").write_bytes(b"a file where a folder should be")
    with pytest.raises(UnavailableError):
        blobs.put(KEY, source(b"picture"))
    with pytest.raises(UnavailableError):
        blobs.put_bytes(KEY, b"picture")


def test_a_place_that_cannot_be_read_is_unavailable_which_is_not_missing(root):
    blobs = FolderBlobs(root)
    (root / KEY).mkdir(parents=True)
    with pytest.raises(UnavailableError):
        blobs.open(KEY)
