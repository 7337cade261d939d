"""A search in the words of a Qdrant server, and how hard it is to look."""

from __future__ import annotations

from typing import Any

from qdrant_client import models

from lookalike.services.adapters.qdrant_server.filters import server_filter
from lookalike.services.ports import VectorQuery
from lookalike.services.records import Distance, target

WIDTH = 128
"""Candidates that a walk through the graph keeps (`ef`), as in `edge.queries`."""

OVERSAMPLING = {"binary": 3.0, "turbo": 2.0}
"""Times as many candidates are rescored with the full vectors: one bit a number orders them less
well than eight do, where the candidates of the walk are enough."""

AROUND = models.AcornSearchParams(enable=True, max_selectivity=1.0)
"""ACORN steps over the points that conditions leave out, whatever their share: `edge.queries`."""


def request(query: VectorQuery, distance: Distance, quantization: str) -> dict[str, Any]:
    """Arguments of `query_points`, the collection and the limit aside.

    Leaves `without`, `min_score` and the order of ties to `qdrant_answers.page`: as a condition,
    `without` would cut off the neighbourhood of the very point searched with.
    """
    return {
        "query": target(query.like, query.unlike, distance).tolist(),
        "query_filter": server_filter(query.library, query.conditions),
        "search_params": _how(query, quantization),
        "with_payload": False,
    }


def _how(query: VectorQuery, quantization: str) -> models.SearchParams:
    if query.exact:
        full = models.QuantizationSearchParams(ignore=True)
        return models.SearchParams(exact=True, quantization=full)
    rescored = models.QuantizationSearchParams(
        rescore=True, oversampling=OVERSAMPLING.get(quantization)
    )
    return models.SearchParams(
        hnsw_ef=WIDTH,
        acorn=AROUND if query.conditions else None,
        quantization=None if quantization == "none" else rescored,
    )
