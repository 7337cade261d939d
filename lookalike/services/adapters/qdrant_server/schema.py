"""What a collection on a Qdrant server looks like here: its graph, its indexed fields, its points.

The graph's numbers and the fields are those of `edge.schema`, where they are explained: both are
the same engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from qdrant_client import models

from lookalike.services.adapters.qdrant_payload import (
    FACTS,
    KEYWORD_FIELDS,
    LIBRARY,
    NUMBER_FIELDS,
    NUMBERS,
    PART,
    engine_payload,
)
from lookalike.services.adapters.qdrant_server.options import QdrantOptions
from lookalike.services.records import CollectionSpec, Distance, Point, Storage

FieldIndex: TypeAlias = models.KeywordIndexParams | models.FloatIndexParams

DISTANCES = {Distance.COSINE: models.Distance.COSINE, Distance.EUCLID: models.Distance.EUCLID}

QUANTIZATIONS: dict[Storage, models.QuantizationConfig] = {
    Storage.INT8: models.ScalarQuantization(
        scalar=models.ScalarQuantizationConfig(
            type=models.ScalarType.INT8, quantile=0.99, always_ram=True
        )
    ),
    Storage.BINARY: models.BinaryQuantization(
        binary=models.BinaryQuantizationConfig(
            always_ram=True, query_encoding=models.BinaryQuantizationQueryEncoding.SCALAR8BITS
        )
    ),
    Storage.TURBO: models.TurboQuantization(
        turbo=models.TurboQuantQuantizationConfig(
            always_ram=True, bits=models.TurboQuantBitSize.BITS4
        )
    ),
}
"""The small copies of vectors that searches walk through, kept in memory."""

TURBO_SINCE = (1, 18)

LINKS = 32
CANDIDATES = 100
SCAN_POINTS = 5_000


def collection_settings(spec: CollectionSpec, options: QdrantOptions) -> dict[str, Any]:
    """Arguments of `create_collection`, its name aside."""
    return {
        "vectors_config": _vectors(spec, options),
        "hnsw_config": models.HnswConfigDiff(
            m=LINKS,
            ef_construct=CANDIDATES,
            full_scan_threshold=SCAN_POINTS * spec.dimensions * 4 // 1024,
        ),
        "quantization_config": QUANTIZATIONS.get(spec.storage),
        "shard_number": options.shards,
        "replication_factor": options.replicas,
        "write_consistency_factor": options.write_consistency,
    }


def _vectors(spec: CollectionSpec, options: QdrantOptions) -> models.VectorParams:
    half = spec.storage is Storage.FLOAT16
    return models.VectorParams(
        size=spec.dimensions,
        distance=DISTANCES[spec.distance],
        on_disk=options.on_disk,
        datatype=models.Datatype.FLOAT16 if half else None,
    )


def offered(version: str) -> tuple[Storage, ...]:
    """The storages that a server of this version has, such as "1.20.0" or "1.18.1-dev"."""
    numbers = tuple(int(number) for number in version.split(".")[:2])
    return tuple(one for one in Storage if one is not Storage.TURBO or numbers >= TURBO_SINCE)


def field_indexes() -> dict[str, FieldIndex]:
    """The index of every payload field that filters use, by field."""
    keyword = _keyword(enable_hnsw=False)
    number = _number()
    indexes: dict[str, FieldIndex] = {
        LIBRARY: _keyword(is_tenant=True),
        PART: _keyword(),
        FACTS: keyword,
        f"{NUMBERS}[].name": _keyword(enable_hnsw=False, nested=NUMBERS),
        f"{NUMBERS}[].value": _number(nested=NUMBERS),
    }
    indexes.update(dict.fromkeys(KEYWORD_FIELDS, keyword))
    indexes.update(dict.fromkeys(NUMBER_FIELDS, number))
    return indexes


def batch(points: Sequence[Point]) -> models.Batch:
    """The points as the server takes them."""
    return models.Batch(
        ids=[str(point.id) for point in points],
        vectors=[point.vector.tolist() for point in points],
        payloads=[engine_payload(point.id, point.payload) for point in points],
    )


def _keyword(**options: Any) -> models.KeywordIndexParams:
    return models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, **options)


def _number(**options: Any) -> models.FloatIndexParams:
    return models.FloatIndexParams(type=models.FloatIndexType.FLOAT, enable_hnsw=False, **options)
