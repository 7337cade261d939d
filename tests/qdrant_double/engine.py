"""The client's in-memory engine with a server's manners: threads, refusals, their status codes."""

from __future__ import annotations

import json
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from httpx import Headers
from pydantic import BaseModel
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from tests.qdrant_double.filtering import remember_filters
from tests.qdrant_double.nearness import trust_lengths

GRAPH_BYTES = 100
"""Of each point in the graph that the engine does not have."""

COPY_BITS: dict[type, int] = {
    models.ScalarQuantization: 8,
    models.BinaryQuantization: 1,
    models.TurboQuantization: 4,
}
"""Of each number in the small copies that the engine does not have."""


class Engine:
    """Takes the calls of a QdrantClient, one at a time, from any thread.

    A server answers 404 where the engine passes over: payloads of points that are not there.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Keep points in memory, or also in the folder `path`."""
        remember_filters()
        trust_lengths()
        self._path = path
        self._lock = threading.RLock()
        self._client = self._open()
        self._copies: dict[str, Any] = {}
        self.http = SimpleNamespace(client=Rest(self))

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)

        def locked(*arguments: Any, **options: Any) -> Any:
            with self._lock, warnings.catch_warnings(action="ignore"):
                try:
                    return call(*arguments, **options)
                except ValueError as error:
                    raise refusal(error) from error

        return locked

    def batch_update_points(
        self, collection: str, operations: list[Any], **options: Any
    ) -> list[models.UpdateResult]:
        """Refuse payloads of unknown points as a server does, having done what comes before."""
        with self._lock:
            return [self._update(collection, operation, options) for operation in operations]

    def query_points(self, collection: str, **options: Any) -> models.QueryResponse:
        """Give scores the precision that a server gives them."""
        answer: models.QueryResponse = self.__getattr__("query_points")(collection, **options)
        for point in answer.points:
            point.score = float(np.float32(point.score))
        return answer

    def create_collection(self, name: str, **settings: Any) -> bool:
        """Make a collection, and remember which small copies it would have."""
        made: bool = self.__getattr__("create_collection")(name, **settings)
        self._copies[name] = settings.get("quantization_config")
        return made

    def memory(self, collection_name: str) -> dict[str, Any]:
        """Tell what the parts of a collection would take, as `GET /collections/NAME/memory` does.

        The engine has no graph and no small copies: both are worked out from the points.
        """
        with self._lock:
            params = self.get_collection(collection_name).config.params.vectors
            numbers = self._client.count(collection_name).count * params.size
            points = numbers // params.size
        half = params.datatype == models.Datatype.FLOAT16
        copies = COPY_BITS.get(type(self._copies.get(collection_name)))
        return {
            "vectors": [
                {
                    "name": "",
                    "storage": usage(numbers * (2 if half else 4)),
                    "index": usage(points * GRAPH_BYTES),
                    "quantized": usage(numbers * copies // 8) if copies else None,
                }
            ],
            "sparse_vectors": [],
            "payload": usage(points * 100),
            "payload_index": [{"name": "library", "usage": usage(points * 20)}],
        }

    def empty(self) -> None:
        """Forget everything."""
        with self._lock:
            for one in self._client.get_collections().collections:
                self._client.delete_collection(one.name)

    def close(self) -> None:
        """Close the engine. May be called twice."""
        with self._lock:
            self._client.close()

    def _open(self) -> QdrantClient:
        if self._path is None:
            return QdrantClient(":memory:")
        return QdrantClient(path=str(self._path), force_disable_check_same_thread=True)

    def _update(self, collection: str, operation: Any, options: dict[str, Any]) -> Any:
        if isinstance(operation, models.OverwritePayloadOperation):
            for point_id in operation.overwrite_payload.points or ():
                if not self.retrieve(collection, [point_id], with_payload=False):
                    raise refused(404, f"Not found: No point with id {point_id} found")
        [result] = self.__getattr__("batch_update_points")(collection, [operation], **options)
        return result


class Rest:
    """Takes what the client has no method for, as its own connection to a server would."""

    def __init__(self, engine: Engine) -> None:
        """Ask `engine`."""
        self._engine = engine

    def request(
        self, *, type_: type[BaseModel], path_params: Mapping[str, str], **_: object
    ) -> Any:
        """Answer the one question that is asked in this way."""
        return type_.model_validate({"result": self._engine.memory(**path_params)})


def usage(size: int) -> dict[str, int]:
    """A part of so many bytes that is all in memory, as the server writes it."""
    return {
        "disk_bytes": size,
        "ram_bytes": size,
        "cached_bytes": 0,
        "expected_cache_bytes": 0,
    }


def refusal(error: ValueError) -> UnexpectedResponse:
    """The server's answer for what the engine does not like."""
    text = str(error)
    if text.startswith("Collection") and text.endswith("not found"):
        return refused(404, f"Not found: {text}")
    return refused(409 if text.endswith("already exists") else 400, f"Wrong input: {text}")


def refused(status: int, message: str) -> UnexpectedResponse:
    """An answer that is not 200, in the server's envelope."""
    body = json.dumps({"status": {"error": message}, "time": 0.0}).encode()
    return UnexpectedResponse(status, "Refused", body, Headers())
