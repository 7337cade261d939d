"""A search in the words of a Qdrant server, and how hard it is to look."""

from __future__ import annotations

from typing import Any

from qdrant_client import models

from lookalike.services.adapters.qdrant_server.filters import server_filter
from lookalike.services.adapters.qdrant_storages import RESCORED, oversampling
from lookalike.services.ports import VectorQuery
from lookalike.services.records import CollectionSpec, Storage, target

WIDTH = 128
"""Candidates that a walk through the graph keeps (`ef`), as in `edge.queries`."""

AROUND = models.AcornSearchParams(enable=True, max_selectivity=1.0)
"""ACORN steps over the points that conditions leave out, whatever their share: `edge.queries`."""


COMPARE_ALL = models.SearchParams(
    exact=True, quantization=models.QuantizationSearchParams(ignore=True)
)


def request(query: VectorQuery, limit: int, spec: CollectionSpec) -> dict[str, Any]:
    """Arguments of `query_points` for the best `limit` points, the collection aside.

    Leaves `without`, `min_score` and the order of ties to `qdrant_answers.page`: as a condition,
    `without` would cut off the neighbourhood of the very point searched with.
    """
    return {
        "query": target(query.like, query.unlike, spec.distance).tolist(),
        "query_filter": server_filter(query.library, query.conditions),
        "search_params": COMPARE_ALL if query.exact else _walk(query, limit, spec.storage),
        "with_payload": False,
        "limit": limit,
    }


def _walk(query: VectorQuery, limit: int, storage: Storage) -> models.SearchParams:
    return models.SearchParams(
        hnsw_ef=WIDTH,
        acorn=AROUND if query.conditions else None,
        quantization=_rescored(limit, storage),
    )


def _rescored(limit: int, storage: Storage) -> models.QuantizationSearchParams | None:
    if storage not in RESCORED:
        return None
    return models.QuantizationSearchParams(rescore=True, oversampling=oversampling(storage, limit))
