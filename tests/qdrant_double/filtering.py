"""The in-memory engine's filters, remembered, so that it keeps up with a cluster of processes.

The engine asks each condition of each point again in every search, in Python: 90 of 117 ms with
7,000 points, which then measures the double. Here its own answer for a condition is kept for as
long as the payload is the same object; the engine replaces payloads and never changes them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from qdrant_client import models
from qdrant_client.local import local_collection
from qdrant_client.local.payload_filters import (
    calculate_payload_mask,
    check_condition,
    normalize_point_ids,
)

MOST = 64
"""Conditions that are remembered."""

Mask: TypeAlias = npt.NDArray[np.bool_]
Payloads: TypeAlias = Sequence[dict[str, Any]]

_asked: OrderedDict[tuple[int, str], tuple[list[dict[str, Any]], Mask]] = OrderedDict()


def remember_filters() -> None:
    """Have the engines of this process use `mask_of`."""
    local_collection.calculate_payload_mask = mask_of


def mask_of(
    payloads: Payloads,
    payload_filter: models.Filter | None,
    ids_inv: Sequence[models.ExtendedPointId],
    deleted_per_vector: Mapping[str, npt.NDArray[np.bool_]],
) -> Mask:
    """What the engine's function of these arguments answers: which points the filter lets pass."""
    if payload_filter is None or payload_filter.min_should is not None:
        return _asked_of_engine(payloads, payload_filter, ids_inv, deleted_per_vector)

    def column(condition: models.Condition) -> Mask:
        if isinstance(condition, models.FieldCondition):
            return _remembered(payloads, condition)
        if isinstance(condition, models.HasIdCondition):
            ids = normalize_point_ids(tuple(condition.has_id))
            return np.array([one in ids for one in ids_inv], np.bool_)
        alone = models.Filter(must=[condition])
        return _asked_of_engine(payloads, alone, ids_inv, deleted_per_vector)

    passed = np.ones(len(payloads), np.bool_)
    for condition in _listed(payload_filter.must):
        passed &= column(condition)
    for condition in _listed(payload_filter.must_not):
        passed &= ~column(condition)
    if should := _listed(payload_filter.should):
        passed &= np.any([column(condition) for condition in should], axis=0)
    return passed


def _asked_of_engine(*arguments: Any) -> Mask:
    mask: Mask = calculate_payload_mask(*arguments)
    return mask


def _listed(clause: Any) -> list[models.Condition]:
    if clause is None:
        return []
    return clause if isinstance(clause, list) else [clause]


def _remembered(payloads: Payloads, condition: models.FieldCondition) -> Mask:
    key = id(payloads), condition.model_dump_json()
    seen, known = _asked.pop(key, ([], np.empty(0, np.bool_)))
    passed = np.empty(len(payloads), np.bool_)
    passed[: len(known)] = known[: len(payloads)]
    new = [i for i, one in enumerate(payloads) if i >= len(seen) or seen[i] is not one]
    for i in new:
        passed[i] = check_condition(condition, payloads[i], -1, {})
    _asked[key] = list(payloads), passed
    while len(_asked) > MOST:
        _asked.popitem(last=False)
    return passed.copy()
