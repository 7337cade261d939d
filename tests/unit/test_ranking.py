"""Precision and average precision against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

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
    angles = np.array([0, 10, 25, 60, 100])
    scores = leave_one_out(np.array([0, 1, 0, 1, 2]), nearest(angles))
    assert scores.queries.tolist() == [0, 1, 2, 3]
    assert scores.precision_at_1.tolist() == [0, 0, 0, 0]
    assert scores.precision_at_5 == pytest.approx([1 / 5] * 4)
    assert scores.precision_at_10 == pytest.approx([1 / 10] * 4)
    assert scores.average_precision == pytest.approx([1 / 2, 1 / 3, 1 / 2, 1 / 3])


def nearest(places):
    """The positions of all others, the nearest first, by the place of each on a line."""

    def others(row: int):
        far = abs(places - places[row]).astype(float)
        far[row] = np.inf
        return np.argsort(far, kind="stable")[:-1]

    return others


def test_average_precision_of_results_that_were_cut_off_counts_what_could_have_been_there():
    relevant = np.array([[True, False, True], [False, False, False]])
    found = average_precision(relevant, np.array([3, 1]))
    assert found == pytest.approx([(1 + 2 / 3) / 3, 0])
