"""The requests about points, each as a call that `Server` makes; `name` names the collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias
from uuid import UUID

from qdrant_client import QdrantClient, models

from lookalike.services.adapters.qdrant_payload import engine_payload
from lookalike.services.adapters.qdrant_server.errors import FalteringError
from lookalike.services.adapters.qdrant_server.schema import batch, offered
from lookalike.services.adapters.qdrant_server.server import Call
from lookalike.services.records import Hit, Payload, Point, Storage

Slice: TypeAlias = tuple[list[models.Record], models.ExtendedPointId | None]
"""Records, and where the next slice begins; None after the last."""


def upserting(name: str, points: Sequence[Point]) -> Call[None]:
    """Add or replace points."""
    converted = batch(points)

    def call(client: QdrantClient, seconds: int) -> None:
        _done(client.upsert(name, converted, wait=True, timeout=seconds))

    return call


def deleting(name: str, ids: Sequence[UUID]) -> Call[None]:
    """Remove points; the server passes over ids that are not there."""
    chosen = models.PointIdsList(points=_names(ids))

    def call(client: QdrantClient, seconds: int) -> None:
        _done(client.delete(name, chosen, wait=True, timeout=seconds))

    return call


def overwriting(name: str, payloads: Mapping[UUID, Payload]) -> Call[None]:
    """Replace payloads, in one request. A point that is not there makes the call fail (404)."""
    changes = [_overwriting(*one) for one in payloads.items()]

    def call(client: QdrantClient, seconds: int) -> None:
        for result in client.batch_update_points(name, changes, wait=True, timeout=seconds):
            _done(result)

    return call


def querying(name: str, asked: Mapping[str, Any]) -> Call[list[Hit]]:
    """The best points for what `queries.request` made; scores are the server's own."""

    def call(client: QdrantClient, seconds: int) -> list[Hit]:
        answer = client.query_points(name, **asked, timeout=seconds)
        return [Hit(UUID(str(point.id)), point.score) for point in answer.points]

    return call


def retrieving(name: str, ids: Sequence[UUID], with_vectors: bool) -> Call[list[models.Record]]:
    """Those of the points that are there, without their payloads."""
    names = _names(ids)

    def call(client: QdrantClient, seconds: int) -> list[models.Record]:
        return client.retrieve(
            name, names, with_payload=False, with_vectors=with_vectors, timeout=seconds
        )

    return call


def scrolling(name: str, after: models.ExtendedPointId | None, limit: int) -> Call[Slice]:
    """The next points by id with their payloads."""

    def call(client: QdrantClient, seconds: int) -> Slice:
        return client.scroll(
            name, limit=limit, offset=after, with_payload=True, with_vectors=False, timeout=seconds
        )

    return call


def counting(name: str, wanted: models.Filter | None) -> Call[int]:
    """How many points meet the filter, exactly."""

    def call(client: QdrantClient, seconds: int) -> int:
        return client.count(name, count_filter=wanted, exact=True, timeout=seconds).count

    return call


def existing(name: str) -> Call[bool]:
    """Whether there is such a collection; no shard is asked."""
    return lambda client, _: client.collection_exists(name)


def offering(client: QdrantClient, _seconds: int) -> tuple[Storage, ...]:
    """The storages that the server has."""
    return offered(client.info().version)


def collection_names(client: QdrantClient, _seconds: int) -> set[str]:
    """Every collection that the server has."""
    return {one.name for one in client.get_collections().collections}


def asking_if_optimized(name: str) -> Call[bool]:
    """Whether the server has nothing left to put into the graph."""
    return lambda client, _: client.get_collection(name).status == models.CollectionStatus.GREEN


def _names(ids: Sequence[UUID]) -> list[models.ExtendedPointId]:
    return [str(one) for one in ids]


def _overwriting(point_id: UUID, payload: Payload) -> models.OverwritePayloadOperation:
    change = models.SetPayload(payload=engine_payload(point_id, payload), points=[str(point_id)])
    return models.OverwritePayloadOperation(overwrite_payload=change)


def _done(result: models.UpdateResult) -> None:
    # A server that runs out of time has noted the change but not made it: no search finds it.
    if result.status != models.UpdateStatus.COMPLETED:
        raise FalteringError(
            "The vector index took a change but has not made it yet. Try again in a moment.",
            status=str(result.status),
        )
