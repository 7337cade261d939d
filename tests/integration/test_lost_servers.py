"""Broker, database and vector store that end, come back, forget or are slow: nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from qdrant_client import QdrantClient

from tests.cluster import Cluster, Servers, Web
from tests.factories import picture
from tests.integration.faults import (
    NoSmallDiskError,
    OwnQdrant,
    empty_vectors,
    fill,
    held,
    large,
    offer,
    search,
    tiny_disk,
)
from tests.integration.scene import QUICK, assert_nothing_lost, files
from tests.servers.processes import wait_until
from tests.servers.s3 import ACCESS_KEY, SECRET_KEY, S3Server

SEARCH_SECONDS = 2
"""Within so many a search is answered, or refused."""

HEALTH_SECONDS = 1
"""Within so many a supervisor hears that the process is alive."""

REFUSED = (503, "unavailable")


@pytest.fixture
def cluster(servers: Servers, tmp_path: Path) -> Iterator[Cluster]:
    with servers.fresh(tmp_path / "cluster", **QUICK) as made:
        yield made


# The broker


def test_what_a_killed_broker_had_is_indexed_after_its_restart(cluster: Cluster):
    web = cluster.web()
    ids = web.upload(files(20))
    cluster.valkey.kill()
    cluster.valkey.start()
    others = [cluster.worker(), cluster.beat()]
    assert_nothing_lost(cluster, web, ids, alive=[web, *others])


def test_a_broker_killed_under_running_workers_does_not_end_them(cluster: Cluster):
    web, worker, beat = cluster.web(), cluster.worker(), cluster.beat()
    first = web.upload(files(40))
    cluster.valkey.kill()
    cluster.valkey.start()
    second = web.upload(files(20, first=100))
    assert_nothing_lost(cluster, web, [*first, *second], alive=[web, worker, beat])


def test_what_a_broker_forgot_is_queued_again(cluster: Cluster):
    web = cluster.web()
    ids = web.upload(files(20))
    cluster.valkey.client.flushall()
    others = [cluster.worker(), cluster.beat()]
    assert_nothing_lost(cluster, web, ids, alive=[web, *others])


def test_pictures_uploaded_while_the_broker_is_down_are_accepted_and_indexed_later(
    cluster: Cluster,
):
    web = cluster.web()
    cluster.valkey.kill()
    ids = web.upload(files(8))
    assert set(web.states(ids).values()) == {"pending"}
    assert "cannot be reached" in ready(web)["queue"]
    cluster.valkey.start()
    others = [cluster.worker(), cluster.beat()]
    assert_nothing_lost(cluster, web, ids, alive=[web, *others])


def test_on_servers_up_serves_alone_and_workers_do_the_rest(cluster: Cluster):
    web = cluster.up()
    ids = web.upload(files(8))
    assert web.http.get("/status").json()["queue"]["workers"] == 0
    assert set(web.states(ids).values()) == {"pending"}
    others = [cluster.worker(), cluster.beat()]
    assert_nothing_lost(cluster, web, ids, alive=[web, *others])


def test_a_broker_that_may_forget_is_refused_by_name(cluster: Cluster):
    cluster.valkey.client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        refused = cluster.run("up", "--port", "0")
    finally:
        cluster.valkey.client.config_set("maxmemory-policy", "noeviction")
    assert refused.returncode == 2
    assert "noeviction" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_worker_refuses_a_broker_that_may_forget(cluster: Cluster):
    cluster.valkey.client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        worker = cluster.worker()
        assert worker.process.wait(60) == 2
    finally:
        cluster.valkey.client.config_set("maxmemory-policy", "noeviction")
    assert "noeviction" in cluster.log("worker")
    assert "Traceback" not in cluster.log("worker")


def test_removals_and_changes_do_not_wait_for_a_slow_vector_store(cluster: Cluster):
    web, worker, beat = cluster.web(), cluster.worker(), cluster.beat()
    ids = web.upload(files(12))
    web.settle(ids)
    with held(cluster, seconds=30), ThreadPoolExecutor(8) as pool:
        fast = httpx.Client(base_url=f"{web.url}/api/v1", timeout=15, trust_env=False)
        gone = [pool.submit(fast.delete, f"/images/{one}") for one in ids[:8]]
        assert {one.result().status_code for one in gone} == {204}
        assert fast.patch(f"/images/{ids[8]}", json={"tags": ["late"]}).status_code == 200
    assert_nothing_lost(cluster, web, ids[8:], deleted=ids[:8], alive=[web, worker, beat])


# The database


def test_a_restarted_database_loses_no_acknowledged_picture(cluster: Cluster):
    web, worker, beat = cluster.web(), cluster.worker(), cluster.beat()
    first = web.upload(files(40))
    cluster.postgres.restart()
    second = web.upload(files(8, first=100))
    assert_nothing_lost(cluster, web, [*first, *second], alive=[web, worker, beat])


def test_without_a_database_requests_are_refused_and_work_again_later(cluster: Cluster):
    web = cluster.web()
    [picture_id] = web.upload(files(1))
    cluster.postgres.kill()
    try:
        for answer in (search(web, picture_id), web.http.get("/images"), offer(web, files(1, 900))):
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
        assert "database" in ready(web)["database"]
    finally:
        cluster.postgres.start()
    others = [cluster.worker(), cluster.beat()]
    assert_nothing_lost(cluster, web, [picture_id, *web.upload(files(4, 50))], alive=[web, *others])


def test_without_database_broker_and_vectors_the_process_says_that_it_is_alive(cluster: Cluster):
    with OwnQdrant(cluster) as qdrant:
        web = cluster.web()
        qdrant.kill()
        cluster.valkey.kill()
        cluster.postgres.kill()
        try:
            parts = ready(web)
            with impatient(web, HEALTH_SECONDS) as supervisor:
                alive = supervisor.get(f"{web.url}/healthz")
        finally:
            cluster.postgres.start()
            cluster.valkey.start()
    assert (alive.status_code, alive.json()) == (200, {"status": "ok"})
    assert {name for name, state in parts.items() if state != "ok"} == {
        "database",
        "queue",
        "vectors",
    }


# The vector store


def test_without_vectors_searches_are_refused_and_uploads_go_on(cluster: Cluster):
    web, worker, beat = cluster.web(), cluster.worker(), cluster.beat()
    first = web.upload(files(8))
    web.settle(first)
    with held(cluster, seconds=30):
        answer = search(web, first[0])
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
        second = web.upload(files(8, first=50))
    assert_nothing_lost(cluster, web, [*first, *second], alive=[web, worker, beat])
    assert search(web, first[0]).status_code == 200


@pytest.mark.parametrize("trouble", ["kill", "silence"])
def test_without_an_answer_of_the_vector_store_searches_are_refused_within_two_seconds(
    cluster: Cluster, trouble: str
):
    with OwnQdrant(cluster) as qdrant:
        web, worker, beat = cluster.web(), cluster.worker(), cluster.beat()
        ids = web.upload(files(8))
        web.settle(ids)
        # The first picture that somebody searches with has the network loaded.
        for ask in (by_stored_picture(web.http, ids[0]), by_uploaded_picture(web.http)):
            assert ask().status_code == 200
        getattr(qdrant, trouble)()
        with impatient(web, SEARCH_SECONDS) as http:
            for ask in (by_stored_picture(http, ids[0]), by_uploaded_picture(http)):
                answer = ask()
                assert (answer.status_code, answer.json()["error"]["code"]) == REFUSED
        accepted = offer(web, files(8, first=50))
        assert accepted.status_code == 202
        getattr(qdrant, {"kill": "start", "silence": "wake"}[trouble])()
        ids += [image["id"] for image in accepted.json()["images"]]
        assert_nothing_lost(cluster, web, ids, alive=[web, worker, beat])
        assert search(web, ids[0]).status_code == 200


@pytest.mark.parametrize("threads", ["8", "16"])
def test_a_slow_vector_store_leaves_threads_for_everything_else(cluster: Cluster, threads: str):
    """More callers than threads: nobody waits long for the store, nor for one who does."""
    web, worker = cluster.web(web_threads=threads), cluster.worker()
    ids = web.upload(files(8))
    web.settle(ids)
    assert search(web, ids[0]).status_code == 200
    with (
        held(cluster, seconds=5),
        ThreadPoolExecutor(32) as pool,
        impatient(web, SEARCH_SECONDS) as searcher,
        impatient(web, HEALTH_SECONDS) as supervisor,
    ):
        searches = [pool.submit(by_stored_picture(searcher, ids[0])) for _ in range(64)]
        while not all(one.done() for one in searches):
            assert supervisor.get(f"{web.url}/healthz").status_code == 200
        assert {one.result().status_code for one in searches} <= {200, 503}
    assert worker.alive()


def test_vectors_that_were_lost_are_made_again(cluster: Cluster):
    web, worker, beat = cluster.web(), cluster.worker(), cluster.beat()
    ids = web.upload(files(20))
    web.settle(ids)
    before = found(search(web, ids[0]))
    empty_vectors(cluster, web, ids)
    assert_nothing_lost(cluster, web, ids, alive=[web, worker, beat])
    assert found(search(web, ids[0])) == before


def test_the_live_collection_has_an_alias(cluster: Cluster):
    web, worker, beat = cluster.web(), cluster.worker(), cluster.beat()
    web.settle(web.upload(files(1)))
    client = QdrantClient(cluster.qdrant.url, check_compatibility=False)
    wait_until(lambda: bool(client.get_aliases().aliases), "the alias is there", 60)
    [alias] = client.get_aliases().aliases
    assert alias.alias_name == "lookalike-live"
    assert client.count(alias.collection_name).count == 1
    assert all(process.alive() for process in (web, worker, beat))


# Storage


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 kB."""
    try:
        with tiny_disk(tmp_path / "tiny") as folder:
            yield folder
    except NoSmallDiskError as error:
        pytest.skip(str(error))


def test_a_full_disk_refuses_the_upload_keeps_nothing_of_it_and_recovers(
    cluster: Cluster, disk: Path
):
    cluster.settings["blob_url"] = str(disk)
    web, worker, beat = cluster.web(), cluster.worker(), cluster.beat()
    ids = web.upload(files(4))
    web.settle(ids)
    ballast = disk / "ballast"
    fill(ballast)
    before = kept(disk)
    answer = offer(web, large(3))
    assert (answer.status_code, answer.json()["error"]["code"]) == (507, "storage_full")
    assert kept(disk) == before
    ballast.unlink()
    assert_nothing_lost(cluster, web, [*ids, *web.upload(large(1))], alive=[web, worker, beat])


def test_pictures_in_a_bucket_are_indexed_shown_and_removed(cluster: Cluster):
    with S3Server() as s3:
        bucket = s3.bucket()
        cluster.settings |= {
            "blob_url": f"s3://{bucket}/pictures",
            "s3_endpoint": s3.endpoint,
            "s3_access_key": ACCESS_KEY,
            "s3_secret_key": SECRET_KEY,
        }
        web, worker, beat = cluster.web(), cluster.worker(), cluster.beat()
        ids = web.upload(files(4))
        web.settle(ids)
        for kind in ("original", "thumbnail"):
            assert web.http.get(f"/images/{ids[0]}/{kind}").status_code == 200
        assert web.http.delete(f"/images/{ids[0]}").status_code == 204
        assert_nothing_lost(cluster, web, ids[1:], deleted=ids[:1], alive=[web, worker, beat])
        assert len(s3.keys(bucket)) == 2 * 3


def impatient(web: Web, seconds: float) -> httpx.Client:
    """A client of the API that gives up, with an error, when an answer takes so long."""
    limits = httpx.Limits(max_connections=None)
    url = f"{web.url}/api/v1"
    return httpx.Client(base_url=url, timeout=seconds, limits=limits, trust_env=False)


def by_stored_picture(http: httpx.Client, picture_id: str) -> Callable[[], httpx.Response]:
    return lambda: http.post("/search", json={"like": [picture_id]})


def by_uploaded_picture(http: httpx.Client) -> Callable[[], httpx.Response]:
    return lambda: http.post("/search", files={"image": ("one.jpg", picture(7))})


def kept(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def ready(web: Web) -> dict[str, str]:
    answer = web.http.get(f"{web.url}/readyz")
    assert answer.status_code == 503
    return answer.json()["parts"]


def found(answer: httpx.Response) -> list[Any]:
    answer.raise_for_status()
    return [(one["image"]["id"], round(one["score"], 4)) for one in answer.json()["results"]]
