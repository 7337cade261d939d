"""How fast and how well neighbours are found among 50,000 vectors, in the engine and over HTTP."""

from __future__ import annotations

import hashlib
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from bench.importing import decode_all
from bench.recall import Measured, grow, measure
from lookalike.cli.embedded import embedded
from lookalike.services.bootstrap import embedders_of
from lookalike.services.db import Database
from lookalike.services.models import DEFAULT_LIBRARY, Entry, Picture, State, new_id, now
from lookalike.services.payloads import payload_of
from lookalike.services.records import Point, Vectors
from lookalike.services.settings import Settings

VECTORS = 50_000
QUERIES = 300
UPLOADS = 60
ROWS = 1_000
OPTIMIZE_SECONDS = 900


def run(pictures: list[Path], scratch: Path) -> None:
    """Print recall by filter shape, and search times by what the query is."""
    settings = Settings(data_dir=scratch, port=0)
    vectors = grow(embed(pictures, settings), VECTORS, seed=1)
    _print_recall(measure(vectors))
    ids = fill(vectors, settings)
    with serving(settings) as http:
        chosen = random.Random(1).choices(ids, k=QUERIES)
        by_id = timed(lambda one: http.get(f"/images/{one}/similar"), chosen)
        by_company = timed(lambda one: http.post("/search", json=reranked(one)), chosen)
        uploads = (pictures * UPLOADS)[:UPLOADS]
        by_upload = timed(lambda path: post(http, path), uploads)
    print(f"over HTTP, stored id   {_times(by_id)}  (median at most 10 ms)")
    print(f"over HTTP, re-ranked   {_times(by_company)}  (median at most 15 ms)")
    print(f"over HTTP, upload      {_times(by_upload)}  (decoding and embedding included)")


def reranked(picture_id: UUID) -> dict[str, Any]:
    """The body of a search by a stored picture whose answer is re-ranked."""
    return {"like": [str(picture_id)], "rerank": True}


def _print_recall(measured: Sequence[Measured]) -> None:
    print(f"{VECTORS} vectors, engine alone             recall@10   median ms    p95 ms")
    for one in measured:
        print(f"{one.shape:40} {one.recall:9.3f} {one.median_ms:11.2f} {one.p95_ms:9.2f}")
    print("(recall at least 0.98 without a filter, 0.95 with any)")


def embed(pictures: Sequence[Path], settings: Settings) -> Vectors:
    """The pictures' embeddings."""
    embedder = embedders_of(settings).get(settings.model)
    return embedder.embed(decode_all(pictures, settings, embedder))


def fill(vectors: Vectors, settings: Settings) -> list[UUID]:
    """Make a data folder with a picture for each vector, searchable but without files."""
    with embedded(settings, "bench", worker=False) as running:
        index = running.platform.indexes.live()
        ids: list[UUID] = []
        for start in range(0, len(vectors), ROWS):
            part = vectors[start : start + ROWS]
            rows = [_row(start + number) for number in range(len(part))]
            _insert(rows, index.id, settings)
            index.collection.upsert(
                [Point(row.id, one, payload_of(row)) for row, one in zip(rows, part, strict=True)]
            )
            ids += [row.id for row in rows]
        if not index.collection.wait_until_optimized(OPTIMIZE_SECONDS):
            raise RuntimeError("the graph was not built in time")
    return ids


def _row(number: int) -> Picture:
    return Picture(
        id=new_id(),
        library=DEFAULT_LIBRARY,
        sha256=hashlib.sha256(str(number).encode()).hexdigest(),
        bytes=10_000 + number,
        format="jpeg",
        width=320,
        height=240,
        filename=f"{number}.jpg",
        attributes={},
        tag_rows=[],
        added_at=now(),
    )


def _insert(rows: list[Picture], index_id: UUID, settings: Settings) -> None:
    db = Database(settings.sql_url)
    with db.write() as session:
        session.add_all(rows)
        session.flush()
        session.add_all(
            Entry(picture_id=row.id, index_id=index_id, state=State.INDEXED) for row in rows
        )
    db.close()


@contextmanager
def serving(settings: Settings) -> Iterator[httpx.Client]:
    """The real server on the data folder, and a client of its API."""
    command = [sys.executable, "-m", "lookalike.cli", "up", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--data", str(settings.data_dir)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        with httpx.Client(base_url=f"{url}/api/v1", trust_env=False, timeout=60) as http:
            yield http
    finally:
        process.terminate()
        process.wait(60)


def post(http: httpx.Client, path: Path) -> httpx.Response:
    """Search by uploading the picture at `path`."""
    with path.open("rb") as file:
        return http.post("/search", files={"image": file})


def timed(call: Callable[[Any], httpx.Response], arguments: Sequence[Any]) -> list[float]:
    """Milliseconds of each call, one after the other; the first is a warm-up and left out."""
    times = []
    for argument in [arguments[0], *arguments]:
        started = time.perf_counter()
        call(argument).raise_for_status()
        times.append((time.perf_counter() - started) * 1000)
    return times[1:]


def _times(times: Sequence[float]) -> str:
    ordered = sorted(times)
    return (
        f"median {statistics.median(ordered):6.1f} ms, "
        f"p95 {ordered[int(len(ordered) * 0.95)]:6.1f} ms, {len(ordered)} queries"
    )
