"""A picture that eats memory, hangs or crashes its decoder fails alone, through a real worker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image

from lookalike.services.adapters.decoding.children import MODULE
from tests.cluster import Cluster, Servers, Web, Worker
from tests.factories import saved
from tests.integration.scene import QUICK, files
from tests.servers.processes import wait_until

BUSY_SECONDS = 2.0
"""Processor time that no decoding process takes but one that is at `endless()`."""


@pytest.fixture
def cluster(servers: Servers, tmp_path: Path) -> Iterator[Cluster]:
    with servers.fresh(tmp_path / "cluster", **QUICK) as made:
        yield made


def huge() -> bytes:
    """A file of 1 MB whose 98 million pixels take 300 MB."""
    return saved(Image.new("RGB", (9_900, 9_900)), "PNG", compress_level=1)


def endless() -> bytes:
    """A file of 160 kB that takes 20 seconds: the last of its scans comes again and again."""
    data = saved(Image.new("RGB", (4_900, 4_900), "teal"), "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + 450 * scan + data[-2:]


def upload_among_others(web: Web, harmful: bytes) -> tuple[list[str], str]:
    """Upload 14 good pictures and one that is not, in one task; all ids, and that of the one."""
    good = list(files(14).items())
    ids = web.upload(dict([*good[:7], ("harmful", harmful), *good[7:]]))
    assert len(ids) == 15
    return ids, ids[7]


def assert_it_failed_alone(cluster: Cluster, web: Web, ids: list[str], bad: str, code: str) -> None:
    assert web.settle(ids) == {**dict.fromkeys(ids, "indexed"), bad: "failed"}
    error = web.http.get(f"/images/{bad}").json()["error"]
    assert error["code"] == code
    assert error["message"].startswith(("The picture", "Decoding the picture"))
    assert error["message"].endswith(".")
    check = cluster.run("check", "--json")
    assert (check.returncode, json.loads(check.stdout)["differences"]) == (0, [])


def test_a_picture_that_eats_memory_fails_alone(cluster: Cluster):
    web, worker, beat = cluster.web(), cluster.worker(decode_megabytes="256"), cluster.beat()
    ids, bad = upload_among_others(web, huge())
    assert_it_failed_alone(cluster, web, ids, bad, "too_much_memory")
    assert all(process.alive() for process in (web, worker, beat))


def test_a_picture_that_hangs_fails_alone(cluster: Cluster):
    web, worker, beat = cluster.web(), cluster.worker(decode_seconds="4"), cluster.beat()
    ids, bad = upload_among_others(web, endless())
    assert_it_failed_alone(cluster, web, ids, bad, "decode_timeout")
    assert all(process.alive() for process in (web, worker, beat))


def test_a_picture_whose_decoder_dies_each_time_fails_alone(cluster: Cluster):
    web, worker, beat = cluster.web(), cluster.worker(decode_seconds="120"), cluster.beat()
    ids, bad = upload_among_others(web, endless())
    killed: set[int] = set()

    def it_has_failed() -> bool:
        killed.update(kill_busy_decoders(worker))
        return web.states([bad])[bad] == "failed"

    wait_until(it_has_failed, "it has failed", 100)
    assert len(killed) == 2, "it was tried once more, alone"
    assert_it_failed_alone(cluster, web, ids, bad, "decoder_crashed")
    assert all(process.alive() for process in (web, worker, beat))


def kill_busy_decoders(worker: Worker) -> list[int]:
    """Kill those of the worker's decoding processes that have computed for long; their ids."""
    below = psutil.Process(worker.process.pid).children(recursive=True)
    busy = [one for one in below if is_busy_decoder(one)]
    for one in busy:
        one.kill()
    return [one.pid for one in busy]


def is_busy_decoder(process: psutil.Process) -> bool:
    try:
        return MODULE in process.cmdline() and process.cpu_times().user > BUSY_SECONDS
    except psutil.Error:  # it is gone by now
        return False
