"""An index built beside the live one and switched to, and an import, while people search.

On 5,000 generated pictures: how long a build takes, what searches cost before, while it is built
and after the switch, and the figure of every gate. Then what searches cost while pictures are
imported.
"""

from __future__ import annotations

import itertools
import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from bench.pictures import generate
from bench.servers import fresh_cluster
from tests.program import Server

PICTURES = 5_000
MORE = 1_000
PAUSE_SECONDS = 0.05
QUIET_SECONDS = 15.0
LONGEST_SECONDS = 1800.0
MODEL = "efficientnet-lite0"


@dataclass
class Searches:
    """Waiting times of searches by stored id, in milliseconds, and what went wrong."""

    times: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Half of them were quicker."""
        return statistics.median(self.times)

    @property
    def p95(self) -> float:
        """Of a hundred, 95 were quicker."""
        return statistics.quantiles(self.times, n=20)[-1]

    def line(self, name: str) -> str:
        """Both, and how many there were."""
        return (
            f"search {name:16} p50 {self.median:7.1f} ms  p95 {self.p95:7.1f} ms"
            f"  {len(self.times):5} searches, {len(self.wrong)} errors or empty answers"
        )


def run(_pictures: list[Path], scratch: Path) -> None:
    """Print all of it, of one process and of web and worker processes."""
    first = listed(generate(scratch / "first", PICTURES))
    second = listed(generate(scratch / "second", MORE, first=PICTURES))
    with _one_process(scratch) as (http, url):
        print("in one process")
        _measure(http, url, first, second)
    with _processes(scratch) as (http, url):
        print("web and worker processes, with the double of Qdrant, which has no graph")
        _measure(http, url, first, second)


@contextmanager
def _one_process(scratch: Path) -> Iterator[tuple[httpx.Client, str]]:
    server = Server(scratch / "data", import_roots=json.dumps([str(scratch)]))
    try:
        yield server.http, server.url
    finally:
        server.stop()


@contextmanager
def _processes(scratch: Path) -> Iterator[tuple[httpx.Client, str]]:
    with fresh_cluster(import_roots=json.dumps([str(scratch)])) as cluster:
        web = cluster.web()
        cluster.worker()
        cluster.beat()
        yield web.http, web.url


def _measure(http: httpx.Client, url: str, first: Path, second: Path) -> None:
    _import(http, first)
    ids = _ids(http)
    before = _search_for(url, ids, QUIET_SECONDS)
    with _searching(url, ids) as during:
        started = time.perf_counter()
        index = _build(http)
        seconds = time.perf_counter() - started
        _post(http, f"/indexes/{index['id']}/activate", {})
        time.sleep(1)
    after = _search_for(url, ids, QUIET_SECONDS)
    with _searching(url, ids) as importing:
        _import(http, second)
    _report(before, during, after, importing)
    _report_build(index, seconds)


def _report_build(index: dict[str, Any], seconds: float) -> None:
    print(f"build and measure {PICTURES:,} pictures: {seconds:.0f} s ({PICTURES / seconds:.0f}/s)")
    for gate in index["gates"]:
        print(f"  {'passed' if gate['passed'] else 'FAILED'}  {gate['name']}: {gate['message']}")
    figures = index["figures"]
    print(f"  overlap of the top 10 with the index before: {figures['overlap']:.3f}")
    print(f"  bytes a picture: {figures['bytes_per_picture']:.0f}")


def _report(before: Searches, during: Searches, after: Searches, importing: Searches) -> None:
    print(before.line("before"))
    print(during.line("during a build"))
    print(after.line("after"))
    print(importing.line("during an import"))
    print(f"p95 during a build / before    {during.p95 / before.p95:6.2f}  (at most 2.00)")
    print(f"p95 during an import / after   {importing.p95 / after.p95:6.2f}  (at most 2.00)")


def _build(http: httpx.Client) -> dict[str, Any]:
    index = _post(http, "/indexes", {"model": MODEL})
    return _wait(http, f"/indexes/{index['id']}", lambda one: one["state"] != "building")


def listed(pictures: Sequence[Path]) -> Path:
    """A manifest of the pictures, beside them: two tags that each have 20%, and both have 4%."""
    manifest = pictures[0].parent / "manifest.jsonl"
    with manifest.open("w") as file:
        for number, path in enumerate(pictures):
            tags = ["a"] * (number % 5 == 0) + ["b"] * (number % 25 < 5)
            file.write(json.dumps({"path": path.name, "tags": tags}) + "\n")
    return manifest


def _import(http: httpx.Client, manifest: Path) -> None:
    source = {"path": str(manifest), "format": "jsonl"}
    started = _post(http, "/imports", {"kind": "manifest", "source": source})
    _wait(http, f"/imports/{started['id']}", lambda one: one["state"] in {"done", "failed"})


def _wait(http: httpx.Client, path: str, over: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    until = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < until:
        answer: dict[str, Any] = http.get(path).json()
        if over(answer):
            return answer
        time.sleep(0.5)
    raise TimeoutError(f"{path} did not come to an end")


def _post(http: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = http.post(path, json=body)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def _ids(http: httpx.Client) -> list[str]:
    listed = http.get("/images", params={"limit": 200}).json()["images"]
    return [image["id"] for image in listed]


def _search_for(url: str, ids: list[str], seconds: float) -> Searches:
    with _searching(url, ids) as searches:
        time.sleep(seconds)
    return searches


@contextmanager
def _searching(url: str, ids: list[str]) -> Iterator[Searches]:
    """Somebody who searches all the while."""
    searches, ended = Searches(), threading.Event()
    thread = threading.Thread(target=_search, args=(url, ids, searches, ended))
    thread.start()
    try:
        yield searches
    finally:
        ended.set()
        thread.join()


def _search(url: str, ids: list[str], searches: Searches, ended: threading.Event) -> None:
    turns = itertools.cycle(ids)
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as http:
        while not ended.wait(PAUSE_SECONDS):
            started = time.perf_counter()
            answer = http.post("/api/v1/search", json={"like": [next(turns)], "limit": 20})
            searches.times.append((time.perf_counter() - started) * 1000)
            if answer.status_code != 200 or not answer.json()["results"]:
                searches.wrong.append(answer.text)
