"""A VectorCollection in one folder, on Qdrant Edge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import numpy as np

from lookalike.services.adapters.edge.builder import GraphBuilder
from lookalike.services.adapters.edge.filters import engine_filter
from lookalike.services.adapters.edge.live import SLICE, LiveShard
from lookalike.services.adapters.edge.queries import engine_request
from lookalike.services.adapters.edge.schema import engine_point
from lookalike.services.adapters.edge.shard import Shard, as_uuid
from lookalike.services.adapters.qdrant_answers import page
from lookalike.services.adapters.qdrant_payload import engine_payload, read_payload
from lookalike.services.ports import StoredPayload, VectorQuery
from lookalike.services.records import CollectionSpec, Hit, Payload, Point, Vector, scored
from lookalike.services.slices import sliced


class EdgeCollection:
    """See VectorCollection. `spec` is what it was made for."""

    def __init__(self, spec: CollectionSpec, live: LiveShard, builder: GraphBuilder) -> None:
        self.spec = spec
        self._live = live
        self._builder = builder
        self._closed = False

    def upsert(self, points: Sequence[Point]) -> None:
        """See VectorCollection. Raises ValueError for vectors that do not fit the spec."""
        for point in points:
            self._check(point.vector)
        for part in sliced(points, SLICE):
            converted = [engine_point(point) for point in part]
            self._update([point.id for point in part], partial(Shard.upsert, points=converted))

    def set_payload(self, payloads: Mapping[UUID, Payload]) -> None:
        """See VectorCollection."""
        for part in sliced(list(payloads), SLICE):
            chosen = {point_id: payloads[point_id] for point_id in part}
            self._update(part, partial(_set_payloads, payloads=chosen))

    def delete(self, ids: Sequence[UUID]) -> None:
        """See VectorCollection."""
        for part in sliced(ids, SLICE):
            self._update(part, partial(Shard.delete, ids=part))

    def search(self, query: VectorQuery) -> list[Hit]:
        """See VectorCollection."""
        return page(query, partial(self._ask, query))

    def vectors(self, ids: Sequence[UUID]) -> dict[UUID, Vector]:
        """See VectorCollection."""
        found: dict[UUID, Vector] = {}
        for part in sliced(ids, SLICE):
            found |= self._live.read(partial(Shard.vectors, ids=part))
        return found

    def scan(self) -> Iterator[Sequence[StoredPayload]]:
        """See VectorCollection. Changes and a rebuilt graph may come between two slices."""
        start, more = None, True
        while more:
            records, start = self._live.read(partial(Shard.stretch, limit=SLICE, start=start))
            more = start is not None
            yield [_stored_payload(as_uuid(record.id), record.payload) for record in records]

    def count(self, library: str | None = None) -> int:
        """See VectorCollection."""
        condition = None if library is None else engine_filter(library)
        return self._live.read(partial(Shard.count, condition=condition))

    def is_empty(self) -> bool:
        """See VectorCollection."""
        records, _ = self._live.read(partial(Shard.stretch, limit=1, start=None))
        return not records

    def check(self) -> None:
        """See VectorCollection."""
        self._live.read(Shard.size)

    def bytes_used(self) -> int:
        """See VectorCollection. What takes up disk of the files that searches walk through.

        Those are the graph and, of each segment, the small copy of its vectors or, where it has
        none (new points wait for theirs), the vectors themselves.
        """
        return self._live.read(Shard.bytes_used)

    def wait_until_optimized(self, timeout: float) -> bool:
        """See VectorCollection."""
        return self._builder.wait(timeout)

    def close(self) -> None:
        """See VectorCollection."""
        if not self._closed:
            self._closed = True
            self._builder.close()
            self._live.close()

    def _check(self, vector: Vector) -> None:
        if vector.shape != (self.spec.dimensions,) or not np.isfinite(vector).all():
            raise ValueError(f"a vector of {self.spec.dimensions} finite numbers is needed")

    def _update(self, ids: Sequence[UUID], call: partial[None]) -> None:
        self._live.update(ids, call)
        self._builder.notice()

    def _ask(self, query: VectorQuery, limit: int) -> list[Hit]:
        request = engine_request(query, limit, self.spec)
        return scored(self._live.read(partial(Shard.query, request=request)), self.spec)


def _stored_payload(point_id: UUID, stored: Mapping[str, Any] | None) -> StoredPayload:
    return StoredPayload(point_id, read_payload(point_id, stored))


def _set_payloads(shard: Shard, payloads: Mapping[UUID, Payload]) -> None:
    for point_id in shard.known(list(payloads)):
        shard.set_payload(point_id, engine_payload(point_id, payloads[point_id]))
