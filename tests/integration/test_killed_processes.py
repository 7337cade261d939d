"""Workers and web processes killed at the worst moments: every acknowledged picture is indexed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select

from lookalike.services.adapters.celery_queue import CeleryQueue
from lookalike.services.broker import REDELIVERY_MARGIN
from lookalike.services.db import Database
from lookalike.services.models import Entry
from tests.cluster import Cluster, Servers
from tests.integration.scene import QUICK, assert_nothing_lost, files
from tests.servers.processes import wait_until


@pytest.fixture
def cluster(servers: Servers, tmp_path: Path) -> Iterator[Cluster]:
    with servers.fresh(tmp_path / "cluster", **QUICK) as made:
        yield made


def entries_of(cluster: Cluster) -> list[Entry]:
    """How far each picture is, as SQL has it."""
    db = Database(cluster.settings["database_url"])
    with db.read() as session:
        found = list(session.scalars(select(Entry).order_by(Entry.updated_at)))
    db.close()
    return found


@pytest.mark.parametrize(
    "moment", ["after_receive", "after_decode", "after_embed", "after_upsert", "after_commit"]
)
def test_a_worker_killed(cluster: Cluster, moment: str):
    web = cluster.web()
    doomed = cluster.worker(failpoints=f"{moment}=kill")
    ids = web.upload(files(40))
    wait_until(lambda: not doomed.alive(), "the worker was killed", 60)
    killed = time.monotonic()
    others = [cluster.worker(), cluster.beat()]
    web.settle(ids)
    print(f"killed {moment}: all indexed {time.monotonic() - killed:.1f} s later")
    assert_nothing_lost(cluster, web, ids, alive=[web, *others])


def test_a_worker_killed_again_and_again_is_outlived(cluster: Cluster):
    web, beat = cluster.web(), cluster.beat()
    ids = web.upload(files(40))
    for _ in range(2):
        doomed = cluster.worker(failpoints="after_upsert=kill")
        wait_until(lambda one=doomed: not one.alive(), "the worker was killed", 60)
    worker = cluster.worker()
    assert_nothing_lost(cluster, web, ids, alive=[web, worker, beat])


def test_a_worker_that_is_asked_to_stop_finishes_what_it_has_in_hand(cluster: Cluster):
    web = cluster.web()
    worker = cluster.worker(failpoints="after_embed=wait:0.5")
    ids = web.upload(files(64))
    wait_until(lambda: "indexed" in web.states(ids).values(), "the first batch is indexed", 60)
    assert worker.stop() == 0
    assert all(entry.leased_until is None for entry in entries_of(cluster)), "left in hand"
    others = [cluster.worker(), cluster.beat()]
    assert_nothing_lost(cluster, web, ids, alive=[web, *others])


def test_a_web_process_killed_before_the_commit_has_acknowledged_nothing(cluster: Cluster):
    doomed = cluster.web(failpoints="before_commit=kill")
    with pytest.raises(httpx.HTTPError):
        doomed.upload(files(4))
    wait_until(doomed.answers, "gunicorn has replaced its process")
    web = cluster.web()
    others = [cluster.worker(), cluster.beat()]
    assert web.http.get("/images").json()["images"] == []
    ids = web.upload(files(4))
    assert_nothing_lost(cluster, web, ids, alive=[doomed, web, *others])


def test_a_web_process_killed_between_commit_and_queue_leaves_pictures_that_are_indexed(
    cluster: Cluster,
):
    doomed = cluster.web(failpoints="before_publish=kill")
    with pytest.raises(httpx.HTTPError):
        doomed.upload(files(4))
    web = cluster.web()
    others = [cluster.worker(), cluster.beat()]
    ids = [image["id"] for image in web.http.get("/images").json()["images"]]
    assert len(ids) == 4
    assert_nothing_lost(cluster, web, ids, alive=[web, *others])


def test_a_task_delivered_three_times_at_once_is_done_once(cluster: Cluster):
    web = cluster.web()
    ids = web.upload(files(32))
    queue = CeleryQueue(cluster.valkey.url, 16, 2)
    for _ in range(2):
        queue.put([UUID(one) for one in ids])
    queue.close()
    workers = [cluster.worker(lease_seconds="30"), cluster.worker(lease_seconds="30")]
    assert_nothing_lost(cluster, web, ids, alive=[web, *workers])
    assert {entry.attempts for entry in entries_of(cluster)} == {1}


def test_a_task_that_outlives_its_lease_and_the_visibility_timeout_ends_well(cluster: Cluster):
    web, beat = cluster.web(), cluster.beat()
    slow = cluster.worker(
        failpoints=f"after_embed=wait:{int(QUICK['lease_seconds']) + REDELIVERY_MARGIN + 3}"
    )
    ids = web.upload(files(8))
    wait_until(lambda: any(one.leased_until for one in entries_of(cluster)), "they are taken", 60)
    workers = [slow, cluster.worker()]
    assert_nothing_lost(cluster, web, ids, alive=[web, *workers, beat])
    assert {entry.attempts for entry in entries_of(cluster)} == {1}


def test_pictures_removed_while_they_are_embedded_stay_removed(cluster: Cluster):
    web, beat = cluster.web(), cluster.beat()
    worker = cluster.worker(failpoints="after_embed=wait:2")
    ids = web.upload(files(16))
    in_hand = lambda: any(entry.leased_until for entry in entries_of(cluster))  # noqa: E731
    wait_until(in_hand, "a worker has them in hand", 60)
    for picture_id in ids[:5]:
        assert web.http.delete(f"/images/{picture_id}").status_code == 204
    assert_nothing_lost(cluster, web, ids[5:], deleted=ids[:5], alive=[web, worker, beat])


def test_one_uploaded_picture_does_not_wait_behind_an_import(cluster: Cluster):
    web = cluster.web()
    bulk = web.upload(files(160), queue="bulk")
    [urgent] = web.upload(files(1, first=500))
    worker = cluster.worker()
    assert_nothing_lost(cluster, web, [*bulk, urgent], alive=[web, worker])
    order = [str(entry.picture_id) for entry in entries_of(cluster)]
    assert order.index(urgent) < 33, "at most what two threads had taken came before it"
