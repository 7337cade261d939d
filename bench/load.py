"""Many people at once: uploaders and searchers side by side for two minutes."""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx

from bench.servers import fresh_cluster
from tests.cluster import Web

UPLOADERS, SEARCHERS = 64, 16
SECONDS = 120.0
IDLE_SECONDS = 30.0
PAUSE_SECONDS = 1.0
"""Between two uploads or searches of one person, so 64 and 16 of them a second are offered."""

STORED = 200


@dataclass
class Counts:
    """What the people of one kind met."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)

    @property
    def p95(self) -> float:
        """The 95th percentile of the waiting times, in milliseconds."""
        return statistics.quantiles(self.seconds, n=20)[-1] * 1000


def run(pictures: list[Path], _scratch: Path) -> None:
    """Print errors, lost pictures, and how much longer searches take than without uploads.

    Compared with searches among as many pictures: the double of Qdrant looks at each in turn, so
    that what the uploads brought makes every later search slower, whoever uploads.
    """
    fresh = different(pictures)
    with fresh_cluster(qdrant_search_seconds="10") as cluster:
        web = cluster.web(web_processes="2")
        cluster.worker()
        cluster.beat()
        stored = web.upload({path.name: path.read_bytes() for path in pictures[:STORED]})
        web.settle(stored)
        idle = people(web, [], SEARCHERS, IDLE_SECONDS, stored)[1]
        uploads, searches = people(web, [fresh] * UPLOADERS, SEARCHERS, SECONDS, stored)
        states = web.settle(uploads.ids, 1800)
        after = people(web, [], SEARCHERS, IDLE_SECONDS, stored)[1]
        lost = len(set(uploads.ids) - {one for one, state in states.items() if state == "indexed"})
    print(f"uploads                  {len(uploads.ids):8d}  in {SECONDS:.0f} s, {UPLOADERS} people")
    print(f"errors                   {len(uploads.errors) + len(searches.errors):8d}  (none)")
    for error in itertools.islice({*uploads.errors, *searches.errors}, 5):
        print(f"  {error}")
    print(f"lost pictures            {lost:8d}  (none)")
    print(f"search p95, before       {idle.p95:8.1f} ms, {SEARCHERS} people, {STORED} pictures")
    print(f"search p95, with uploads {searches.p95:8.1f} ms, {len(searches.seconds)} searches")
    print(f"search p95, after        {after.p95:8.1f} ms, nobody uploads, as many pictures")
    print(f"with / after             {searches.p95 / after.p95:8.2f}  (at most 2.00)")


def different(pictures: Sequence[Path]) -> Callable[[], tuple[str, bytes]]:
    """Gives a file with bytes of its own each time: a picture, and a number after its end."""
    numbers, lock = itertools.count(), threading.Lock()
    contents = [path.read_bytes() for path in pictures]

    def fresh() -> tuple[str, bytes]:
        with lock:
            number = next(numbers)
        return f"{number}.jpg", contents[number % len(contents)] + number.to_bytes(8)

    return fresh


def people(
    web: Web,
    uploaders: Sequence[Callable[[], tuple[str, bytes]]],
    searchers: int,
    seconds: float,
    stored: Sequence[str],
) -> tuple[Counts, Counts]:
    """Let so many people upload and search for so long; what they met."""
    uploads, searches = Counts(), Counts()
    end = time.monotonic() + seconds
    with ThreadPoolExecutor(len(uploaders) + searchers) as pool:
        for fresh in uploaders:
            pool.submit(_repeat, web, end, uploads, partial(_upload, fresh))
        for start in range(searchers):
            ids = itertools.cycle([*stored[start:], *stored[:start]])
            pool.submit(_repeat, web, end, searches, partial(_search, ids))
    return uploads, searches


def _upload(fresh: Callable[[], tuple[str, bytes]], http: httpx.Client) -> list[str]:
    answer = http.post("/images", files=[("file", fresh())])
    answer.raise_for_status()
    return [image["id"] for image in answer.json()["images"]]


def _search(ids: Iterator[str], http: httpx.Client) -> list[str]:
    http.post("/search", json={"like": [next(ids)], "limit": 20}).raise_for_status()
    return []


def _repeat(web: Web, end: float, counts: Counts, act: Callable[[httpx.Client], list[str]]) -> None:
    with httpx.Client(base_url=web.http.base_url, timeout=60, trust_env=False) as http:
        while time.monotonic() < end:
            started = time.perf_counter()
            try:
                counts.ids += act(http)
                counts.seconds.append(time.perf_counter() - started)
            except (httpx.HTTPError, KeyError, ValueError) as error:
                counts.errors.append(str(error))
            time.sleep(PAUSE_SECONDS)
