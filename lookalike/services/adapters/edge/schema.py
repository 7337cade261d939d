"""What a shard of Qdrant Edge looks like here: its graph, its indexed fields, its points."""

from __future__ import annotations

from typing import Any

import qdrant_edge as edge

from lookalike.services.adapters.qdrant_payload import (
    FACTS,
    KEYWORD_FIELDS,
    LIBRARY,
    NUMBER_FIELDS,
    NUMBERS,
    PART,
    engine_payload,
)
from lookalike.services.records import CollectionSpec, Distance, Point, Storage

LINKS = 32
"""Links of a point in the graph.

Chosen by recall@10 without a filter and with a tag of 20% of the points, on 50,000 vectors grown
from the embeddings of 542 real photographs (tight groups, hard to leave): 0.987 and 0.993 with
16 links, 0.989 and 0.997 with 24, 0.994 and 0.999 with 32, in much the same time.
"""

CANDIDATES = 100
"""Points weighed for the links of each. 300 takes 2.4 times as long to build and gains nothing."""

DISTANCES = {Distance.COSINE: edge.Distance.Cosine, Distance.EUCLID: edge.Distance.Euclid}

QUANTIZATIONS: dict[Storage, edge.QuantizationConfigType] = {
    # Without the largest 1%, which would make the steps between the others coarse.
    Storage.INT8: edge.ScalarQuantizationConfig(
        type=edge.ScalarType.Int8, quantile=0.99, memory=edge.Memory.Pinned
    ),
    # With a bit a number in the query too, recall@10 is 0.87 where it is 0.99 with a byte.
    Storage.BINARY: edge.BinaryQuantizationConfig(
        memory=edge.Memory.Pinned, query_encoding=edge.BinaryQuantizationQueryEncoding.Scalar8Bits
    ),
    Storage.TURBO: edge.TurboQuantQuantizationConfig(
        memory=edge.Memory.Pinned, bits=edge.TurboQuantBitSize.Bits4
    ),
}
"""The small copies of vectors that searches walk through. They are made with the graph."""

SCAN_POINTS = 5_000
"""A filter that leaves fewer points is answered by comparing with each: exact, and about 3 ms."""


def config(spec: CollectionSpec) -> edge.EdgeConfig:
    """How a new shard is set up for the vectors that `spec` tells of."""
    return edge.EdgeConfig(
        vectors=_vectors(spec),
        quantization_config=QUANTIZATIONS.get(spec.storage),
        hnsw_config=edge.HnswIndexConfig(
            m=LINKS,
            ef_construct=CANDIDATES,
            full_scan_threshold=_kibibytes(SCAN_POINTS, spec.dimensions),
        ),
        # From 1 KiB on, that is always: when to build the graph is decided here, not there.
        optimizers=edge.EdgeOptimizersConfig(indexing_threshold=1),
    )


def _vectors(spec: CollectionSpec) -> edge.EdgeVectorParams:
    half = spec.storage is Storage.FLOAT16
    return edge.EdgeVectorParams(
        size=spec.dimensions,
        distance=DISTANCES[spec.distance],
        datatype=edge.VectorStorageDatatype.Float16 if half else None,
        # Beside a small copy, full vectors need no memory: only the best are looked up on disk.
        memory=edge.Memory.Cold if spec.storage in QUANTIZATIONS else None,
    )


def _kibibytes(points: int, dimensions: int) -> int:
    return max(1, points * dimensions * 4 // 1024)


def field_indexes() -> dict[str, edge.UpdateOperation]:
    """What creates the index of every payload field that filters use, by field."""
    keyword = edge.KeywordIndexParams(enable_hnsw=False)
    number = edge.FloatIndexParams(enable_hnsw=False)
    indexes: dict[str, Any] = {
        LIBRARY: edge.KeywordIndexParams(is_tenant=True),
        PART: edge.KeywordIndexParams(),
        FACTS: keyword,
        f"{NUMBERS}[].name": edge.KeywordIndexParams(enable_hnsw=False, nested=NUMBERS),
        f"{NUMBERS}[].value": edge.FloatIndexParams(enable_hnsw=False, nested=NUMBERS),
        **dict.fromkeys(KEYWORD_FIELDS, keyword),
        **dict.fromkeys(NUMBER_FIELDS, number),
    }
    create = edge.UpdateOperation.create_field_index
    return {field: create(field, kind) for field, kind in indexes.items()}


def engine_point(point: Point) -> edge.Point:
    """The point as the engine takes it."""
    return edge.Point(point.id, point.vector.tolist(), engine_payload(point.id, point.payload))
