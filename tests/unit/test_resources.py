"""Disk use by part, free disk, memory of workers."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from lookalike.services.disk import disk_usage
from lookalike.services.ports import Worker
from lookalike.services.resources import MOST_WORKERS, Resources
from lookalike.services.settings import Settings
from tests.platforms import HandQueue

KIBIBYTE = 1024
LONG = 60.0


BROKER = "redis://127.0.0.1:9/0"


def resources_of(folder: Path, queue: HandQueue | None = None, **given: str) -> Resources:
    settings = Settings(_env_file=None, data_dir=folder, **given)
    return Resources(settings, queue or HandQueue())


class Workers(HandQueue):
    """A queue that these workers work on."""

    def __init__(self, workers: list[Worker]) -> None:
        super().__init__()
        self._workers = workers

    def workers(self) -> list[Worker]:
        return self._workers


def write(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)


def test_disk_use_is_told_by_part(tmp_path: Path):
    write(tmp_path / "lookalike.db", 64 * KIBIBYTE)
    write(tmp_path / "lookalike.db-wal", 64 * KIBIBYTE)
    write(tmp_path / "blobs" / "originals" / "ab" / "abc", 256 * KIBIBYTE)
    write(tmp_path / "vectors" / "segment", 32 * KIBIBYTE)
    report = resources_of(tmp_path).report(LONG)
    assert report.usage is not None
    parts = report.usage.parts
    assert parts["sql"] >= 128 * KIBIBYTE
    assert 256 * KIBIBYTE <= parts["blobs"] < 400 * KIBIBYTE
    assert 32 * KIBIBYTE <= parts["vectors"] < 128 * KIBIBYTE
    assert (parts["staging"], parts["cache"]) == (0, 0)
    assert report.free
    assert report.total
    assert report.free <= report.total


def test_what_lives_on_servers_is_not_told(tmp_path: Path):
    given = {
        "database_url": "postgresql://nobody@127.0.0.1/nothing",
        "blob_url": "s3://pictures",
        "qdrant_url": "http://127.0.0.1:9",
    }
    report = resources_of(tmp_path / "not there", **given).report(LONG)
    assert report.usage is not None
    assert report.usage.parts == {
        "sql": None,
        "blobs": None,
        "vectors": None,
        "staging": 0,
        "cache": 0,
    }
    assert report.free


def test_blobs_and_cache_are_looked_for_where_the_settings_say(tmp_path: Path):
    write(tmp_path / "pictures" / "a", 128 * KIBIBYTE)
    write(tmp_path / "models" / "b", 512 * KIBIBYTE)
    given = {"blob_url": str(tmp_path / "pictures"), "cache_dir": str(tmp_path / "models")}
    report = resources_of(tmp_path / "data", **given).report(LONG)
    assert report.usage is not None
    assert report.usage.parts["blobs"] >= 128 * KIBIBYTE
    assert report.usage.parts["cache"] >= 512 * KIBIBYTE


def test_one_look_at_the_disk_serves_for_a_while(tmp_path: Path):
    resources = resources_of(tmp_path)
    first = resources.report(LONG)
    write(tmp_path / "blobs" / "a", 512 * KIBIBYTE)
    assert resources.report(LONG).usage == first.usage
    resources._next = float("-inf")
    later = resources.report(LONG)
    assert later.usage is not None
    assert later.usage.parts["blobs"] >= 512 * KIBIBYTE


def test_nobody_waits_long_for_a_disk_with_many_files_and_only_one_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    looked: list[Path] = []
    go_on = threading.Event()

    def slow(path: Path) -> int:
        looked.append(path)
        go_on.wait(LONG)
        return 1

    monkeypatch.setattr("lookalike.services.resources.disk_usage", slow)
    resources = resources_of(tmp_path)
    assert resources.report(patience=0).usage is None
    assert resources.report(patience=0).usage is None
    go_on.set()
    assert resources.report(LONG).usage is not None
    assert len(looked) == len(set(looked))


def test_links_are_not_followed(tmp_path: Path):
    write(tmp_path / "elsewhere" / "big", 1024 * KIBIBYTE)
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "loop").symlink_to(tmp_path / "blobs")
    (tmp_path / "blobs" / "out").symlink_to(tmp_path / "elsewhere")
    assert disk_usage(tmp_path / "blobs") < 64 * KIBIBYTE


def test_workers_of_their_own_tell_what_they_hold(tmp_path: Path):
    workers = [Worker("a@one", 300_000_000), Worker("b@two", None)]
    report = resources_of(tmp_path, Workers(workers), broker_url=BROKER).report(LONG)
    assert report.workers == workers
    assert report.memory


def test_a_worker_in_this_process_is_not_told_of_twice(tmp_path: Path):
    queue = Workers([Worker("embedded@localhost", 300_000_000)])
    assert resources_of(tmp_path, queue).report(LONG).workers == ()


def test_a_queue_that_does_not_answer_takes_nothing_else_with_it(tmp_path: Path):
    queue = HandQueue()
    queue.down = True
    report = resources_of(tmp_path, queue, broker_url=BROKER).report(LONG)
    assert report.workers is None
    assert report.usage is not None


def test_no_more_workers_are_named_than_a_page_can_show(tmp_path: Path):
    queue = Workers([Worker(f"{number:03}@one", 1) for number in range(MOST_WORKERS + 1)])
    found = resources_of(tmp_path, queue, broker_url=BROKER).report(LONG).workers
    assert found == queue.workers()[:MOST_WORKERS]
