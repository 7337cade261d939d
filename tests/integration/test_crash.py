"""Kill the real program in the middle of its work; what was acknowledged must survive."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from lookalike.services.bootstrap import bootstrap
from lookalike.services.settings import Settings
from tests.factories import picture
from tests.program import Server

PICTURES = 96
KILLS = 3


class Uploader(threading.Thread):
    """Uploads one picture after the other and remembers which were acknowledged."""

    def __init__(self, server: Server, seeds: range) -> None:
        super().__init__()
        self.server = server
        self.seeds = seeds
        self.acknowledged: list[str] = []

    def run(self) -> None:
        for seed in self.seeds:
            try:
                self.acknowledged += self.server.upload({f"{seed}.jpg": picture(seed=seed)})
            except httpx.HTTPError:
                return


@pytest.mark.parametrize("seed", range(2))
def test_every_acknowledged_picture_is_indexed_exactly_once(
    start: Callable[..., Server], data: Path, seed: int
) -> None:
    chance = random.Random(seed)
    acknowledged: list[str] = []
    for kill in range(KILLS):
        server = start()
        uploader = Uploader(server, range(kill * PICTURES, (kill + 1) * PICTURES))
        uploader.start()
        time.sleep(chance.uniform(0.3, 2.0))
        server.kill()
        uploader.join()
        acknowledged += uploader.acknowledged
    assert acknowledged, "nothing was acknowledged before the kills; the test proves nothing"
    server = start()
    server.settle()
    assert set(server.states(acknowledged).values()) == {"indexed"}
    counts = server.http.get("/status").json()["images"]
    assert counts["failed"] == 0
    server.stop()
    _each_row_has_its_point(data, counts["indexed"])
    assert list((data / "staging").glob("process-*/*")) == []


def _each_row_has_its_point(data: Path, rows: int) -> None:
    platform = bootstrap(Settings(data_dir=data))
    try:
        assert platform.indexes.live().collection.count() == rows
    finally:
        platform.close()


def test_a_removed_picture_does_not_come_back(start: Callable[..., Server]) -> None:
    server = start()
    ids = server.upload({f"{seed}.jpg": picture(seed=seed) for seed in range(8)})
    server.settle()
    server.http.delete(f"/images/{ids[0]}").raise_for_status()
    server.kill()
    server = start()
    assert server.http.get(f"/images/{ids[0]}").status_code == 404
    found = server.http.post("/search", json={"like": [ids[1]], "limit": 100, "exact": True})
    assert {one["image"]["id"] for one in found.json()["results"]} == set(ids[2:])
