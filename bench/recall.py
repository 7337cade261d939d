"""How much of what an exact search finds is found by walking the graph, with each kind of filter.

Recall depends on the data, so it is measured on our own embeddings: real ones, grown to the number
that is needed by new ones between near neighbours.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import numpy as np

from lookalike.services.adapters.edge.store import EdgeStore
from lookalike.services.filters import AnyOf, Condition, NoneOf, Range
from lookalike.services.ports import VectorCollection, VectorQuery
from lookalike.services.records import (
    CollectionSpec,
    Hit,
    Orientation,
    Payload,
    Point,
    Vectors,
)

NEIGHBOURS = 8
FOUND = 10
QUERIES = 200
WARM_UP = 20
SLICE = 1_000
OPTIMIZE_SECONDS = 900.0
TIE = 1e-6
"""Scores this near are equal: which of two equally good points is found does not matter."""

MAIN, SIDE = "main", "side"
RED, BIG, LOOK = AnyOf(("tags",), ("red",)), AnyOf(("tags",), ("big",)), AnyOf(("tags",), ("look",))
WIDTHS = Range(("width",), 400, 599)
PRICES = Range(("attributes", "price"), 40, 59)


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of filter: where it searches, and what it asks of a point."""

    name: str
    library: str
    conditions: tuple[Condition, ...] = ()


SHAPES = (
    Shape("no filter", MAIN),
    Shape("one tag, 20%", MAIN, (RED,)),
    Shape("two tags, 4%", MAIN, (RED, BIG)),
    Shape("all but one tag, 80%", MAIN, (NoneOf(("tags",), ("red",)),)),
    Shape("a range of widths, 20%", MAIN, (WIDTHS,)),
    Shape("a range of an attribute, 20%", MAIN, (PRICES,)),
    Shape("a tag that goes with the looks, 20%", MAIN, (LOOK,)),
    Shape("another library, 20%", SIDE),
    Shape("another library and a tag, 4%", SIDE, (RED,)),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """One shape's outcome: recall@10 from 0 to 1, and milliseconds of the engine alone."""

    shape: str
    recall: float
    median_ms: float
    p95_ms: float


def grow(vectors: Vectors, count: int, seed: int) -> Vectors:
    """`count` unit vectors: those given, then new ones like them.

    A new one lies between one of the given and one of its nearest neighbours, plus noise that in
    each dimension deviates as much as near neighbours differ there.
    """
    random = np.random.default_rng(seed)
    near = nearest(vectors, NEIGHBOURS)
    deviation = (vectors - vectors[near[:, 0]]).std(axis=0) / np.sqrt(2)
    first = random.integers(len(vectors), size=max(0, count - len(vectors)))
    second = near[first, random.integers(near.shape[1], size=len(first))]
    share = random.random((len(first), 1), dtype=np.float32)
    new = vectors[first] * (1 - share) + vectors[second] * share
    new += random.standard_normal(new.shape, dtype=np.float32) * deviation
    new /= np.linalg.norm(new, axis=1, keepdims=True)
    return np.concatenate([vectors[:count], new])


def nearest(vectors: Vectors, count: int) -> np.ndarray:
    """Row numbers of each vector's nearest others, shape (len(vectors), count), nearest first."""
    rows = []
    for start in range(0, len(vectors), SLICE):
        scores = vectors[start : start + SLICE] @ vectors.T
        scores[np.arange(len(scores)), np.arange(start, start + len(scores))] = -np.inf
        rows.append(np.argsort(-scores, axis=1)[:, :count])
    return np.concatenate(rows)


def measure(vectors: Vectors, queries: int = QUERIES, seed: int = 0) -> list[Measured]:
    """Recall and engine time for every shape of filter among these vectors.

    Queries are some of the vectors, which are left out of their own results, as when someone
    searches from a stored picture. Raises RuntimeError when the graph is not built in time.
    """
    spec = CollectionSpec(vectors.shape[1])
    chosen = np.random.default_rng(seed).choice(len(vectors), queries, replace=False)
    with tempfile.TemporaryDirectory() as folder, closing(EdgeStore(Path(folder))) as store:
        collection = store.open("recall", spec)
        fill(collection, vectors, seed)
        return [measured(collection, shape, vectors, chosen) for shape in SHAPES]


def fill(collection: VectorCollection, vectors: Vectors, seed: int) -> None:
    """Store the vectors with payloads that the shapes can choose by, and wait for the graph."""
    payloads = _payloads(vectors, seed)
    for start in range(0, len(vectors), SLICE):
        part = range(start, min(start + SLICE, len(vectors)))
        collection.upsert([Point(UUID(int=row), vectors[row], payloads[row]) for row in part])
    if not collection.wait_until_optimized(OPTIMIZE_SECONDS):
        raise RuntimeError("the search graph was not built in time")


def _payloads(vectors: Vectors, seed: int) -> list[Payload]:
    random = np.random.default_rng(seed)
    shares = random.random((len(vectors), 3)) < 0.2
    numbers = random.random((len(vectors), 2))
    alike = vectors @ vectors[random.integers(len(vectors))]
    looks = alike > np.quantile(alike, 0.8)
    return [
        Payload(
            library=SIDE if shares[row, 0] else MAIN,
            tags=_named({"red": shares[row, 1], "big": shares[row, 2], "look": looks[row]}),
            format="jpeg",
            orientation=Orientation.LANDSCAPE,
            width=int(numbers[row, 0] * 1000),
            height=480,
            bytes=1000,
            taken=None,
            added=float(row),
            attributes={"price": float(numbers[row, 1] * 100), "shelf": row % 7},
        )
        for row in range(len(vectors))
    ]


def _named(tags: dict[str, np.bool_]) -> tuple[str, ...]:
    return tuple(name for name, has in tags.items() if has)


def measured(
    collection: VectorCollection, shape: Shape, vectors: Vectors, chosen: Sequence[int]
) -> Measured:
    """Recall and engine time of this shape; `chosen` are the rows to search with."""
    queries = [_query(shape, int(row), vectors) for row in chosen]
    for query in queries[:WARM_UP]:
        collection.search(query)
    found, times = zip(*[_timed(collection, query) for query in queries], strict=True)
    exact = [collection.search(replace(query, exact=True)) for query in queries]
    recall = statistics.mean(map(_recall, found, exact))
    cuts = statistics.quantiles(times, n=20)
    return Measured(shape.name, recall, statistics.median(times), cuts[-1])


def _query(shape: Shape, row: int, vectors: Vectors) -> VectorQuery:
    return VectorQuery(
        library=shape.library,
        like=[vectors[row]],
        conditions=shape.conditions,
        without=frozenset({UUID(int=row)}),
        limit=FOUND,
    )


def _timed(collection: VectorCollection, query: VectorQuery) -> tuple[list[Hit], float]:
    started = time.perf_counter()
    hits = collection.search(query)
    return hits, (time.perf_counter() - started) * 1000


def _recall(hits: Sequence[Hit], exact: Sequence[Hit]) -> float:
    good_enough = exact[-1].score - TIE
    return sum(hit.score >= good_enough for hit in hits) / len(exact)
