"""Precision and average precision against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lookalike.services import ranking
from lookalike.services.ranking import average_precision, leave_one_out, precision_at

ROWS = np.array(
    [
        [1, 0, 1, 0, 0, 1],
        [0, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 1, 1],
        [0, 0, 0, 0, 0, 1],
    ],
    dtype=bool,
)


@pytest.mark.parametrize(
    ("k", "expected"),
    [
        (1, [1, 0, 1, 0]),
        (5, [2 / 5, 1 / 5, 1, 0]),
        (10, [3 / 10, 1 / 10, 6 / 10, 1 / 10]),
    ],
)
def test_precision_at_k_divides_by_k_even_if_there_are_fewer_results(k, expected):
    assert precision_at(k, ROWS) == pytest.approx(expected)


def test_average_precision_averages_the_precision_at_each_relevant_result():
    first = (1 / 1 + 2 / 3 + 3 / 6) / 3
    assert average_precision(ROWS) == pytest.approx([first, 1 / 2, 1, 1 / 6])


def test_each_picture_searches_among_all_others_but_not_itself():
    """Five directions in the plane, in degrees; each one's order of the others is plain to see.

    From a (0): b 10, c 25, d 60, e 100   relevant: c          P@1 0, AP 1/2
    From b (10): a, c, d, e               relevant: d          P@1 0, AP 1/3
    From c (25): b, a, d, e               relevant: a          P@1 0, AP 1/2
    From d (60): c, e, b, a               relevant: b          P@1 0, AP 1/3
    e is alone in its class and does not search.
    """
    angles = np.radians([0, 10, 25, 60, 100])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    scores = leave_one_out(vectors, np.array([0, 1, 0, 1, 2]))
    assert scores.queries.tolist() == [0, 1, 2, 3]
    assert scores.precision_at_1.tolist() == [0, 0, 0, 0]
    assert scores.precision_at_5 == pytest.approx([1 / 5] * 4)
    assert scores.precision_at_10 == pytest.approx([1 / 10] * 4)
    assert scores.average_precision == pytest.approx([1 / 2, 1 / 3, 1 / 2, 1 / 3])


def test_equally_near_neighbours_come_in_the_order_of_the_pictures():
    same = np.ones((4, 1), np.float32)
    scores = leave_one_out(same, np.array([0, 1, 1, 0]))
    assert scores.average_precision == pytest.approx([1 / 3, 1 / 2, 1 / 2, 1])


def test_vectors_of_any_length_are_ranked_by_how_far_apart_they_are():
    """On a line: from 2 the order is 1, 0, 5, 9; from 5 it is 2, 1, 9 (both 4 away), 0."""
    places = np.array([[0], [1], [2], [5], [9]], np.float32)
    scores = leave_one_out(places, np.array([0, 1, 2, 2, 1]))
    assert scores.queries.tolist() == [1, 2, 3, 4]
    assert scores.average_precision == pytest.approx([1 / 4, 1 / 3, 1 / 1, 1 / 3])


def test_blocks_make_no_difference(monkeypatch):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(50, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    classes = rng.integers(0, 6, 50)
    whole = leave_one_out(vectors, classes)
    monkeypatch.setattr(ranking, "BLOCK", 7)
    cut = leave_one_out(vectors, classes)
    np.testing.assert_array_equal(whole.queries, cut.queries)
    assert whole.average_precision == pytest.approx(cut.average_precision)
