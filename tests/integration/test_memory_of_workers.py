"""What workers on servers hold in main memory, as an administrator sees it from the web."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.cluster import Cluster, Servers, Web, Worker
from tests.integration.scene import QUICK, files
from tests.servers.processes import wait_until


@pytest.fixture
def cluster(servers: Servers, tmp_path: Path) -> Iterator[Cluster]:
    with servers.fresh(tmp_path / "cluster", **QUICK) as made:
        yield made


def told(web: Web) -> dict[str, int]:
    """Memory by worker."""
    answer = web.http.get("/resources").raise_for_status().json()
    assert answer["memory"] > 50_000_000
    return {one["name"]: one["memory"] for one in answer["workers"]}


def held(worker: Worker) -> tuple[int, int]:
    """What the system tells: of the worker alone, and of its decoding processes alone."""
    process = psutil.Process(worker.process.pid)
    below = [one.memory_info() for one in process.children(recursive=True)]
    return process.memory_info().rss, sum(one.rss - one.shared for one in below)


def test_each_web_process_tells_the_memory_of_all(cluster: Cluster):
    web = cluster.web(web_processes="2")
    server = psutil.Process(web.process.pid)
    wait_until(lambda: len(server.children()) == 2, "both have started")

    def all_count() -> bool:
        alone, below = held(web)
        return below < web.http.get("/resources").json()["memory"] < alone + 2 * below

    wait_until(all_count, "both are told of")

    def of_one() -> int:
        return max(one.memory_info().rss for one in server.children())

    for _ in range(4):  # whichever answers
        assert web.http.get("/resources").json()["memory"] > 1.5 * of_one()


def test_a_worker_tells_its_memory_with_its_decoders_until_it_is_stopped(cluster: Cluster):
    web = cluster.web()
    assert told(web) == {}
    worker = cluster.worker()
    web.settle(web.upload(files(8)))

    def decoders_are_told_of() -> bool:
        alone, below = held(worker)
        memory = told(web).get("worker1@localhost") or 0
        return below > 10_000_000 and alone + below / 2 < memory < alone + 2 * below

    wait_until(decoders_are_told_of, "it tells of its decoders")
    assert told(web)["worker1@localhost"] > 50_000_000
    shown = cluster.run("status")
    assert "          worker1@localhost: " in shown.stdout
    resources = json.loads(cluster.run("status", "--json").stdout)["resources"]
    assert [one["name"] for one in resources["workers"]] == ["worker1@localhost"]

    assert worker.stop() == 0
    wait_until(lambda: told(web) == {}, "it is gone")
    status = cluster.run("status").stdout.splitlines()
    assert [line for line in status if line.startswith("Memory:   ")]
    assert not [line for line in status if "worker1" in line]
