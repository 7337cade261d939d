"""Points for tests of vector stores."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import numpy as np

from lookalike.services.filters import AnyOf, Range
from lookalike.services.ports import VectorCollection, VectorQuery
from lookalike.services.records import CollectionSpec, Orientation, Payload, Point, Vector

SPEC = CollectionSpec(dimensions=4)


def vector(*numbers: float) -> Vector:
    """These numbers, scaled to unit length."""
    row = np.array(numbers, dtype=np.float32)
    return row / np.linalg.norm(row)


EAST, NORTH = vector(1, 0, 0, 0), vector(0, 1, 0, 0)


def angle(degrees: float) -> Vector:
    """A unit vector that is `degrees` away from EAST."""
    turned = np.deg2rad(degrees)
    return vector(np.cos(turned), np.sin(turned), 0, 0)


def payload(**fields: Any) -> Payload:
    """A payload that says nothing special but what is given."""
    plain: dict[str, Any] = {
        "library": "main",
        "tags": (),
        "format": "jpeg",
        "orientation": Orientation.LANDSCAPE,
        "width": 640,
        "height": 480,
        "bytes": 1000,
        "taken": None,
        "added": 1.7e9,
        "attributes": {},
    }
    return Payload(**(plain | fields))


def point(number: int, where: Vector = EAST, **fields: Any) -> Point:
    """The point with that id and what is given of its payload."""
    return Point(UUID(int=number), where, payload(**fields))


def found(collection: VectorCollection, where: Vector = EAST, **asked: Any) -> list[int]:
    """The numbers of the points that a search of `main` finds, in order."""
    query = VectorQuery(**({"library": "main", "like": [where]} | asked))
    return [hit.id.int for hit in collection.search(query)]


WIDE = CollectionSpec(dimensions=64)


def many(count: int) -> list[Point]:
    """Points 0 to `count` in random directions, 3 of 5 tagged `most`, the same each time."""
    rows = np.random.default_rng(count).normal(size=(count, WIDE.dimensions)).astype(np.float32)
    return [
        point(number, row, tags=("most",) if number % 5 < 3 else (), width=number)
        for number, row in enumerate(rows)
    ]


def change(collection: VectorCollection, number: int) -> None:
    """The change that `number` stands for: delete, set the payload of, or replace that point."""
    point_id = UUID(int=number)
    if number % 3 == 0:
        collection.delete([point_id])
    elif number % 3 == 1:
        collection.set_payload({point_id: payload(tags=("changed",), width=number)})
    else:
        collection.upsert([point(number, replaced(number), tags=("changed",), width=number)])


def replaced(number: int) -> Vector:
    """The vector that `change` gives to a point."""
    row = np.zeros(WIDE.dimensions, dtype=np.float32)
    row[number % WIDE.dimensions] = 1
    return row


def is_changed(collection: VectorCollection, number: int) -> bool:
    """Whether the change that `number` stands for is in effect."""
    vectors = collection.vectors([UUID(int=number)])
    if number % 3 == 0:
        return not vectors
    conditions = [AnyOf(("tags",), ("changed",)), Range(("width",), gte=number, lte=number)]
    where = replaced(number) if number % 3 == 2 else vectors[UUID(int=number)]
    kept = np.allclose(vectors[UUID(int=number)], where)
    return kept and found(collection, where, conditions=conditions) == [number]
