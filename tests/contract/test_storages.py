"""What every vector store promises of every storage that it offers."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lookalike.services.adapters.edge.store import EdgeStore
from lookalike.services.filters import AnyOf
from lookalike.services.ports import VectorCollection, VectorQuery, VectorStore
from lookalike.services.records import CollectionSpec, Distance, Hit, Storage, Vectors
from tests.contract.points import point
from tests.contract.test_vector_store import REAL_SERVER, new_store
from tests.qdrant_double.engine import GRAPH_BYTES

COUNT, DIMENSIONS, QUERIES = 6_000, 96, 20
"""More points than are compared one by one, so that the graph is walked."""

FEW = COUNT // 5
"""Where there is no graph, and all are compared with in Python."""

HALF = 2e-3
"""What a score of half precision may be off by."""

SMALL = {Storage.INT8: 1, Storage.TURBO: 1 / 2, Storage.BINARY: 1 / 8}
"""Bytes that a number takes in the copy that searches walk through."""


def clustered() -> Vectors:
    """60 clusters of 100 vectors each, whose numbers lie by 0.6 around a centre's, by 1 around 0.

    Their mean lies off 0, as that of embeddings does, where one bit a number tells little.
    """
    random = np.random.default_rng(5)
    centres = random.normal(size=(60, DIMENSIONS)) + 0.5
    rows = np.repeat(centres, COUNT // 60, axis=0)
    return (rows + 0.6 * random.normal(size=rows.shape)).astype(np.float32)


ROWS = clustered()
SOME = ROWS[:: COUNT // FEW]


@pytest.fixture(scope="module", params=["fake", "edge", "qdrant-memory", "qdrant-server"])
def implementation(request: pytest.FixtureRequest) -> str:
    if request.param == "qdrant-server" and not REAL_SERVER:
        pytest.skip("LOOKALIKE_TEST_QDRANT_URL is not set")
    return request.param


@pytest.fixture(scope="module")
def store(implementation: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VectorStore]:
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("vectors")
        yield stack.enter_context(closing(new_store(implementation, folder, stack)))


@pytest.fixture(scope="module", params=Distance)
def distance(request: pytest.FixtureRequest) -> Distance:
    return request.param


@pytest.fixture(scope="module", params=Storage)
def storage(request: pytest.FixtureRequest) -> Storage:
    return request.param


@pytest.fixture(scope="module")
def rows(implementation: str) -> Vectors:
    return SOME if implementation in ("fake", "qdrant-memory") else ROWS


@pytest.fixture(scope="module")
def collection(
    store: VectorStore, storage: Storage, distance: Distance, rows: Vectors
) -> Iterator[VectorCollection]:
    """Holds the rows, every fifth of them tagged, in the graph."""
    assert storage in store.storages()
    name = f"{storage}-{distance}"
    store.drop(name)
    made = store.open(name, CollectionSpec(DIMENSIONS, distance, storage))
    fill(made, rows)
    yield made
    store.drop(name)


def fill(collection: VectorCollection, rows: Vectors) -> None:
    collection.upsert(
        [
            point(number, row, tags=("fifth",) if number % 5 == 0 else ())
            for number, row in enumerate(rows)
        ]
    )
    assert collection.wait_until_optimized(120)


def queries(**asked: object) -> list[VectorQuery]:
    """For the ten nearest of points that are near some of ROWS."""
    random = np.random.default_rng(6)
    near = ROWS[:: COUNT // QUERIES] + 0.2 * random.normal(size=(QUERIES, DIMENSIONS))
    plain = VectorQuery("main", [], limit=10)
    return [replace(plain, like=[row.astype(np.float32)], **asked) for row in near]


def recall(collection: VectorCollection, **asked: object) -> float:
    """The share of the ten nearest, by an exact search, that a search finds."""
    found = [ids(collection.search(query)) for query in queries(**asked)]
    exact = [ids(collection.search(query)) for query in queries(**asked, exact=True)]
    return statistics.mean(
        len({*one} & {*other}) / 10 for one, other in zip(found, exact, strict=True)
    )


def ids(hits: list[Hit]) -> list[int]:
    return [hit.id.int for hit in hits]


def scores(rows: Vectors, query: VectorQuery, distance: Distance) -> np.ndarray:
    """Of each row, by the definition of `Distance`."""
    [like] = query.like
    if distance is Distance.COSINE:
        return rows @ like / np.linalg.norm(rows, axis=1) / np.linalg.norm(like)
    return 1 / (1 + np.linalg.norm(rows - like, axis=1) / np.sqrt(DIMENSIONS))


def test_points_are_found_best_first_with_the_scores_of_full_vectors(
    collection, distance, storage, rows
):
    error = HALF if storage is Storage.FLOAT16 else 1e-5
    for query in queries():
        hits = collection.search(query)
        given = [hit.score for hit in hits]
        assert given == sorted(given, reverse=True)
        assert len(hits) == 10
        assert given == pytest.approx(scores(rows[ids(hits)], query, distance), abs=error)


def test_most_of_the_nearest_are_found(collection):
    assert recall(collection) >= 0.9
    assert recall(collection, conditions=[AnyOf(("tags",), ("fifth",))]) >= 0.9


def test_an_exact_search_is_exact(collection, distance, storage, rows):
    error = HALF if storage is Storage.FLOAT16 else 1e-5
    for query in queries(exact=True):
        best = np.sort(scores(rows, query, distance))[::-1][:10]
        assert [hit.score for hit in collection.search(query)] == pytest.approx(best, abs=error)


def test_new_points_are_found_before_they_are_in_the_graph(collection):
    strange = -5 * ROWS[0]
    collection.upsert([point(COUNT, strange)])
    assert ids(collection.search(VectorQuery("main", [strange], limit=1))) == [COUNT]
    collection.delete([point(COUNT).id])


def test_small_copies_take_less_than_full_vectors(collection, implementation, storage, rows):
    used = collection.bytes_used()
    width = 2 if storage is Storage.FLOAT16 else 4
    if implementation == "fake":
        assert used == rows.nbytes
    elif implementation == "edge":
        vectors = COUNT * DIMENSIONS * SMALL.get(storage, width)
        assert vectors <= used <= 1.3 * vectors + COUNT * 100
    elif implementation == "qdrant-memory":
        numbers = rows.size * SMALL.get(storage, width)
        assert used == numbers + len(rows) * GRAPH_BYTES
    else:  # a server reserves files by the megabyte
        assert used >= COUNT * DIMENSIONS * SMALL.get(storage, width)


def test_a_collection_keeps_its_storage_when_it_is_opened_again(tmp_path: Path, storage):
    spec = CollectionSpec(DIMENSIONS, storage=storage)
    with closing(EdgeStore(tmp_path)) as store:
        fill(store.open("pictures", spec), SOME)
        before = store.open("pictures", spec).bytes_used()
    with closing(EdgeStore(tmp_path)) as store:
        collection = store.open("pictures", spec)
        assert collection.bytes_used() == before
        collection.upsert([point(number, ROWS[number]) for number in range(100)])
        assert collection.wait_until_optimized(60)
        assert collection.bytes_used() == pytest.approx(before, rel=0.15)
        assert recall(collection) >= 0.9
