"""Import through web and worker processes, beside the same import in one process."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from bench.importing import import_rate, timed_rate
from lookalike.cli.client import Client
from lookalike.cli.transfer import Transfer
from lookalike.services.settings import Settings
from tests.cluster import Cluster, Servers


@contextmanager
def fresh_cluster(**settings: str) -> Iterator[Cluster]:
    """PostgreSQL, Valkey and Qdrant's test double with nothing in them, default settings else."""
    with tempfile.TemporaryDirectory(prefix="lookalike-cluster-") as folder:
        servers = Servers(Path(folder))
        try:
            with servers.fresh(Path(folder) / "run", log_level="warning", **settings) as cluster:
                yield cluster
        finally:
            servers.stop()


def run(pictures: list[Path], scratch: Path) -> None:
    """Print pictures per second of both, one worker each, and their ratio."""
    embedded = import_rate(pictures, Settings(data_dir=scratch / "data"))
    with fresh_cluster() as cluster:
        servers = cluster_rate(cluster, pictures)
    print(f"in one process           {embedded:8.1f} pictures/s")
    print(f"web and worker processes {servers:8.1f} pictures/s")
    print(f"processes / one          {servers / embedded:8.2f}  (at least 0.80)")


def cluster_rate(cluster: Cluster, pictures: list[Path]) -> float:
    """Pictures per second of an import over HTTP with one worker, all parts loaded before."""
    web = cluster.web()
    cluster.worker()
    with httpx.Client(base_url=web.url, timeout=120, trust_env=False) as http:
        Transfer(Client(http), "main", [], lambda _: None).run(pictures[:1])
        transfer = Transfer(Client(http), "main", [], lambda _: None)
        return timed_rate(len(pictures) - 1, lambda: transfer.run(pictures[1:]))
