"""Imports while processes are killed and queues are lost: every item once, nothing left behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cluster import Cluster, Servers
from tests.integration.scene import QUICK, assert_nothing_lost, files
from tests.program import Server, run, wait_for
from tests.servers.processes import wait_until
from tests.unit.test_imports import zipped

ITEMS = 200
ENDED = {"done", "failed", "cancelled", "undone"}


@pytest.fixture
def cluster(servers: Servers, tmp_path: Path) -> Iterator[Cluster]:
    with servers.fresh(tmp_path, **QUICK) as made:
        yield made


def start(http: httpx.Client, pictures: dict[str, bytes]) -> str:
    parts = {"file": ("all.zip", zipped(pictures | {"text.jpg": b"no picture"}))}
    answer = http.post("/imports", files=parts)
    answer.raise_for_status()
    return f"/imports/{answer.json()['id']}"


def ids_of(http: httpx.Client) -> list[str]:
    answer = http.get("/images", params={"limit": 500})
    return [image["id"] for image in answer.json()["images"]]


def settled(http: httpx.Client, url: str) -> dict[str, Any]:
    """The import when it has ended."""
    wait_until(lambda: http.get(url).json()["state"] in ENDED, "the import ends", 180)
    found: dict[str, Any] = http.get(url).json()
    return found


def assert_each_once(one: dict[str, Any]) -> None:
    counts = [one[name] for name in ("state", "new", "duplicate", "failed", "total")]
    assert counts == ["done", ITEMS, 0, 1, ITEMS + 1]


@pytest.mark.parametrize(
    "moment", ["import_batch=kill*1", "before_commit=kill*1", "after_upsert=kill"]
)
def test_a_killed_worker_is_replaced_where_it_was(cluster: Cluster, moment: str):
    web, beat = cluster.web(), cluster.beat()
    doomed = cluster.worker(failpoints=moment)
    url = start(web.http, files(ITEMS))
    wait_until(lambda: not doomed.alive(), "the worker is killed", 120)
    others = [cluster.worker(), cluster.worker(), beat]
    assert_each_once(settled(web.http, url))
    ids = ids_of(web.http)
    assert len(ids) == ITEMS
    assert_nothing_lost(cluster, web, ids, alive=[web, *others])


def test_a_lost_queue_delays_an_import_and_an_undo(cluster: Cluster):
    web, beat = cluster.web(), cluster.beat()
    url = start(web.http, files(ITEMS))
    cluster.valkey.client.flushall()
    worker = cluster.worker()
    assert_each_once(settled(web.http, url))
    [by_hand, *_] = web.upload(files(1))
    web.http.post(f"{url}/undo").raise_for_status()
    cluster.valkey.client.flushall()
    wait_until(lambda: web.http.get(url).json()["state"] == "undone", "it is undone", 180)
    assert web.http.get(url).json()["removed"] == ITEMS - 1
    assert ids_of(web.http) == [by_hand]
    assert_nothing_lost(cluster, web, [by_hand], alive=[web, beat, worker])


def test_a_single_upload_overtakes_an_import(cluster: Cluster):
    web, beat, worker = cluster.web(), cluster.beat(), cluster.worker()
    url = start(web.http, files(ITEMS))
    wait_until(lambda: web.http.get(url).json()["found"] > 0, "the import has begun", 60)
    one = web.upload(files(1, first=5000))
    web.settle(one, 60)
    assert web.http.get(url).json()["state"] == "running"
    assert_each_once(settled(web.http, url))
    assert_nothing_lost(cluster, web, ids_of(web.http), alive=[web, beat, worker])


def test_a_power_cut_leaves_an_import_that_the_next_start_goes_on_with(
    start_server: Callable[..., Server], data: Path
):
    server = start_server()
    url = start(server.http, files(ITEMS))
    wait_for(lambda: server.http.get(url).json()["found"] > 0)
    server.kill()
    server = start_server()
    wait_for(lambda: server.http.get(url).json()["state"] in ENDED)
    assert_each_once(server.http.get(url).json())
    assert len(ids_of(server.http)) == ITEMS
    server.stop()
    check = run("check", "--data", data)
    assert check.returncode == 0, check.stdout
    assert list((data / "blobs" / "imports").glob("*")) == [
        data / "blobs" / "imports" / url.rpartition("/")[2]
    ]


@pytest.fixture
def start_server(start: Callable[..., Server]) -> Callable[..., Server]:
    """The same, under a name that does not hide our own `start`."""
    return start
