"""One open shard of Qdrant Edge, with translated errors.

The engine holds Python's global lock in every call, so callers keep calls small. A shard is not
to be closed while another thread uses it; `LiveShard` sees to that.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import cast
from uuid import UUID

import numpy as np
import qdrant_edge as edge

from lookalike.services.adapters.edge.errors import translated
from lookalike.services.adapters.edge.folder import sync_tree
from lookalike.services.adapters.edge.schema import config, field_indexes
from lookalike.services.disk import disk_usage
from lookalike.services.records import CollectionSpec, Hit, Vector

COPIES = ("quantized.data", "quantized_data")
"""Where the engine keeps the small copies of vectors: of those in the graph, and of new ones."""


class Shard:
    """A folder of points. Every method raises UnavailableError when the engine fails."""

    def __init__(self, path: Path, engine: edge.EdgeShard) -> None:
        self.path = path
        self._engine = engine

    @classmethod
    @translated("making a collection")
    def create(cls, path: Path, spec: CollectionSpec) -> Shard:
        """Make a shard in the new folder `path`, its payload fields indexed."""
        path.mkdir(parents=True)
        return cls(path, _indexed(edge.EdgeShard.create(str(path), config(spec))))

    @classmethod
    @translated("opening a collection")
    def load(cls, path: Path, spec: CollectionSpec | None = None) -> Shard:
        """Open the shard in `path`; what its write-ahead log holds is brought back.

        Given `spec`, fails if its vectors are of another length or compared otherwise. Fields
        that filters have learnt to use since it was made are indexed.
        """
        wanted = None if spec is None else config(spec)
        return cls(path, _indexed(edge.EdgeShard.load(str(path), wanted)))

    @translated("storing vectors")
    def upsert(self, points: Sequence[edge.Point]) -> None:
        """Add or replace points; of two with one id, the later counts."""
        self._engine.update(edge.UpdateOperation.upsert_points(list(points)))

    @translated("deleting vectors")
    def delete(self, ids: Sequence[UUID]) -> None:
        """Remove points; ids that are not here are passed over."""
        self._engine.update(edge.UpdateOperation.delete_points(list(ids)))

    @translated("changing what is known about a picture")
    def set_payload(self, point_id: UUID, payload: edge.Payload) -> None:
        """Replace the payload of a point that must be here."""
        self._engine.update(edge.UpdateOperation.overwrite_payload([point_id], payload))

    @translated("searching")
    def query(self, request: edge.QueryRequest) -> list[Hit]:
        """The engine's answer, best first, ties in any order; a score is a distance for EUCLID."""
        return [Hit(as_uuid(point.id), point.score) for point in self._engine.query(request)]

    @translated("reading vectors")
    def vectors(self, ids: Sequence[UUID]) -> dict[UUID, Vector]:
        """Stored vectors by id; ids that are not here are left out."""
        records = self._engine.retrieve(list(ids), with_payload=False, with_vector=True)
        return {as_uuid(one.id): _row(one) for one in records}

    @translated("reading which pictures are there")
    def known(self, ids: Sequence[UUID]) -> list[UUID]:
        """Those of the ids that are here."""
        records = self._engine.retrieve(list(ids), with_payload=False, with_vector=False)
        return [as_uuid(record.id) for record in records]

    @translated("reading vectors")
    def points(self, ids: Sequence[UUID]) -> dict[UUID, edge.Point]:
        """Points by id, ready for another shard; ids that are not here are left out."""
        records = self._engine.retrieve(list(ids), with_payload=True, with_vector=True)
        return {as_uuid(one.id): _point(one) for one in records}

    @translated("reading what is known about pictures")
    def stretch(
        self, limit: int, start: edge.PointId | None
    ) -> tuple[list[edge.Record], edge.PointId | None]:
        """Up to `limit` points by id from `start` on, without vectors, and the next start.

        The next start is None at the end.
        """
        return self._engine.scroll(
            edge.ScrollRequest(offset=start, limit=limit, with_payload=True, with_vector=False)
        )

    @translated("counting vectors")
    def count(self, condition: edge.Filter | None = None) -> int:
        """How many points meet the filter, exactly."""
        return self._engine.count(edge.CountRequest(exact=True, filter=condition))

    @translated("counting vectors")
    def outside_graph(self) -> int:
        """About how many points the graph lacks, or has too many; 0 after `optimize`."""
        info = self._engine.info()
        return abs(info.points_count - info.indexed_vectors_count)

    @translated("counting vectors")
    def size(self) -> int:
        """About how many points there are, without looking at each."""
        return self._engine.info().points_count

    @translated("measuring vectors")
    def bytes_used(self) -> int:
        """Bytes on disk of the graph, and of the vectors' small copies or else the vectors."""
        return sum(map(_searched_bytes, (self.path / "segments").iterdir()))

    @translated("writing to disk")
    def flush(self) -> None:
        """Write everything to disk, so that the write-ahead log can be cut.

        Nobody may change points meanwhile. Most is written before the engine is asked to, since
        the engine would keep Python's global lock while it waits for the disk.
        """
        sync_tree(self.path)
        self._engine.flush()

    @translated("building the search graph")
    def optimize(self) -> None:
        """Put all points into the graph. Takes long and holds Python's global lock throughout."""
        self._engine.optimize()

    @translated("closing a collection")
    def close(self) -> None:
        """Release files. Writes to disk first, as `flush` does."""
        sync_tree(self.path)
        self._engine.close()


def as_uuid(point_id: edge.PointId) -> UUID:
    """A point's id as we gave it."""
    return UUID(str(point_id))


def _indexed(engine: edge.EdgeShard) -> edge.EdgeShard:
    known = engine.info().payload_schema
    for field, operation in field_indexes().items():
        if field not in known:
            engine.update(operation)
    return engine


def _searched_bytes(segment: Path) -> int:
    vectors = segment / "vector_storage"
    copies = [vectors / name for name in COPIES if (vectors / name).exists()]
    return sum(map(disk_usage, [*(copies or [vectors]), segment / "vector_index"]))


def _row(record: edge.Record) -> Vector:
    """The engine's list of floats as an array: packed, in a fifth of the time of `np.asarray`."""
    numbers = cast(list[float], record.vector)
    return np.frombuffer(struct.pack(f"{len(numbers)}f", *numbers), np.float32).copy()


def _point(record: edge.Record) -> edge.Point:
    if record.vector is None:
        raise ValueError(f"point {record.id} has no vector")
    return edge.Point(record.id, record.vector, record.payload)
