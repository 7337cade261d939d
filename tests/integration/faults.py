"""Faults that tests and the benchmark bring about on a running cluster."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select

from lookalike.services.adapters.celery_queue import CeleryQueue
from lookalike.services.db import Database
from lookalike.services.models import Entry
from lookalike.services.settings import Settings
from tests.cluster import Cluster, Web
from tests.factories import picture
from tests.integration.scene import files
from tests.qdrant_double.process import running
from tests.servers.processes import wait_until

# Workers and web processes


def upload_to_a_doomed_worker(cluster: Cluster, web: Web, moment: str, count: int) -> list[str]:
    """Upload pictures to a worker that is killed at that failpoint; the ids, once it is dead."""
    doomed = cluster.worker(failpoints=f"{moment}=kill")
    ids = web.upload(files(count))
    wait_until(lambda: not doomed.alive(), "the worker was killed", 60)
    return ids


def upload_to_a_doomed_web(doomed: Web, count: int, first: int = 0) -> None:
    """Upload pictures to a web process that is killed meanwhile, until another has its place."""
    with pytest.raises(httpx.HTTPError):
        doomed.upload(files(count, first))
    wait_until(doomed.answers, "gunicorn has replaced its process")


def deliver_again(cluster: Cluster, ids: Sequence[str], times: int) -> None:
    """Queue these pictures once more, so many times, in tasks like those of their upload."""
    settings = Settings(_env_file=None, **cluster.settings)
    queue = CeleryQueue(settings.broker_url, settings.task_batch, settings.lease_seconds)
    for _ in range(times):
        queue.put([UUID(one) for one in ids])
    queue.close()


def entries_of(cluster: Cluster) -> list[Entry]:
    """How far each picture is, as SQL has it, by the time of the last change."""
    db = Database(cluster.settings["database_url"])
    with db.read() as session:
        found = list(session.scalars(select(Entry).order_by(Entry.updated_at)))
    db.close()
    return found


def wait_until_in_hand(cluster: Cluster) -> None:
    """Wait until a worker has taken pictures."""
    wait_until(lambda: any(one.leased_until for one in entries_of(cluster)), "they are taken", 60)


# The vector store


class OwnQdrant:
    """A double for one cluster alone, which may end, say nothing, and come back as it was.

    Processes that are started while the block lasts use it.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._folder = cluster.folder / "qdrant"
        self._doubles = ExitStack()

    def __enter__(self) -> OwnQdrant:
        self.start(port=0)
        return self

    def __exit__(self, *_: object) -> None:
        self._doubles.close()

    def start(self, port: int | None = None) -> None:
        """Start it again after `kill`, at the same address and with what it had."""
        before = httpx.URL(self._cluster.qdrant.url).port or 0
        started = running(before if port is None else port, self._folder)
        self._cluster.qdrant = self._doubles.enter_context(started)
        self._cluster.settings["qdrant_url"] = self._cluster.qdrant.url

    def kill(self) -> None:
        """End it: connections are refused."""
        self._cluster.qdrant.process.kill()
        self._cluster.qdrant.process.wait()

    def silence(self) -> None:
        """Have it take connections and answer none."""
        self._cluster.qdrant.process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Have it answer again after `silence`."""
        self._cluster.qdrant.process.send_signal(signal.SIGCONT)


@contextmanager
def held(cluster: Cluster, seconds: float) -> Iterator[None]:
    """Within the block the vector store answers only after so many seconds."""
    _delay(cluster, seconds)
    try:
        yield
    finally:
        _delay(cluster, 0)


def _delay(cluster: Cluster, seconds: float) -> None:
    url = f"{cluster.qdrant.url}/_double/delay"
    answer = httpx.post(url, json={"seconds": seconds}, trust_env=False, timeout=60)
    answer.raise_for_status()


def empty_vectors(cluster: Cluster, web: Web, ids: Sequence[str]) -> None:
    """Have the vector store forget everything, until the platform notices."""
    httpx.post(f"{cluster.qdrant.url}/_double/empty", trust_env=False).raise_for_status()
    wait_until(lambda: "pending" in web.states(list(ids)).values(), "the loss is noticed", 120)


# Storage


class NoSmallDiskError(Exception):
    """This machine lets us mount no file system."""


@contextmanager
def tiny_disk(folder: Path) -> Iterator[Path]:
    """A file system of 300 kB at a new folder. Raises NoSmallDiskError."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        raise NoSmallDiskError("a small file system cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(path: Path) -> None:
    """Write to this file until its disk is full."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


def large(count: int) -> dict[str, bytes]:
    """Pictures of 50 kB each, by name."""
    return {f"large-{seed}.png": picture(seed, (150, 120), "PNG") for seed in range(count)}


def offer(web: Web, offered: dict[str, bytes]) -> httpx.Response:
    """The answer to an upload, whatever it is."""
    return web.http.post("/images", files=[("file", item) for item in offered.items()])


def search(web: Web, picture_id: str) -> httpx.Response:
    """The answer to a search for what looks like that picture."""
    return web.http.post("/search", json={"like": [picture_id], "limit": 5})
