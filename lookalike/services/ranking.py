"""Measures of ranked retrieval, as defined by Manning, Raghavan and Schütze (2008), chapter 8."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookalike.services.records import Hit

NEAREST = 10
"""How many neighbours are compared: recall@10."""

EPSILON = 1e-5
"""Scores this close are the same: both ways of searching round float32 sums in their own order."""


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """How well each of some queries did, 0 to 1; every field has shape (queries,).

    `queries` are their positions among the pictures.
    """

    queries: NDArray[np.intp]
    precision_at_1: NDArray[np.float64]
    precision_at_5: NDArray[np.float64]
    precision_at_10: NDArray[np.float64]
    average_precision: NDArray[np.float64]


def leave_one_out(
    classes: NDArray[np.intp], neighbours: Callable[[int], NDArray[np.intp]]
) -> Scores:
    """Let each picture search among all others; a result is relevant if it is of its class.

    `classes` (n,) are numbers from 0. `neighbours` gives the positions of all other pictures, the
    nearest first. Pictures that are alone in their class are found but do not search.
    """
    queries = np.flatnonzero(np.bincount(classes)[classes] > 1)
    found = [classes[neighbours(int(row))] == classes[row] for row in queries]
    return Scores(queries, *np.hstack([_measures(one[np.newaxis]) for one in found]))


def precision_at(k: int, relevant: NDArray[np.bool_]) -> NDArray[np.float64]:
    """For each row, relevant results among the first `k`, divided by `k` even if there are fewer.

    `relevant` has shape (queries, results), best result first.
    """
    share: NDArray[np.float64] = relevant[:, :k].sum(axis=1) / k
    return share


def average_precision(
    relevant: NDArray[np.bool_], most: NDArray[np.intp] | None = None
) -> NDArray[np.float64]:
    """For each row, the precision at each relevant result, averaged over the relevant results.

    `relevant` as above. `most`, shape (queries,), at least 1, is how many relevant results a row
    could hold, where the results were cut off; without it every row must hold all its relevant
    results, and at least one.
    """
    ranks = np.arange(1, relevant.shape[1] + 1)
    precision = np.cumsum(relevant, axis=1) / ranks
    average: NDArray[np.float64] = (precision * relevant).sum(axis=1) / (
        relevant.sum(axis=1) if most is None else most
    )
    return average


def _measures(relevant: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.stack([*(precision_at(k, relevant) for k in (1, 5, 10)), average_precision(relevant)])


def recall(exact: Sequence[Hit], found: Sequence[Hit]) -> float | None:
    """The share of the `exact` nearest that was found, 0 to 1; None when there are none to find.

    What was found counts when it is as alike as the last of the exact ones, so that it does not
    matter which of several that are equally alike it is. Both come best first, at most as many
    found as exact were asked for; where fewer exist, the share is of those.
    """
    if not exact:
        return None
    enough = exact[-1].score - EPSILON
    return min(1.0, sum(hit.score >= enough for hit in found) / len(exact))
