"""Workers and web processes killed at the worst moments: every acknowledged picture is indexed."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lookalike.services.broker import INDEX_TASK, REDELIVERY_MARGIN
from tests.cluster import Cluster, Servers, Web
from tests.integration.faults import (
    deliver_again,
    entries_of,
    upload_to_a_doomed_web,
    upload_to_a_doomed_worker,
    wait_until_in_hand,
)
from tests.integration.scene import QUICK, assert_nothing_lost, files
from tests.servers.processes import wait_until

REDELIVERY_SECONDS = 60
"""Within so many another worker has done what a killed one had in hand: a promise."""


@pytest.fixture
def cluster(servers: Servers, tmp_path: Path) -> Iterator[Cluster]:
    with servers.fresh(tmp_path / "cluster", **QUICK) as made:
        yield made


@pytest.mark.parametrize(
    "moment", ["after_receive", "after_decode", "after_embed", "after_upsert", "after_commit"]
)
def test_a_worker_killed(cluster: Cluster, moment: str):
    web = cluster.web()
    ids = upload_to_a_doomed_worker(cluster, web, moment, 40)
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
    upload_to_a_doomed_web(doomed, 4)
    web = cluster.web()
    others = [cluster.worker(), cluster.beat()]
    assert web.http.get("/images").json()["images"] == []
    ids = web.upload(files(4))
    assert_nothing_lost(cluster, web, ids, alive=[doomed, web, *others])


def test_files_that_a_killed_web_process_leaves_are_found_and_removed(cluster: Cluster):
    upload_to_a_doomed_web(cluster.web(failpoints="before_commit=kill"), 4)
    web = cluster.web()
    others = [cluster.worker(), cluster.beat()]
    ids = web.upload(files(4, first=100))
    web.settle(ids)
    orphans = {("orphan_original", hashlib.sha256(one).hexdigest()) for one in files(4).values()}
    assert differences(cluster, "check") == (1, orphans)
    assert differences(cluster, "check", "--repair") == (0, orphans)
    assert_nothing_lost(cluster, web, ids, alive=[web, *others])


def differences(cluster: Cluster, *command: str) -> tuple[int, set[tuple[str, str]]]:
    """The exit code of a check, and the kind and id of each difference that it found."""
    done = cluster.run(*command, "--json")
    found = [(one["kind"], one["id"]) for one in json.loads(done.stdout)["differences"]]
    assert len(found) == len(set(found))
    return done.returncode, set(found)


def test_a_web_process_killed_between_commit_and_queue_leaves_pictures_that_are_indexed(
    cluster: Cluster,
):
    upload_to_a_doomed_web(cluster.web(failpoints="before_publish=kill"), 4)
    web = cluster.web()
    others = [cluster.worker(), cluster.beat()]
    ids = [image["id"] for image in web.http.get("/images").json()["images"]]
    assert len(ids) == 4
    assert_nothing_lost(cluster, web, ids, alive=[web, *others])


def test_a_task_delivered_three_times_at_once_is_done_once(cluster: Cluster):
    web = cluster.web()
    ids = web.upload(files(32))
    deliver_again(cluster, ids, 2)
    workers = [cluster.worker(lease_seconds="30"), cluster.worker(lease_seconds="30")]
    assert_nothing_lost(cluster, web, ids, alive=[web, *workers])
    assert {entry.attempts for entry in entries_of(cluster)} == {1}


def test_a_task_that_outlives_its_lease_and_the_visibility_timeout_ends_well(cluster: Cluster):
    web, beat = cluster.web(), cluster.beat()
    slow = cluster.worker(
        failpoints=f"after_embed=wait:{int(QUICK['lease_seconds']) + REDELIVERY_MARGIN + 3}"
    )
    ids = web.upload(files(8))
    wait_until_in_hand(cluster)
    workers = [slow, cluster.worker()]
    assert_nothing_lost(cluster, web, ids, alive=[web, *workers, beat])
    assert {entry.attempts for entry in entries_of(cluster)} == {1}
    [task] = {one["task_id"] for one in events(cluster, "indexed")}
    assert received(cluster).count(task) >= 2, "it was delivered again, and passed over"


def test_what_a_killed_worker_had_in_hand_is_delivered_to_another(servers: Servers, tmp_path: Path):
    """By the broker alone, with the settings that all have: nobody sweeps once they are queued."""
    with servers.fresh(tmp_path / "cluster", task_batch="4") as cluster:
        aside = replace(cluster, folder=tmp_path)  # a log of its own for who is killed
        web, doomed, other = (
            cluster.web(),
            aside.worker(failpoints="after_embed=kill"),
            cluster.worker(),
        )
        wait_until(lambda: workers_at(web) == 2, "both workers are there", 60)
        ids = web.upload(files(8 * 4))
        wait_until(lambda: not doomed.alive(), "the worker was killed", 60)
        assert set(web.settle(ids, REDELIVERY_SECONDS).values()) == {"indexed"}
        in_hand = set(received(aside))
        assert in_hand
        assert in_hand <= set(received(cluster))
        assert in_hand <= {one["task_id"] for one in events(cluster, "indexed")}
        assert events(cluster, "requeued") == []
        assert_nothing_lost(cluster, web, ids, alive=[web, other])


def workers_at(web: Web) -> int:
    """How many workers the platform knows of."""
    found: int = web.http.get("/status").json()["queue"]["workers"]
    return found


def events(cluster: Cluster, event: str) -> list[dict[str, str]]:
    """What workers have logged under this name."""
    lines = [json.loads(one) for one in cluster.log("worker").splitlines() if one.startswith("{")]
    return [one for one in lines if one["event"] == event]


def received(cluster: Cluster) -> list[str]:
    """The id of each index task that a worker was handed, as often as it was."""
    return re.findall(rf"Task {INDEX_TASK}\[([0-9a-f-]+)\] received", cluster.log("worker"))


def test_pictures_removed_while_they_are_embedded_stay_removed(cluster: Cluster):
    web, beat = cluster.web(), cluster.beat()
    worker = cluster.worker(failpoints="after_embed=wait:2")
    ids = web.upload(files(16))
    wait_until_in_hand(cluster)
    for picture_id in ids[:5]:
        assert web.http.delete(f"/images/{picture_id}").status_code == 204
    assert_nothing_lost(cluster, web, ids[5:], deleted=ids[:5], alive=[web, worker, beat])


def test_uploads_do_not_wait_behind_an_import(cluster: Cluster):
    cluster.settings["task_batch"] = "4"
    web = cluster.web()
    bulk = web.upload(files(10 * 4), queue="bulk")
    urgent = web.upload(files(8 * 4, first=500))
    worker = cluster.worker()
    assert_nothing_lost(cluster, web, [*bulk, *urgent], alive=[web, worker])
    order = [str(entry.picture_id) for entry in entries_of(cluster)]
    last = max(order.index(one) for one in urgent)
    before = set(order[:last]) & set(bulk)
    assert len(before) <= 2 * 4, "at most what the worker's two threads took at the end"
