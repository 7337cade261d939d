"""What the double does faster than the engine answers what the engine's own does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qdrant_client import models
from qdrant_client.local.payload_filters import calculate_payload_mask

from tests.qdrant_double import filtering
from tests.qdrant_double.filtering import MOST, mask_of
from tests.qdrant_double.nearness import cosines, of_engine

TAGS = ["a", "b", "c"]

payloads = st.fixed_dictionaries(
    {"library": st.sampled_from(["main", "attic"])},
    optional={"tags": st.lists(st.sampled_from(TAGS), unique=True), "width": st.integers(0, 5)},
)
fields = st.one_of(
    st.sampled_from(TAGS).map(
        lambda tag: models.FieldCondition(key="tags", match=models.MatchValue(value=tag))
    ),
    st.just(models.FieldCondition(key="library", match=models.MatchValue(value="main"))),
    st.integers(0, 5).map(lambda n: models.FieldCondition(key="width", range=models.Range(gte=n))),
)
some_ids = st.lists(st.integers(0, 12), max_size=4).map(
    lambda ids: models.HasIdCondition(has_id=ids)
)
leaves = st.one_of(
    fields,
    some_ids,
    st.just(models.IsEmptyCondition(is_empty=models.PayloadField(key="tags"))),
)
clauses = st.none() | st.lists(leaves, max_size=3)
flat = st.builds(models.Filter, must=clauses, must_not=clauses, should=clauses)
filters = st.none() | st.builds(
    models.Filter,
    must=st.none() | st.lists(leaves | flat, max_size=3),
    must_not=clauses,
    should=clauses | leaves,
)


def agree(points: list[dict[str, Any]], asked: models.Filter | None) -> bool:
    ids = list(range(len(points)))
    deleted = {"": np.zeros(len(points), np.bool_)}
    expected = calculate_payload_mask(points, asked, ids, deleted)
    return np.array_equal(mask_of(points, asked, ids, deleted), expected)


@given(st.lists(payloads, min_size=1, max_size=12), st.lists(filters, max_size=4), st.data())
def test_remembered_filters_answer_as_the_engine_does(points, asked, data):
    assert all(agree(points, one) for one in asked)
    points[data.draw(st.integers(0, len(points) - 1))] = data.draw(payloads)
    points += data.draw(st.lists(payloads, max_size=3))
    assert all(agree(points, one) for one in asked)
    del points[1:]
    assert all(agree(points, one) for one in asked)


def test_only_so_many_conditions_are_remembered():
    points = [{"width": width} for width in range(3)]
    for number in range(2 * MOST):
        condition = models.FieldCondition(
            key="width", range=models.Range(gte=number % 4, lt=number)
        )
        assert agree(points, models.Filter(must=[condition]))
    assert len(filtering._asked) == MOST


@pytest.mark.parametrize("shape", [(16,), (3, 16)])
def test_cosines_are_those_of_the_engine(shape: tuple[int, ...]):
    random = np.random.default_rng(1)
    query = random.normal(size=shape)
    vectors = random.normal(size=(50, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[7] = 0
    assert cosines(query, vectors) == pytest.approx(of_engine(query, vectors.copy()), abs=1e-6)
