"""A search in the words of Qdrant Edge, and how hard the engine is to look."""

from __future__ import annotations

import qdrant_edge as edge

from lookalike.services.adapters.edge.filters import engine_filter
from lookalike.services.adapters.qdrant_storages import RESCORED, oversampling
from lookalike.services.ports import VectorQuery
from lookalike.services.records import CollectionSpec, Storage, target

WIDTH = 128
"""Candidates that a walk through the graph keeps (`ef`).

Without a filter, on the vectors that LINKS was chosen with, recall@10 is 0.993 with 96 in 0.65 ms,
0.994 with 128 in 0.8 ms, 0.995 with 192 in 1.2 ms; for a tag that goes with the looks of a picture,
0.986, 0.990 and 0.994.
"""

AROUND = edge.AcornSearchParams(enable=True, max_selectivity=1.0)
"""With conditions: ACORN steps over the points that they leave out, whatever their share.

A plain walk, which does for a library as that has a graph of its own, does not: its recall was
0.98 with 60% of the points left, 0.77 with 20%, and 0.49 or none at all with two tags ANDed to 12%.
"""

COMPARE_ALL = edge.SearchParams(exact=True, quantization=edge.QuantizationSearchParams(ignore=True))


def engine_request(query: VectorQuery, limit: int, spec: CollectionSpec) -> edge.QueryRequest:
    """The best `limit` points for the query, whatever its own limit and offset.

    Leaves `without`, `min_score` and the order of ties to the caller. As a condition, `without`
    would keep the walk from stepping on the points that are left out, and from the very point
    searched with, that cuts off its neighbourhood: recall fell from 1.000 to 0.982.
    """
    return edge.QueryRequest(
        limit=limit,
        query=edge.Query.Nearest(target(query.like, query.unlike, spec.distance).tolist()),
        filter=engine_filter(query.library, query.conditions),
        params=COMPARE_ALL if query.exact else _walk(query, limit, spec.storage),
    )


def _walk(query: VectorQuery, limit: int, storage: Storage) -> edge.SearchParams:
    return edge.SearchParams(
        hnsw_ef=WIDTH,
        acorn=AROUND if query.conditions else None,
        quantization=_rescored(limit, storage),
    )


def _rescored(limit: int, storage: Storage) -> edge.QuantizationSearchParams | None:
    if storage not in RESCORED:
        return None
    return edge.QuantizationSearchParams(rescore=True, oversampling=oversampling(storage, limit))
