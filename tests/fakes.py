"""Stand-ins for the parts behind the ports: plain, in memory, obviously right."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

import numpy as np

from lookalike.services.filters import AnyOf, Condition, Key, NoneOf
from lookalike.services.ports import StoredPayload, VectorQuery
from lookalike.services.records import (
    CollectionSpec,
    Distance,
    Hit,
    Payload,
    Point,
    Scalar,
    Storage,
    Vector,
    comparable,
    likeness,
    target,
)


class MemoryVectorStore:
    """A VectorStore whose collections are gone when it is."""

    def __init__(self) -> None:
        self._collections: dict[str, MemoryVectorCollection] = {}

    def open(self, name: str, spec: CollectionSpec) -> MemoryVectorCollection:
        """See VectorStore."""
        return self._collections.setdefault(name, MemoryVectorCollection(spec))

    def drop(self, name: str) -> None:
        """See VectorStore."""
        gone = self._collections.pop(name, None)
        if gone is not None:
            gone.delete(list(gone._points))

    def names(self) -> list[str]:
        """See VectorStore."""
        return sorted(self._collections)

    def storages(self) -> tuple[Storage, ...]:
        """See VectorStore. All are kept as FLOAT32."""
        return tuple(Storage)

    def point_alias(self, alias: str, name: str) -> None:
        """See VectorStore. Nobody else can look into it."""

    def close(self) -> None:
        """See VectorStore."""


class MemoryVectorCollection:
    """A VectorCollection that compares with every point, one after the other."""

    def __init__(self, spec: CollectionSpec) -> None:
        self._spec = spec
        self._points: dict[UUID, Point] = {}
        self._lock = threading.Lock()

    def upsert(self, points: Sequence[Point]) -> None:
        """See VectorCollection."""
        for point in points:
            if (
                point.vector.shape != (self._spec.dimensions,)
                or not np.isfinite(point.vector).all()
            ):
                raise ValueError(f"a vector of {self._spec.dimensions} finite numbers is needed")
        with self._lock:
            self._points |= {one.id: self._kept(one) for one in points}

    def set_payload(self, payloads: Mapping[UUID, Payload]) -> None:
        """See VectorCollection."""
        with self._lock:
            for point_id in payloads.keys() & self._points.keys():
                known = self._points[point_id]
                self._points[point_id] = replace(known, payload=payloads[point_id])

    def delete(self, ids: Sequence[UUID]) -> None:
        """See VectorCollection."""
        with self._lock:
            for point_id in ids:
                self._points.pop(point_id, None)

    def search(self, query: VectorQuery) -> list[Hit]:
        """See VectorCollection."""
        wanted = target(query.like, query.unlike, self._spec.distance)
        with self._lock:
            points = [point for point in self._points.values() if _is_asked_for(point, query)]
        hits = [Hit(point.id, self._score(point.vector, wanted)) for point in points]
        hits = [hit for hit in hits if query.min_score is None or hit.score >= query.min_score]
        hits.sort(key=lambda hit: (-hit.score, hit.id))
        return hits[query.offset : query.offset + query.limit]

    def vectors(self, ids: Sequence[UUID]) -> dict[UUID, Vector]:
        """See VectorCollection."""
        with self._lock:
            return {one: self._points[one].vector for one in ids if one in self._points}

    def scan(self) -> Iterator[Sequence[StoredPayload]]:
        """See VectorCollection."""
        with self._lock:
            points = list(self._points.values())
        yield [StoredPayload(point.id, point.payload) for point in points]

    def count(self, library: str | None = None) -> int:
        """See VectorCollection."""
        with self._lock:
            points = list(self._points.values())
        return sum(library in (None, point.payload.library) for point in points)

    def is_empty(self) -> bool:
        """See VectorCollection."""
        return not self._points

    def check(self) -> None:
        """See VectorCollection: it always answers."""

    def bytes_used(self) -> int:
        """See VectorCollection."""
        with self._lock:
            return sum(point.vector.nbytes for point in self._points.values())

    def wait_until_optimized(self, timeout: float) -> bool:
        """See VectorCollection: there is no graph to wait for."""
        return True

    def close(self) -> None:
        """See VectorCollection."""

    def _kept(self, point: Point) -> Point:
        return replace(point, vector=comparable(point.vector, self._spec.distance))

    def _score(self, one: Vector, other: Vector) -> float:
        if self._spec.distance is Distance.COSINE:
            return float(one @ other)
        return likeness(float(np.linalg.norm(one - other)), self._spec.dimensions)


def meets(payload: Payload, condition: Condition) -> bool:
    """Whether a picture with this payload meets the condition, by the letter of its definition."""
    held = _values(payload, condition.key)
    if isinstance(condition, AnyOf):
        return any(_equal(value, one) for value in held for one in condition.values)
    if isinstance(condition, NoneOf):
        return not any(_equal(value, one) for value in held for one in condition.values)
    low = -np.inf if condition.gte is None else condition.gte
    high = np.inf if condition.lte is None else condition.lte
    return any(_is_number(value) and low <= value <= high for value in held)


def _is_asked_for(point: Point, query: VectorQuery) -> bool:
    return (
        point.payload.library == query.library
        and point.id not in query.without
        and all(meets(point.payload, condition) for condition in query.conditions)
    )


def _values(payload: Payload, key: Key) -> tuple[Scalar, ...]:
    if key[0] == "attributes":
        return (payload.attributes[key[1]],) if key[1] in payload.attributes else ()
    held = getattr(payload, key[0])
    if held is None:
        return ()
    return held if isinstance(held, tuple) else (held,)


def _equal(one: Scalar, other: Scalar) -> bool:
    alike = _is_number(one) == _is_number(other) and isinstance(one, str) == isinstance(other, str)
    return alike and one == other


def _is_number(value: Scalar) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
