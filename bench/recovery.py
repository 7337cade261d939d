"""How long after a fault every acknowledged picture is indexed, with the default settings."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path

import httpx

from lookalike.services.broker import REDELIVERY_MARGIN
from lookalike.services.settings import Settings
from tests.cluster import Cluster, Servers, Web
from tests.integration.faults import (
    NoSmallDiskError,
    OwnQdrant,
    deliver_again,
    empty_vectors,
    fill,
    held,
    large,
    offer,
    search,
    tiny_disk,
    upload_to_a_doomed_web,
    upload_to_a_doomed_worker,
    wait_until_in_hand,
)
from tests.integration.scene import files
from tests.servers.processes import wait_until

PICTURES = 40
SETTLE_SECONDS = 300
DELETED = 5

Fault = Callable[[Cluster], str]
"""Brings something about; tells how long it took until all was well again."""


def run(_pictures: list[Path], _scratch: Path) -> None:
    """Print for each fault the seconds until all is indexed, or until searches are answered."""
    with tempfile.TemporaryDirectory(prefix="lookalike-recovery-") as folder:
        servers = Servers(Path(folder))
        try:
            for number, (name, fault) in enumerate(FAULTS.items()):
                print(f"{name:44} {_told(servers, Path(folder) / str(number), fault)}", flush=True)
        finally:
            servers.stop()


def _told(servers: Servers, folder: Path, fault: Fault) -> str:
    # The cluster shows its logs when it ends: beside the figures, not between them.
    with (
        redirect_stdout(sys.stderr),
        servers.fresh(folder, log_level="warning") as cluster,
    ):
        return fault(cluster)


# Workers


def _worker_killed(moment: str, cluster: Cluster) -> str:
    web = cluster.web()
    cluster.beat()
    ids = upload_to_a_doomed_worker(cluster, web, moment, PICTURES)
    return _until_indexed(web, ids, cluster.worker)


def _worker_killed_without_beat(cluster: Cluster) -> str:
    web = cluster.web()
    ids = upload_to_a_doomed_worker(cluster, web, "after_embed", PICTURES)
    return _until_indexed(web, ids, cluster.worker)


def _delivered_three_times(cluster: Cluster) -> str:
    web, _ = _at_work(cluster)
    cluster.worker()
    ids = web.upload(files(PICTURES))
    return _until_indexed(web, ids, lambda: deliver_again(cluster, ids, 2))


def _outlived(cluster: Cluster) -> str:
    web = cluster.web()
    seconds = Settings(_env_file=None).lease_seconds + REDELIVERY_MARGIN + 5
    cluster.worker(failpoints=f"after_embed=wait:{seconds}")
    ids = web.upload(files(8))
    wait_until_in_hand(cluster)
    return f"{_until_indexed(web, ids, cluster.worker)}, of which {seconds:g} s are its own"


def _removed_while_embedded(cluster: Cluster) -> str:
    web = cluster.web()
    cluster.worker(failpoints="after_embed=wait:2")
    ids = web.upload(files(PICTURES))
    wait_until_in_hand(cluster)
    gone = ids[:DELETED]
    taken = _until_indexed(web, ids[DELETED:], lambda: _remove(web, gone))
    assert {web.http.get(f"/images/{one}").status_code for one in gone} == {404}
    return taken


def _remove(web: Web, ids: Sequence[str]) -> None:
    for one in ids:
        web.http.delete(f"/images/{one}").raise_for_status()


# Web processes


def _web_killed_before_commit(cluster: Cluster) -> str:
    web, _ = _at_work(cluster)
    doomed = cluster.web(failpoints="before_commit=kill")
    started = time.monotonic()
    upload_to_a_doomed_web(doomed, PICTURES)
    web.settle(web.upload(files(PICTURES)), SETTLE_SECONDS)
    return f"{_since(started)}, uploaded once more: nothing was acknowledged"


def _web_killed_before_publish(cluster: Cluster) -> str:
    web, first = _at_work(cluster)
    doomed = cluster.web(failpoints="before_publish=kill")
    started = time.monotonic()
    upload_to_a_doomed_web(doomed, PICTURES)
    found = web.http.get("/images", params={"limit": 200}).json()["images"]
    ids = [image["id"] for image in found if image["id"] not in first]
    assert len(ids) == PICTURES
    web.settle(ids, SETTLE_SECONDS)
    return _since(started)


# The broker and the database


def _broker_restarted(cluster: Cluster) -> str:
    web, ids = _just_uploaded(cluster)
    cluster.valkey.kill()
    return _until_indexed(web, ids, cluster.valkey.start)


def _broker_wiped(cluster: Cluster) -> str:
    web, ids = _just_uploaded(cluster)
    return _until_indexed(web, ids, cluster.valkey.client.flushall)


def _broker_down_during_upload(cluster: Cluster) -> str:
    web, _ = _at_work(cluster)
    cluster.valkey.kill()
    ids = web.upload(files(PICTURES))
    return _until_indexed(web, ids, cluster.valkey.start)


def _database_restarted(cluster: Cluster) -> str:
    web, ids = _just_uploaded(cluster)
    return _until_indexed(web, ids, cluster.postgres.restart)


# The vector store


def _vectors_down(cluster: Cluster) -> str:
    with OwnQdrant(cluster) as qdrant:
        web, [one] = _at_work(cluster)
        started = time.monotonic()
        qdrant.kill()
        refused = _until_search(web, one, 503, started)
        ids = web.upload(files(PICTURES))
        started = time.monotonic()
        qdrant.start()
        answered = _until_search(web, one, 200, started)
        web.settle(ids, SETTLE_SECONDS)
        return f"{_since(started)}; searches: refused after {refused}, answered after {answered}"


def _vectors_slow(cluster: Cluster) -> str:
    web, [one] = _at_work(cluster)
    with held(cluster, seconds=5):
        refused = _until_search(web, one, 503, time.monotonic())
        ids = web.upload(files(PICTURES))
    started = time.monotonic()
    answered = _until_search(web, one, 200, started)
    web.settle(ids, SETTLE_SECONDS)
    return f"{_since(started)}; searches: refused after {refused}, answered after {answered}"


def _vectors_emptied(cluster: Cluster) -> str:
    web, ids = _just_uploaded(cluster)
    web.settle(ids)
    return _until_indexed(web, ids, lambda: empty_vectors(cluster, web, ids))


def _until_search(web: Web, picture_id: str, status: int, started: float) -> str:
    wait_until(lambda: search(web, picture_id).status_code == status, f"a search is {status}")
    return _since(started)


# Storage


def _disk_full(cluster: Cluster) -> str:
    try:
        with tiny_disk(cluster.folder / "tiny") as disk:
            return _disk_filled(cluster, disk)
    except NoSmallDiskError as error:
        return f"skipped: {error}"


def _disk_filled(cluster: Cluster, disk: Path) -> str:
    cluster.settings["blob_url"] = str(disk)
    web, _ = _at_work(cluster)
    ballast = disk / "ballast"
    fill(ballast)
    refused = offer(web, large(3))
    assert refused.status_code == httpx.codes.INSUFFICIENT_STORAGE
    started = time.monotonic()
    ballast.unlink()
    web.settle(web.upload(large(1)), SETTLE_SECONDS)
    return f"{_since(started)}, uploaded once more: it was refused (507)"


# What they share


def _at_work(cluster: Cluster) -> tuple[Web, list[str]]:
    """A web process, a worker and beat, and the id of the one picture that they have indexed."""
    web = cluster.web()
    cluster.worker()
    cluster.beat()
    ids = web.upload(files(1, first=900))
    web.settle(ids)
    return web, ids


def _just_uploaded(cluster: Cluster) -> tuple[Web, list[str]]:
    """A cluster at work, and pictures that it was given a moment ago."""
    web, _ = _at_work(cluster)
    return web, web.upload(files(PICTURES))


def _until_indexed(web: Web, ids: Sequence[str], act: Callable[[], object]) -> str:
    started = time.monotonic()
    act()
    web.settle(list(ids), SETTLE_SECONDS)
    return _since(started)


def _since(started: float) -> str:
    return f"{time.monotonic() - started:.1f} s"


MOMENTS = ("after_receive", "after_decode", "after_embed", "after_upsert", "after_commit")

FAULTS: dict[str, Fault] = {
    **{f"worker killed {one} (swept)": partial(_worker_killed, one) for one in MOMENTS},
    "worker killed, no beat (redelivered)": _worker_killed_without_beat,
    "web killed between blob and commit": _web_killed_before_commit,
    "web killed between commit and publish": _web_killed_before_publish,
    "each task delivered three times": _delivered_three_times,
    "a task outlives the visibility timeout": _outlived,
    "broker killed and restarted": _broker_restarted,
    "broker wiped": _broker_wiped,
    "broker down during an upload": _broker_down_during_upload,
    "database killed and restarted": _database_restarted,
    "vector store down": _vectors_down,
    "vector store 5 s slow": _vectors_slow,
    "vector store emptied": _vectors_emptied,
    "disk full while storing": _disk_full,
    "pictures removed while they are embedded": _removed_while_embedded,
}
