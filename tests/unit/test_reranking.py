"""Re-ranking: against the paper's definition word by word, and as a part of a search."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest

from lookalike.services import reranking
from lookalike.services.filters import Range
from lookalike.services.ports import VectorQuery
from lookalike.services.records import CollectionSpec, Distance, Vector, Vectors
from lookalike.services.reranking import CANDIDATES, Weights, new_order
from tests.contract.points import point
from tests.fakes import MemoryVectorCollection

DIMENSIONS = 8


def groups(count: int, seed: int = 0) -> Vectors:
    """Unit vectors scattered about six directions."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(6, DIMENSIONS))
    rows = centres[rng.integers(0, 6, count)] + 0.6 * rng.normal(size=(count, DIMENSIONS))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def by_the_paper(query: Vector, candidates: Vectors, weights: Weights) -> list[int]:
    """Zhong et al. 2017, equations 3 to 12, with sets and loops."""
    rows = np.concatenate([query[np.newaxis], candidates]).astype(np.float64)
    count = len(rows)
    far = ((rows[:, np.newaxis] - rows) ** 2).sum(axis=2)
    far /= far.max(axis=1, keepdims=True)
    ranked = [[one, *(int(x) for x in np.argsort(far[one]) if x != one)] for one in range(count)]

    def reciprocal(one: int, k: int) -> set[int]:
        return {x for x in ranked[one][: k + 1] if one in ranked[x][: k + 1]}

    encoded = np.zeros((count, count))
    for one in range(count):
        members = set(reciprocal(one, weights.k1))
        for other in reciprocal(one, weights.k1):
            half = reciprocal(other, weights.k1 // 2)
            if len(half & reciprocal(one, weights.k1)) > 2 / 3 * len(half):
                members |= half
        for member in members:
            encoded[one, member] = np.exp(-far[one, member])
        encoded[one] /= encoded[one].sum()
    averaged = [
        np.mean([encoded[x] for x in ranked[one][: weights.k2]], axis=0) for one in range(count)
    ]
    jaccard = [
        1 - np.minimum(averaged[0], one).sum() / np.maximum(averaged[0], one).sum()
        for one in averaged[1:]
    ]
    final = (1 - weights.plain) * np.array(jaccard) + weights.plain * far[0, 1:]
    return [int(x) for x in np.argsort(final, kind="stable")]


@pytest.mark.parametrize("weights", [Weights(), Weights(20, 6, 0.3), Weights(5, 1, 0.0)])
@pytest.mark.parametrize("count", [1, 3, 40, 130])
def test_the_order_is_that_of_the_paper(count, weights):
    rows = groups(count + 1)
    expected = by_the_paper(rows[0], rows[1:], weights)
    assert new_order(rows[0], rows[1:], weights).tolist() == expected


def test_with_the_plain_distance_alone_nothing_changes_but_ties():
    rows = groups(60)
    far = np.linalg.norm(rows[1:] - rows[0], axis=1)
    assert new_order(rows[0], rows[1:], Weights(plain=1)).tolist() == np.argsort(far).tolist()


def test_copies_of_one_picture_keep_their_order():
    rows = np.ones((50, 4), np.float32)
    assert new_order(rows[0], rows[1:]).tolist() == list(range(49))


def test_one_of_the_querys_group_passes_a_nearer_stranger():
    """On a line: a group about 0, the query at its edge, and a stranger nearer to it."""
    group = [-1.0, -0.9, -0.8, -0.7, -0.6, -0.5, -0.4]
    strangers = [0.55, 0.62, 0.69, 0.76, 0.83, 0.9, 1.0]
    rows = np.array([[x, 1] for x in (0.05, *group, *strangers)], np.float32)
    plain = np.argsort(abs(rows[1:, 0] - rows[0, 0]), kind="stable").tolist()
    found = new_order(rows[0], rows[1:], Weights(k1=6, k2=2, plain=0.1)).tolist()
    first_stranger = next(place for place in plain if place >= len(group))
    assert plain.index(first_stranger) < plain.index(2)
    assert found.index(first_stranger) > found.index(2)


# Searches


@pytest.fixture(params=Distance)
def distance(request: pytest.FixtureRequest) -> Distance:
    return request.param


@pytest.fixture
def collection(distance) -> MemoryVectorCollection:
    made = MemoryVectorCollection(CollectionSpec(DIMENSIONS, distance))
    rows = groups(CANDIDATES + 60)
    made.upsert([point(number, row, width=number % 2) for number, row in enumerate(rows)])
    return made


@pytest.fixture
def query() -> VectorQuery:
    return VectorQuery("main", [groups(1, seed=0)[0]], limit=1000)


def ids(hits) -> list[UUID]:
    return [hit.id for hit in hits]


def test_the_first_candidates_are_reordered_and_the_rest_follows(collection, distance, query):
    plain = ids(collection.search(query))
    found = ids(reranking.search(collection, query, distance))
    assert found[:CANDIDATES] != plain[:CANDIDATES]
    assert set(found[:CANDIDATES]) == set(plain[:CANDIDATES])
    assert found[CANDIDATES:] == plain[CANDIDATES:]


def test_scores_stay_those_of_the_search(collection, distance, query):
    found = {hit.id: hit.score for hit in reranking.search(collection, query, distance)}
    assert found == {hit.id: hit.score for hit in collection.search(query)}


@pytest.mark.parametrize("size", [7, 30, 200, 230])
def test_pages_join_without_gap_or_overlap(collection, distance, query, size):
    whole = reranking.search(collection, query, distance)
    pages = [
        reranking.search(collection, replace(query, limit=size, offset=start), distance)
        for start in range(0, len(whole) + size, size)
    ]
    assert [hit for page in pages for hit in page] == whole
    assert pages[-1] == []


def test_filters_and_what_is_left_out_hold_and_choose_the_candidates(collection, distance, query):
    odd = replace(
        query, conditions=[Range(("width",), gte=1)], without=frozenset({UUID(int=1), UUID(int=2)})
    )
    found = ids(reranking.search(collection, odd, distance))
    assert {one.int for one in found} == set(range(3, CANDIDATES + 60, 2))


def test_the_least_score_counts_before_the_order_is_changed(collection, distance, query):
    score = collection.search(query)[50].score
    found = reranking.search(collection, replace(query, min_score=score), distance)
    assert set(ids(found)) == set(ids(collection.search(query)[:51]))


def test_unlikes_push_away_what_is_near_them(collection, distance):
    rows = groups(CANDIDATES + 60)
    away = VectorQuery("main", [rows[0]], [rows[1]], limit=CANDIDATES)
    found = ids(reranking.search(collection, away, distance))
    assert set(found) == set(ids(collection.search(away)))
    assert found != ids(collection.search(away))


def test_nothing_found_is_nothing_reordered(collection, distance, query):
    assert reranking.search(collection, replace(query, library="other"), distance) == []
    assert reranking.search(collection, replace(query, limit=0), distance) == []


def test_what_is_deleted_meanwhile_comes_last_and_shifts_no_page(collection, distance, query):
    class Deleting:
        """The collection, whose best point has vanished when its vector is asked for."""

        def search(self, asked: VectorQuery):
            return collection.search(asked)

        def vectors(self, asked):
            return collection.vectors(asked[1:])

    found = ids(reranking.search(Deleting(), query, distance))
    plain = ids(collection.search(query))
    assert found[CANDIDATES - 1] == plain[0]
    assert sorted(found) == sorted(plain)
    assert found[CANDIDATES:] == plain[CANDIDATES:]
