"""Which request is which call of the engine."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import TypeAdapter
from qdrant_client import models
from qdrant_client.http.models import models as wire

from tests.qdrant_double.engine import Engine

Handler: TypeAlias = Callable[[Engine, str, Any], Any]
"""Given the engine, the collection's name (empty where the path has none) and the parsed body."""

COLLECTION = r"/collections/([^/]+)"


@dataclass(frozen=True)
class Route:
    """What is asked by `method` on a path that is `pattern`, with a body of the type `body`."""

    method: str
    pattern: str
    body: TypeAdapter[Any] | None
    handle: Handler


def create(engine: Engine, name: str, body: models.CreateCollection) -> bool:
    """Make a collection. The engine keeps no more of it than it can use."""
    return engine.create_collection(
        name, vectors_config=body.vectors, quantization_config=body.quantization_config
    )


def index(engine: Engine, name: str, body: models.CreateFieldIndex) -> Any:
    """Accept the index of a payload field."""
    return engine.create_payload_index(name, body.field_name, body.field_schema)


def upsert(engine: Engine, name: str, body: wire.PointInsertOperations) -> Any:
    """Add or replace points."""
    points = body.batch if isinstance(body, wire.PointsBatch) else body.points
    return engine.upsert(name, points)


def batch(engine: Engine, name: str, body: models.UpdateOperations) -> Any:
    """Make several changes in order."""
    return engine.batch_update_points(name, body.operations)


def query(engine: Engine, name: str, body: models.QueryRequest) -> Any:
    """Search for the nearest points."""
    return engine.query_points(
        name,
        query=body.query,
        query_filter=body.filter,
        search_params=body.params,
        limit=body.limit,
        offset=body.offset,
        with_payload=body.with_payload or False,
        with_vectors=body.with_vector or False,
        score_threshold=body.score_threshold,
    )


def scroll(engine: Engine, name: str, body: models.ScrollRequest) -> Any:
    """List points by id."""
    records, following = engine.scroll(
        name,
        scroll_filter=body.filter,
        limit=body.limit,
        offset=body.offset,
        with_payload=body.with_payload or False,
        with_vectors=body.with_vector or False,
    )
    return models.ScrollResult(points=records, next_page_offset=following)


def retrieve(engine: Engine, name: str, body: models.PointRequest) -> Any:
    """Read points by id."""
    return engine.retrieve(
        name,
        body.ids,
        with_payload=body.with_payload or False,
        with_vectors=body.with_vector or False,
    )


def count(engine: Engine, name: str, body: models.CountRequest) -> Any:
    """Count points."""
    return engine.count(name, count_filter=body.filter)


def exists(engine: Engine, name: str, _: None) -> Any:
    """Say whether there is such a collection or alias."""
    return models.CollectionExistence(exists=engine.collection_exists(name))


def _route(method: str, pattern: str, handle: Handler, body: Any = None) -> Route:
    return Route(method, pattern, TypeAdapter(body) if body else None, handle)


ROUTES = [
    _route("GET", "/", lambda engine, *_: engine.info()),
    _route("GET", "/collections", lambda engine, *_: engine.get_collections()),
    _route("GET", "/aliases", lambda engine, *_: engine.get_aliases()),
    _route(
        "POST",
        "/collections/aliases",
        lambda engine, _, body: engine.update_collection_aliases(body.actions),
        models.ChangeAliasesOperation,
    ),
    _route("GET", COLLECTION, lambda engine, name, _: engine.get_collection(name)),
    _route("GET", f"{COLLECTION}/exists", exists),
    _route("GET", f"{COLLECTION}/memory", lambda engine, name, _: engine.memory(name)),
    _route("PUT", COLLECTION, create, models.CreateCollection),
    _route("DELETE", COLLECTION, lambda engine, name, _: engine.delete_collection(name)),
    _route("PUT", f"{COLLECTION}/index", index, models.CreateFieldIndex),
    _route("PUT", f"{COLLECTION}/points", upsert, wire.PointInsertOperations),
    _route("POST", f"{COLLECTION}/points", retrieve, models.PointRequest),
    _route("POST", f"{COLLECTION}/points/batch", batch, models.UpdateOperations),
    _route(
        "POST",
        f"{COLLECTION}/points/delete",
        lambda engine, name, body: engine.delete(name, body),
        models.PointsSelector,
    ),
    _route("POST", f"{COLLECTION}/points/query", query, models.QueryRequest),
    _route("POST", f"{COLLECTION}/points/scroll", scroll, models.ScrollRequest),
    _route("POST", f"{COLLECTION}/points/count", count, models.CountRequest),
]


def route(method: str, path: str) -> tuple[Route, str] | None:
    """The route of a request and the collection that its path names; None for an unknown one."""
    for one in ROUTES:
        match = re.fullmatch(one.pattern, path)
        if match and one.method == method:
            return one, (match.group(1) if match.groups() else "")
    return None
