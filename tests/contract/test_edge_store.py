"""What the embedded vector store promises beyond the port: crashes, rebuilds, one owner."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
import qdrant_edge as edge
from structlog.testing import capture_logs

from lookalike.services.adapters.edge import builder, rebuild
from lookalike.services.adapters.edge.folder import ShardFolder
from lookalike.services.adapters.edge.schema import field_indexes
from lookalike.services.adapters.edge.store import EdgeStore
from lookalike.services.errors import BusyError, UnavailableError
from lookalike.services.filters import AnyOf
from lookalike.services.ports import VectorQuery
from lookalike.services.records import Distance
from tests.contract.points import SPEC, WIDE, change, found, is_changed, many, point

COUNT = 3000
NEVER = 10**9


def shards(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "pictures").glob("shard-*"))


def rebuilds(pid: int) -> list[int]:
    """Process ids of the rebuilds that a process has under way; it may have other children."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    children = [int(each) for task in tasks for each in (task / "children").read_text().split()]
    return [child for child in children if rebuild.__name__ in _command(child)]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except FileNotFoundError:  # it has ended since
        return ""


def wait_for(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.005)


def is_alive(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


@contextmanager
def writer(root: Path, rebuild_from: int) -> Iterator[subprocess.Popen[str]]:
    """A process that has upserted COUNT points and goes on; killed in the end, if not before."""
    command = [sys.executable, "-m", "tests.contract.edge_writer", root, COUNT, rebuild_from]
    with subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def killed(process: subprocess.Popen[str]) -> list[int]:
    """Kill the process without warning; the changes that it says had been made."""
    process.send_signal(signal.SIGKILL)
    assert process.stdout is not None
    return [int(line) for line in process.stdout.read().splitlines(keepends=True) if "\n" in line]


def check_nothing_is_lost(root: Path, changed: list[int]) -> None:
    with closing(EdgeStore(root, NEVER)) as store:
        collection = store.open("pictures", WIDE)
        # The one after the last it told of may have been made or not.
        untouched = [UUID(int=number) for number in range(len(changed) + 1, COUNT)]
        assert changed == list(range(len(changed)))
        assert all(is_changed(collection, number) for number in changed)
        assert set(collection.vectors(untouched)) == set(untouched)
        assert len(shards(root)) == 1


def test_all_is_there_after_closing_and_opening_again(tmp_path):
    with closing(EdgeStore(tmp_path, NEVER)) as store:
        collection = store.open("pictures", WIDE)
        collection.upsert(many(COUNT))
        for number in range(30):
            change(collection, number)
        collection.close()
        collection.close()
    check_nothing_is_lost(tmp_path, list(range(30)))


def test_all_is_there_after_the_process_was_killed(tmp_path):
    with writer(tmp_path, NEVER) as process:
        assert process.stdout is not None
        seen = [int(process.stdout.readline()) for _ in range(100)]
        changed = seen + killed(process)
    check_nothing_is_lost(tmp_path, changed)


@pytest.mark.parametrize("seconds", [0.2, 0.5, 1.0])
def test_a_crash_about_the_time_of_a_rebuild_loses_and_leaves_nothing(tmp_path, seconds):
    with writer(tmp_path, COUNT) as process:
        wait_for(lambda: len(shards(tmp_path)) == 2)
        time.sleep(seconds)
        changed = killed(process)
    check_nothing_is_lost(tmp_path, changed)


def test_a_crash_during_a_rebuild_ends_it_and_what_it_left_is_cleared(tmp_path):
    with writer(tmp_path, COUNT) as process:
        wait_for(lambda: rebuilds(process.pid))
        child = rebuilds(process.pid)[0]
        changed = killed(process)
        wait_for(lambda: not is_alive(child))
    assert len(shards(tmp_path)) == 2
    check_nothing_is_lost(tmp_path, changed)


def test_a_rebuild_starts_by_itself_and_keeps_updates_and_searches_going(tmp_path):
    with closing(EdgeStore(tmp_path, COUNT)) as store:
        collection = store.open("pictures", WIDE)
        before = shards(tmp_path)
        points = many(COUNT)
        collection.upsert(points)
        wait_for(lambda: rebuilds(os.getpid()))
        number = 0
        while before[0] in shards(tmp_path):
            change(collection, number)
            later = points[number + COUNT // 2]
            assert found(collection, later.vector, limit=1) == [later.id.int]
            number += 1
            time.sleep(0.005)
        assert number > 10, "the rebuild left no time for updates"
        assert all(is_changed(collection, each) for each in range(number))
        assert collection.wait_until_optimized(60)
        assert all(is_changed(collection, each) for each in range(number))
        assert len(shards(tmp_path)) == 1
    check_nothing_is_lost(tmp_path, list(range(number)))


@pytest.mark.parametrize("distance", Distance)
def test_the_graph_finds_what_comparing_with_all_finds(tmp_path, distance):
    with closing(EdgeStore(tmp_path, NEVER)) as store:
        collection = store.open("pictures", replace(WIDE, distance=distance))
        points = many(9000)  # so many that what the filter leaves is not just compared one by one
        collection.upsert(points)
        assert collection.wait_until_optimized(120)
        for conditions in ([], [AnyOf(("tags",), ("most",))]):
            right = 0
            for one in points[::180]:
                asked = VectorQuery("main", [one.vector], (), conditions, limit=10)
                exact = VectorQuery("main", [one.vector], (), conditions, limit=10, exact=True)
                right += len({*collection.search(asked)} & {*collection.search(exact)})
            assert right >= 0.9 * 10 * 50


def test_a_rebuild_that_fails_is_logged_and_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr(builder, "FIRST_RETRY_SECONDS", 0.2)
    with closing(EdgeStore(tmp_path, COUNT)) as store, capture_logs() as logs:
        collection = store.open("pictures", WIDE)
        collection.upsert(many(COUNT))
        wait_for(lambda: rebuilds(os.getpid()))
        os.kill(rebuilds(os.getpid())[0], signal.SIGKILL)
        wait_for(lambda: logs)
        assert (logs[0]["event"], logs[0]["log_level"]) == ("graph_rebuild_failed", "warning")
        assert collection.count() == COUNT
        assert collection.wait_until_optimized(60)
        assert len(shards(tmp_path)) == 1


def test_closing_ends_a_rebuild_at_once(tmp_path):
    store = EdgeStore(tmp_path, COUNT)
    store.open("pictures", WIDE).upsert(many(COUNT))
    wait_for(lambda: rebuilds(os.getpid()))
    child = rebuilds(os.getpid())[0]
    started = time.monotonic()
    store.close()
    assert time.monotonic() - started < 5
    assert not is_alive(child)
    assert not [thread for thread in threading.enumerate() if thread.name == "search graph"]
    check_nothing_is_lost(tmp_path, [])


def test_a_second_opener_is_told_that_the_folder_is_in_use(tmp_path):
    with closing(EdgeStore(tmp_path)), pytest.raises(BusyError, match="in use by another process"):
        EdgeStore(tmp_path)
    EdgeStore(tmp_path).close()


def test_a_folder_that_cannot_be_used_is_refused_with_a_sentence(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(UnavailableError, match="free space"):
        EdgeStore(tmp_path / "file")


def test_a_collection_of_another_distance_is_refused(tmp_path):
    with closing(EdgeStore(tmp_path)) as store:
        store.open("pictures", SPEC)
    with closing(EdgeStore(tmp_path)) as store, pytest.raises(UnavailableError) as refused:
        store.open("pictures", replace(SPEC, distance=Distance.EUCLID))
    assert "expected distance Euclid, but got Cosine" in refused.value.details["reason"]


def test_a_collection_of_other_vectors_is_refused(tmp_path):
    with closing(EdgeStore(tmp_path)) as store:
        store.open("pictures", SPEC)
        with pytest.raises(ValueError, match="opened for"):
            store.open("pictures", WIDE)
    with closing(EdgeStore(tmp_path)) as store, pytest.raises(UnavailableError) as refused:
        store.open("pictures", WIDE)
    assert "expected vector size 64, but got 4" in refused.value.details["reason"]


def test_a_field_that_filters_did_not_use_when_it_was_made_is_indexed(tmp_path, monkeypatch):
    later = "words"
    known = {field: made for field, made in field_indexes().items() if field != later}
    with monkeypatch.context() as before, closing(EdgeStore(tmp_path)) as store:
        before.setattr("lookalike.services.adapters.edge.shard.field_indexes", lambda: known)
        store.open("one", SPEC).upsert([point(1, words=("sea",)), point(2)])
    path, _ = ShardFolder(tmp_path / "one").current()
    with closing(edge.EdgeShard.load(str(path), None)) as engine:
        assert engine.info().payload_schema.keys() == known.keys()
    with closing(EdgeStore(tmp_path)) as store:
        condition = AnyOf((later,), ("sea",))
        assert found(store.open("one", SPEC), conditions=[condition]) == [1]
    with closing(edge.EdgeShard.load(str(path), None)) as engine:
        assert engine.info().payload_schema.keys() == {*known, later}


def test_damaged_files_are_an_outage_not_a_crash(tmp_path):
    with closing(EdgeStore(tmp_path)) as store:
        store.open("pictures", SPEC)
    for path in (tmp_path / "pictures").rglob("segment.json"):
        path.write_text("damaged")
    with closing(EdgeStore(tmp_path)) as store, pytest.raises(UnavailableError, match="opening"):
        store.open("pictures", SPEC)


@pytest.mark.parametrize("left", ["shard-1", "shard-7", "current.json.new"])
def test_what_a_crash_left_of_making_or_dropping_a_collection_goes_away(tmp_path, left):
    (tmp_path / "pictures" / left).mkdir(parents=True)
    with closing(EdgeStore(tmp_path)) as store:
        assert store.names() == []
        store.open("pictures", SPEC).upsert([point(1)])
        assert [*(tmp_path / "pictures").glob("*.new")] == []
        assert len(shards(tmp_path)) == 1


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "é", "a\n"])
def test_names_that_could_leave_the_folder_are_refused(tmp_path, name):
    with closing(EdgeStore(tmp_path)) as store:
        with pytest.raises(ValueError, match="letters, digits"):
            store.open(name, SPEC)
        with pytest.raises(ValueError, match="letters, digits"):
            store.drop(name)
