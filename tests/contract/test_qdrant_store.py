"""What the Qdrant adapter promises beyond its port: how it asks, and what it does in trouble."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx
import psutil
import pytest
from qdrant_client import models

from lookalike.services.adapters.qdrant_server.options import QdrantOptions
from lookalike.services.adapters.qdrant_server.reads import PATIENCE_SECONDS, REST_SECONDS
from lookalike.services.adapters.qdrant_server.schema import field_indexes
from lookalike.services.adapters.qdrant_server.store import QdrantStore
from lookalike.services.errors import InvalidRequestError, UnavailableError
from lookalike.services.filters import AnyOf
from lookalike.services.ports import VectorQuery
from lookalike.services.records import Storage
from tests.contract.points import EAST, NORTH, SPEC, found, payload, point
from tests.qdrant_double.engine import GRAPH_BYTES, Engine
from tests.qdrant_double.process import ROOT, running
from tests.qdrant_double.server import Double, Seen


@pytest.fixture
def double() -> Iterator[Double]:
    with Double() as made:
        yield made


@contextmanager
def store_on(url: str, **options: Any) -> Iterator[QdrantStore]:
    """A store on the server at `url`; patient, unless `options` say otherwise."""
    store = QdrantStore(QdrantOptions(url=url, **({"search_seconds": 30} | options)))
    try:
        yield store
    finally:
        store.close()


@pytest.fixture
def store(double) -> Iterator[QdrantStore]:
    with store_on(double.url) as made:
        yield made


def sent(double: Double, method: str, ending: str) -> list[Seen]:
    """The requests of that method whose path ends so."""
    return [one for one in double.seen if one.method == method and one.path.endswith(ending)]


def seconds_of(call: Callable[[], object]) -> float:
    """How long the call takes to be refused."""
    started = time.monotonic()
    with pytest.raises(UnavailableError):
        call()
    return time.monotonic() - started


# Collections


def test_a_collection_is_made_by_the_first_write_with_what_the_settings_say(double):
    options = {"shards": 6, "replicas": 3, "write_consistency": 2, "on_disk": True}
    with store_on(double.url, api_key="secret", **options) as store:
        collection = store.open("pictures", replace(SPEC, storage=Storage.INT8))
        assert store.names() == ["pictures"]
        assert not sent(double, "PUT", "/pictures")
        collection.upsert([point(1)])
    [made] = sent(double, "PUT", "/collections/pictures")
    assert made.json == {
        "vectors": {"size": 4, "distance": "Cosine", "on_disk": True},
        "shard_number": 6,
        "replication_factor": 3,
        "write_consistency_factor": 2,
        "hnsw_config": {"m": 32, "ef_construct": 100, "full_scan_threshold": 78},
        "quantization_config": {"scalar": {"type": "int8", "quantile": 0.99, "always_ram": True}},
    }
    assert {one.key for one in double.seen} == {"secret"}


def test_fields_are_indexed_before_the_first_point_comes(double, store):
    store.open("pictures", SPEC).upsert([point(1)])
    [*before, last] = double.seen
    assert last.path == "/collections/pictures/points"
    fields = {one.json["field_name"]: one.json["field_schema"] for one in before[2:]}
    assert fields.pop("library") == {"type": "keyword", "is_tenant": True}
    assert fields.pop("part") == {"type": "keyword"}
    assert {field: schema["type"] for field, schema in fields.items()} == {
        **dict.fromkeys(
            ["facts", "tags", "words", "format", "orientation", "numbers[].name"], "keyword"
        ),
        **dict.fromkeys(["width", "height", "bytes", "taken", "added"], "float"),
        "numbers[].value": "float",
    }
    assert all(schema["enable_hnsw"] is False for schema in fields.values())


INT8 = {"scalar": {"type": "int8", "quantile": 0.99, "always_ram": True}}
BINARY = {"binary": {"always_ram": True, "query_encoding": "scalar8bits"}}
TURBO = {"turbo": {"always_ram": True, "bits": "bits4"}}


@pytest.mark.parametrize(
    ("storage", "config", "rescored", "longer"),
    [
        (Storage.FLOAT32, None, None, None),
        (Storage.FLOAT16, None, None, None),
        (Storage.INT8, INT8, 64, 2 * 101),
        (Storage.BINARY, BINARY, 256, 4 * 101),
        (Storage.TURBO, TURBO, 256, 256),
    ],
)
def test_small_copies_find_candidates_and_full_vectors_score_them(
    double, store, storage, config, rescored, longer
):
    collection = store.open("pictures", replace(SPEC, storage=storage))
    collection.upsert([point(1)])
    found(collection, limit=9)
    found(collection, limit=100)
    found(collection, exact=True)
    [made] = sent(double, "PUT", "/collections/pictures")
    half = {"datatype": "float16"} if storage is Storage.FLOAT16 else {}
    assert made.json["vectors"] == {"size": 4, "distance": "Cosine", "on_disk": False, **half}
    assert made.json.get("quantization_config") == config
    *walks, exact = [one.json["params"] for one in sent(double, "POST", "/query")]
    for walk, limit, candidates in zip(walks, (10, 101), (rescored, longer), strict=True):
        more = candidates and {"rescore": True, "oversampling": candidates / limit}
        assert walk.get("quantization") == more
        assert walk["hnsw_ef"] == 128
    assert exact == {"exact": True, "quantization": {"ignore": True}}


def test_conditions_are_walked_around(double, store):
    collection = store.open("pictures", SPEC)
    collection.upsert([point(1)])
    found(collection)
    found(collection, conditions=[AnyOf(("tags",), ("sea",))])
    plain, around = [one.json["params"] for one in sent(double, "POST", "/query")]
    assert "acorn" not in plain
    assert around["acorn"] == {"enable": True, "max_selectivity": 1.0}


def test_an_older_server_offers_less_and_what_else_there_is_gets_said():
    class Older(Engine):
        def info(self) -> models.VersionInfo:
            return models.VersionInfo(title="qdrant", version="1.17.3-dev")

    engine = Older()
    store = QdrantStore(QdrantOptions(url=""), lambda _: engine)
    assert store.storages() == tuple(one for one in Storage if one is not Storage.TURBO)
    turbo = store.open("pictures", replace(SPEC, storage=Storage.TURBO))
    with pytest.raises(InvalidRequestError, match="one of float32, float16, int8, binary"):
        turbo.upsert([point(1)])
    assert engine.get_collections().collections == []


def test_a_server_before_1_18_does_not_tell_what_vectors_take(double, store):
    collection = store.open("pictures", SPEC)
    assert collection.bytes_used() is None  # not made yet
    collection.upsert([point(1), point(2)])
    assert collection.bytes_used() == 2 * (4 * 4 + GRAPH_BYTES)
    double.failures.append(404)
    assert collection.bytes_used() is None


def test_vectors_without_small_copies_yet_count_in_full(double, store, monkeypatch):
    collection = store.open("pictures", replace(SPEC, storage=Storage.INT8))
    collection.upsert([point(1), point(2)])
    assert collection.bytes_used() == 2 * (4 + GRAPH_BYTES)
    told = double.engine.memory("pictures")
    told["vectors"][0]["quantized"] = None
    monkeypatch.setattr(double.engine, "memory", lambda _: told)
    assert collection.bytes_used() == 2 * (4 * 4 + GRAPH_BYTES)


def test_a_key_over_plain_http_is_no_reason_to_complain():
    with warnings.catch_warnings(action="error"):
        QdrantStore(QdrantOptions(url="http://127.0.0.1:1", api_key="secret")).close()


def test_many_processes_make_one_collection(double):
    start = threading.Barrier(8)

    def write(number: int) -> None:
        with store_on(double.url) as store:
            start.wait()
            store.open("pictures", SPEC).upsert([point(number)])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert double.engine.count("pictures").count == 8


def test_another_that_makes_the_collection_first_is_no_failure(double, store, monkeypatch):
    double.engine.create_collection(
        "pictures", vectors_config=models.VectorParams(size=4, distance=models.Distance.COSINE)
    )
    asked = iter([False, True])
    monkeypatch.setattr(double.engine, "collection_exists", lambda _: next(asked), raising=False)
    store.open("pictures", SPEC).upsert([point(1)])
    assert len(sent(double, "PUT", "/collections/pictures")) == 1
    assert double.engine.count("pictures").count == 1


def test_a_server_that_was_emptied_reads_as_empty_and_is_made_again(double, store):
    collection = store.open("pictures", SPEC)
    collection.upsert([point(1), point(2)])
    double.engine.empty()
    assert (collection.count(), collection.count("main"), found(collection)) == (0, 0, [])
    assert collection.is_empty()
    collection.check()
    assert collection.vectors([UUID(int=1)]) == {}
    assert list(collection.scan()) == []
    assert collection.wait_until_optimized(1)
    collection.set_payload({UUID(int=1): payload()})
    collection.delete([UUID(int=1)])
    store.drop("pictures")
    collection.upsert([point(3)])
    assert found(collection) == [3]
    assert len(sent(double, "PUT", "/index")) == 2 * len(field_indexes())


def test_an_alias_names_one_collection_then_another(double, store):
    for name in ("older", "newer"):
        store.open(name, SPEC)
        for _ in range(2):
            store.point_alias("live", name)
            [alias] = double.engine.get_aliases().aliases
            assert (alias.alias_name, alias.collection_name) == ("live", name)
    assert len(sent(double, "POST", "/collections/aliases")) == 2
    assert store.names() == ["newer", "older"]
    with pytest.raises(UnavailableError, match="no collection missing"):
        store.point_alias("live", "missing")


# Writes


def test_each_write_waits_until_searches_find_it(double, store):
    collection = store.open("pictures", SPEC)
    collection.upsert([point(1)])
    collection.set_payload({UUID(int=1): payload(tags=("new",))})
    collection.delete([UUID(int=1)])
    for method, ending in (
        ("PUT", "/points"),
        ("POST", "/points/batch"),
        ("POST", "/points/delete"),
    ):
        [write] = sent(double, method, ending)
        assert write.query["wait"] == "true"


# Writes in trouble


def test_a_write_is_tried_again_when_the_server_falters(double, store):
    collection = store.open("pictures", SPEC)
    collection.upsert([point(1)])
    for failures in ([503, 503], [429, 500]):
        double.failures.extend(failures)
        double.seen.clear()
        collection.upsert([point(2, NORTH)])
        assert len(double.seen) == 3
    assert collection.count() == 2


def test_a_write_is_given_up_after_three_tries_and_at_once_when_refused(double, store):
    collection = store.open("pictures", SPEC)
    collection.upsert([point(1)])
    for failures, tries in (([503] * 3, 3), ([400], 1), ([401], 1)):
        double.failures.extend(failures)
        double.seen.clear()
        seconds_of(lambda: collection.upsert([point(2)]))
        assert len(double.seen) == tries
    assert collection.count() == 1


def test_a_write_is_over_in_its_time(double):
    with store_on(double.url, write_seconds=1) as store:
        collection = store.open("pictures", SPEC)
        collection.upsert([point(1)])
        double.delay = 3
        assert seconds_of(lambda: collection.upsert([point(2)])) < 2


def test_a_write_that_the_server_only_noted_is_a_failure():
    class Late(Engine):
        def upsert(self, *_: object, **__: object) -> models.UpdateResult:
            return models.UpdateResult(status=models.UpdateStatus.WAIT_TIMEOUT)

    engine = Late()
    collection = QdrantStore(QdrantOptions(url=""), lambda _: engine).open("pictures", SPEC)
    with pytest.raises(UnavailableError, match="not made it yet"):
        collection.upsert([point(1)])


def test_a_point_that_is_deleted_while_its_payload_is_set_is_passed_over():
    class Racing(Engine):
        def retrieve(self, collection: str, ids: list[str], **options: object) -> Any:
            records = self.__getattr__("retrieve")(collection, ids, **options)
            self.delete(collection, models.PointIdsList(points=[str(UUID(int=1))]))
            return records

    engine = Racing()
    collection = QdrantStore(QdrantOptions(url=""), lambda _: engine).open("pictures", SPEC)
    collection.upsert([point(1), point(2)])
    collection.set_payload({UUID(int=number): payload(tags=("new",)) for number in (1, 2)})
    assert found(collection, conditions=[AnyOf(("tags",), ("new",))]) == [2]


@pytest.mark.parametrize(("status", "words"), [(401, "API_KEY"), (503, "moment"), (400, "log")])
def test_what_is_wrong_is_said_in_a_sentence_that_helps(double, store, status, words):
    double.failures.append(status)
    with pytest.raises(UnavailableError, match=words) as raised:
        store.open("pictures", SPEC).count()
    assert raised.value.code == "unavailable"
    assert str(status) in raised.value.details["reason"]


# Reads in trouble


def test_a_server_that_is_down_stops_no_start_and_no_search_for_long(double):
    double.__exit__()
    with store_on(double.url, search_seconds=1.5) as store:
        collection = store.open("pictures", SPEC)
        assert seconds_of(lambda: found(collection)) < 2
        assert seconds_of(collection.count) < 0.3
        assert seconds_of(collection.check) < 0.3


def test_neither_a_sign_of_life_nor_emptiness_is_asked_by_counting(double, store):
    collection = store.open("pictures", SPEC)
    collection.upsert([point(number) for number in range(3)])
    double.seen.clear()
    collection.check()
    assert not collection.is_empty()
    assert [one.path.removeprefix("/collections/pictures") for one in double.seen] == [
        "/exists",
        "/points/scroll",
    ]
    assert double.seen[-1].json["limit"] == 1


def test_a_read_is_tried_once(double, store):
    double.failures.append(503)
    seconds_of(store.open("pictures", SPEC).count)
    assert len(double.seen) == 1


def test_a_slow_server_is_left_alone_for_a_second_then_tried_by_one(double):
    with store_on(double.url, search_seconds=0.6) as store:
        collection = store.open("pictures", SPEC)
        collection.upsert([point(1)])
        double.delay = 2
        assert 0.6 <= seconds_of(lambda: found(collection)) < 1.1
        assert seconds_of(lambda: found(collection)) < 0.3
        time.sleep(REST_SECONDS)
        double.seen.clear()
        with ThreadPoolExecutor(4) as pool:
            waits = list(pool.map(lambda _: seconds_of(lambda: found(collection)), range(4)))
        assert sorted(wait < 0.3 for wait in waits) == [False, True, True, True]
        double.delay = 0
        time.sleep(REST_SECONDS)
        assert found(collection) == [1]
        assert found(collection) == [1]
        assert len(sent(double, "POST", "/query")) == 3


def test_only_so_many_wait_for_a_slow_server(double):
    with store_on(double.url, reads_at_once=2) as store:
        collection = store.open("pictures", SPEC)
        collection.upsert([point(1)])
        double.delay = 2 * PATIENCE_SECONDS

        def read(_: int) -> tuple[bool, float]:
            started = time.monotonic()
            try:
                answered = found(collection) == [1]
            except UnavailableError:
                answered = False
            return answered, time.monotonic() - started

        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(read, range(8)))
        refused = [seconds for answered, seconds in outcomes if not answered]
        assert len(refused) == 6
        assert max(refused) < 1.5 * PATIENCE_SECONDS


def test_more_reads_than_places_take_turns_while_answers_come(double):
    with store_on(double.url, reads_at_once=2) as store:
        collection = store.open("pictures", SPEC)
        collection.upsert([point(1)])
        with ThreadPoolExecutor(16) as pool:
            assert list(pool.map(lambda _: found(collection), range(200))) == [[1]] * 200


# The double, as a process


def test_a_store_goes_on_when_its_server_is_killed_and_started_again(tmp_path):
    with running(path=tmp_path) as first:
        url = httpx.URL(first.url)
        with store_on(first.url) as store:
            collection = store.open("pictures", SPEC)
            collection.upsert([point(1)])
            first.process.kill()
            first.process.wait()
            seconds_of(lambda: found(collection))
            with running(url.port or 0, tmp_path):
                collection.upsert([point(2)])
                time.sleep(REST_SECONDS)
                assert found(collection) == [1, 2]


def test_the_double_is_slow_and_empty_on_demand_and_knows_no_other_routes():
    with running() as double, store_on(double.url) as store:
        collection = store.open("pictures", SPEC)
        collection.upsert([point(1)])
        assert httpx.get(f"{double.url}/telemetry").status_code == 404
        assert httpx.post(f"{double.url}/_double/empty").status_code == 200
        assert collection.search(VectorQuery("main", [EAST])) == []
        httpx.post(f"{double.url}/_double/delay", json={"seconds": 0.4})
        started = time.monotonic()
        assert collection.count() == 0
        assert time.monotonic() - started >= 0.4


def test_the_double_ends_with_the_process_that_started_it():
    starting = (
        "import time\n"
        "from tests.qdrant_double.process import running\n"
        "with running() as one: print(one.process.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", starting], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with parent:
        child = psutil.Process(int(parent.stdout.readline()))
        os.kill(parent.pid, signal.SIGKILL)
        assert child.wait(10) is None
