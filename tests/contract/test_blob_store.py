"""What every blob store promises, run against each implementation."""

from __future__ import annotations

import errno
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

import pytest

from lookalike.services.adapters.folder_blobs import FolderBlobs
from lookalike.services.adapters.s3_blobs import S3Blobs
from lookalike.services.errors import BlobMissingError, ConfigurationError, UnavailableError
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
    _prepare(request.param, monkeypatch)
    return Place(
        lambda: FolderBlobs(root),
        lambda: [path.relative_to(root).as_posix() for path in files_below(root)],
    )


@pytest.fixture
def blobs(place: Place) -> BlobStore:
    return place.open()


def s3_blobs(server: S3Server, bucket: str) -> S3Blobs:
    return S3Blobs(f"s3://{bucket}", server.endpoint, REGION, ACCESS_KEY, SECRET_KEY)


@pytest.fixture(params=["links", "no links"])
def folder(
    request: pytest.FixtureRequest, root: Path, monkeypatch: pytest.MonkeyPatch
) -> BlobStore:
    """The two kinds of folder alone."""
    _prepare(request.param, monkeypatch)
    return FolderBlobs(root)


def _prepare(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "no links":
        monkeypatch.setattr(os, "link", _cross_device)


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


def test_new_folders_outlive_a_power_cut_whoever_made_them(
    root, source, monkeypatch: pytest.MonkeyPatch
):
    blobs = FolderBlobs(root)
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(_folder_of(handle, root)))
    assert put_noting(blobs, "originals/ab/cd/1", source, synced) == {
        "originals/ab/cd",
        "originals/ab",
        "originals",
        ".",
    }
    assert put_noting(blobs, "originals/ab/cd/2", source, synced) == {"originals/ab/cd"}
    assert put_noting(blobs, "originals/ab/ef/3", source, synced) == {
        "originals/ab/ef",
        "originals/ab",
    }
    assert "originals" in put_noting(FolderBlobs(root), "originals/ab/cd/4", source, synced)


def put_noting(
    blobs: BlobStore, key: str, source: Callable[[bytes], Path], synced: list[str]
) -> set[str]:
    synced.clear()
    blobs.put(key, source(key.encode()))
    return set(synced)


def _folder_of(handle: int, root: Path) -> str:
    path = Path(f"/proc/self/fd/{handle}").readlink()
    return str(path.relative_to(root)) if path.is_relative_to(root) else "elsewhere"


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


def test_a_place_that_cannot_be_written_is_unavailable(folder, root, source):
    (root / "originals").write_bytes(b"a file where a folder should be")
    with pytest.raises(UnavailableError):
        folder.put(KEY, source(b"picture"))
    with pytest.raises(UnavailableError):
        folder.put_bytes(KEY, b"picture")


def test_a_place_that_cannot_be_read_is_unavailable_which_is_not_missing(folder, root):
    (root / KEY).mkdir(parents=True)
    with pytest.raises(UnavailableError):
        folder.open(KEY)


@pytest.fixture
def bucket(s3: S3Server) -> S3Blobs:
    return s3_blobs(s3, s3.bucket())


def test_a_file_of_many_parts_comes_back_whole(s3, source):
    name, data = s3.bucket(), os.urandom(20_000_001)
    blobs = s3_blobs(s3, name)
    blobs.put(KEY, source(data))
    assert "-" in s3.client.head_object(Bucket=name, Key=KEY)["ETag"]  # sent in parts
    with blobs.open(KEY) as file:
        assert file.read() == data
        assert file.seek(-3, os.SEEK_END) == len(data) - 3
        assert file.read() == data[-3:]


def test_a_folder_in_a_bucket_is_kept_apart(s3, source):
    name = s3.bucket()
    one, other = (s3_blobs(s3, f"{name}/{folder}") for folder in ("one", "two/deep"))
    one.put(KEY, source(b"picture"))
    other.put(KEY, source(b"another"))
    assert sorted(s3.keys(name)) == [f"one/{KEY}", f"two/deep/{KEY}"]
    assert [blob.key for blob in other.list("originals/")] == [KEY]
    assert read(other, KEY) == b"another"


def test_eight_threads_share_one_s3_client(bucket, source):
    def there_and_back(number: int) -> bool:
        key, data = f"originals/{number}", os.urandom(100_000)
        bucket.put(key, source(data))
        return read(bucket, key) == data

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(there_and_back, range(64)))


ACTIONS = {
    "put": lambda blobs, path: blobs.put(KEY, path),
    "put_bytes": lambda blobs, path: blobs.put_bytes(KEY, b"x"),
    "open": lambda blobs, path: blobs.open(KEY),
    "exists": lambda blobs, path: blobs.exists(KEY),
    "delete": lambda blobs, path: blobs.delete(KEY),
    "list": lambda blobs, path: list(blobs.list("originals/")),
}


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_a_bucket_that_is_not_there_is_told(action, s3, source):
    with pytest.raises(UnavailableError, match=r"no bucket nowhere.*LOOKALIKE_BLOB_URL"):
        action(s3_blobs(s3, "nowhere"), source(b"picture"))


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_an_s3_server_that_stopped_is_unavailable_within_seconds(action, source):
    with S3Server() as server:
        blobs = s3_blobs(server, server.bucket())
        blobs.put_bytes(KEY, b"x")
    assert_unavailable(lambda: action(blobs, source(b"picture")), within=3)


def test_an_s3_server_that_hangs_is_unavailable_within_seconds(source):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        blobs = S3Blobs("s3://bucket", address(silent), REGION, ACCESS_KEY, SECRET_KEY)
        assert_unavailable(lambda: blobs.put(KEY, source(b"picture")), within=12)


def assert_unavailable(action: Callable[[], object], within: float) -> None:
    begun = time.monotonic()
    with pytest.raises(UnavailableError, match="LOOKALIKE_S3_ENDPOINT"):
        action()
    assert time.monotonic() - begun < within


def address(server: socket.socket) -> str:
    return f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_a_key_that_may_not_is_told(action, source):
    with answering({}, 403) as endpoint:
        blobs = S3Blobs("s3://bucket", endpoint, REGION, ACCESS_KEY, SECRET_KEY)
        with pytest.raises(UnavailableError, match=r"refuses access.*LOOKALIKE_S3_ACCESS_KEY"):
            action(blobs, source(b"picture"))


def test_a_file_that_arrived_in_part_is_refused_and_removed(source):
    requests: list[Request] = []
    answers = {"HEAD": [404, 200]}  # there then, of no bytes
    with answering(answers, 200, requests) as endpoint:
        blobs = S3Blobs("s3://bucket", endpoint, REGION, ACCESS_KEY, SECRET_KEY)
        with pytest.raises(UnavailableError, match="only a part"):
            blobs.put(KEY, source(b"picture"))
    assert [one.method for one in requests] == ["HEAD", "PUT", "HEAD", "DELETE"]


@dataclass(frozen=True)
class Request:
    method: str
    headers: Message


@contextmanager
def answering(
    answers: dict[str, list[int]], otherwise: int, requests: list[Request] | None = None
) -> Iterator[str]:
    """A server that is no S3 server: it gives each method its statuses in turn, and no bytes."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if requests is not None:
                requests.append(Request(self.command, self.headers))
            left = answers.get(self.command)
            self.send_response(left.pop(0) if left else otherwise)
            self.send_header("Content-Length", "0")
            self.send_header("ETag", '"x"')
            self.send_header("Last-Modified", "Sun, 01 Nov 2026 00:00:00 GMT")
            self.end_headers()

        do_HEAD = do_GET = do_PUT = do_POST = do_DELETE = answer  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield address(server.socket)
        server.shutdown()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HTTP_PROXY", "http://127.0.0.1:9"),
        ("ALL_PROXY", "http://127.0.0.1:9"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9"),
    ],
)
def test_the_endpoint_of_the_settings_is_asked_whatever_the_environment_says(
    variable, value, s3, source, monkeypatch
):
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv(variable, value)
    blobs = s3_blobs(s3, s3.bucket())
    blobs.put(KEY, source(b"picture"))
    assert read(blobs, KEY) == b"picture"


def test_requests_are_signed_with_the_key_of_the_settings(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of another key")
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    monkeypatch.setenv("AWS_REGION", "mars-north-1")
    headers = headers_sent(ACCESS_KEY, SECRET_KEY)
    assert re.search(rf"Credential={ACCESS_KEY}/\d+/{REGION}/s3/", headers["Authorization"])
    assert "X-Amz-Security-Token" not in headers


def test_without_keys_those_of_the_environment_sign(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "role")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "role-secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of the role")
    headers = headers_sent("", "")
    assert "Credential=role/" in headers["Authorization"]
    assert headers["X-Amz-Security-Token"] == "of the role"


def test_no_key_anywhere_is_told(s3, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    with answering({}, 404) as machine:
        monkeypatch.setenv("AWS_METADATA_ENDPOINT", machine)
        blobs = S3Blobs(f"s3://{s3.bucket()}", s3.endpoint, REGION, "", "")
        with pytest.raises(UnavailableError, match=r"No key .*LOOKALIKE_S3_ACCESS_KEY"):
            blobs.exists(KEY)


def headers_sent(access_key: str, secret_key: str) -> Message:
    requests: list[Request] = []
    with answering({}, 200, requests) as endpoint:
        S3Blobs("s3://bucket", endpoint, REGION, access_key, secret_key).exists(KEY)
    return requests[0].headers


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "bucket"},
        {"url": "s3://"},
        {"url": "s3://my bucket"},
        {"url": "s3://bucket/a folder"},
        {"url": "s3://bucket/../other"},
        {"endpoint": "s3:9000"},
        {"endpoint": "http://"},
        {"endpoint": "http://s3:9000/bucket"},
        {"access_key": "only"},
        {"secret_key": "only"},
    ],
    ids=str,
)
def test_settings_that_cannot_be_meant_are_refused_at_once(wrong):
    right = {"url": "s3://bucket", "endpoint": "http://s3:9000", "access_key": "", "secret_key": ""}
    S3Blobs(region=REGION, **right)
    name = next(iter(wrong)).replace("url", "blob_url").upper()
    with pytest.raises(ConfigurationError, match=f"LOOKALIKE_.*{name}"):
        S3Blobs(region=REGION, **(right | wrong))


FORKING = """
import os, signal, sys
from lookalike.services.adapters.s3_blobs import S3Blobs
from lookalike.services.errors import UnavailableError
url, endpoint, region, access_key, secret_key, key = sys.argv[1:]
blobs = S3Blobs(url, endpoint, region, access_key, secret_key)

def in_a_fork():
    if child := os.fork():
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        return
    signal.alarm(20)
    try:
        os._exit(0 if blobs.open(key).read() == b"picture" else 1)
    except UnavailableError as error:
        print(error, end=" ", flush=True)
        os._exit(2)

in_a_fork()
in_a_fork()
print(blobs.exists(key), flush=True)
in_a_fork()
"""


def test_forks_use_s3_before_their_parent_does_and_are_refused_after_instead_of_hanging(s3):
    name = s3.bucket()
    s3.client.put_object(Bucket=name, Key=KEY, Body=b"picture")
    arguments = [f"s3://{name}", s3.endpoint, REGION, ACCESS_KEY, SECRET_KEY, KEY]
    done = subprocess.run(
        [sys.executable, "-c", FORKING, *arguments],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    first, second, parent, refused = done.stdout.splitlines()
    assert [first, second, parent] == ["0", "0", "True"]
    assert refused.startswith("The picture store cannot be used in a process forked")
    assert refused.endswith("2")
