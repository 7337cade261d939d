"""How long after a fault every acknowledged picture is indexed, with the default settings."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import httpx

from bench.servers import fresh_cluster
from tests.cluster import Cluster, Web
from tests.integration.scene import files
from tests.servers.processes import wait_until

PICTURES = 40


def run(_pictures: list[Path], _scratch: Path) -> None:
    """Print the seconds from each fault until all is indexed."""
    for name, fault in FAULTS.items():
        with fresh_cluster() as cluster:
            print(f"{name:40} {fault(cluster):6.1f} s", flush=True)


def _worker_killed(cluster: Cluster) -> float:
    web = cluster.web()
    cluster.beat()
    doomed = cluster.worker(failpoints="after_embed=kill")
    ids = web.upload(files(PICTURES))
    wait_until(lambda: not doomed.alive(), "the worker was killed", 60)
    return _until_indexed(web, ids, cluster.worker)


def _worker_killed_without_beat(cluster: Cluster) -> float:
    web = cluster.web()
    doomed = cluster.worker(failpoints="after_embed=kill")
    ids = web.upload(files(PICTURES))
    wait_until(lambda: not doomed.alive(), "the worker was killed", 60)
    return _until_indexed(web, ids, cluster.worker)


def _broker_wiped(cluster: Cluster) -> float:
    web, ids = _uploaded(cluster)
    return _until_indexed(web, ids, cluster.valkey.client.flushall)


def _broker_restarted(cluster: Cluster) -> float:
    web, ids = _uploaded(cluster)
    cluster.valkey.kill()
    return _until_indexed(web, ids, cluster.valkey.start)


def _database_restarted(cluster: Cluster) -> float:
    web, ids = _uploaded(cluster)
    return _until_indexed(web, ids, cluster.postgres.restart)


def _vectors_emptied(cluster: Cluster) -> float:
    web, ids = _uploaded(cluster)
    web.settle(ids)
    url = f"{cluster.qdrant.url}/_double/empty"
    started = time.monotonic()
    httpx.post(url, trust_env=False).raise_for_status()
    wait_until(lambda: "pending" in web.states(ids).values(), "the loss is noticed", 120)
    web.settle(ids)
    return time.monotonic() - started


def _web_killed(cluster: Cluster) -> float:
    web, ids = _uploaded(cluster)
    web.kill()
    started = time.monotonic()
    cluster.web().settle(ids)
    return time.monotonic() - started


def _uploaded(cluster: Cluster) -> tuple[Web, list[str]]:
    """A cluster at work: a web process, a worker and beat, and pictures that were just uploaded."""
    web = cluster.web()
    cluster.worker()
    cluster.beat()
    web.settle(web.upload(files(1, first=900)))
    return web, web.upload(files(PICTURES))


def _until_indexed(web: Web, ids: list[str], mend: Callable[[], object]) -> float:
    started = time.monotonic()
    mend()
    web.settle(ids, 300)
    return time.monotonic() - started


FAULTS: dict[str, Callable[[Cluster], float]] = {
    "worker killed (swept)": _worker_killed,
    "worker killed, no beat (redelivered)": _worker_killed_without_beat,
    "broker wiped": _broker_wiped,
    "broker killed and restarted": _broker_restarted,
    "database killed and restarted": _database_restarted,
    "vectors emptied": _vectors_emptied,
    "web killed and restarted": _web_killed,
}
