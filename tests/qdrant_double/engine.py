"""The client's in-memory engine with a server's manners: threads, refusals, their status codes."""

from __future__ import annotations

import json
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from httpx import Headers
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from tests.qdrant_double.filtering import remember_filters


class Engine:
    """Takes the calls of a QdrantClient, one at a time, from any thread.

    A server answers 404 where the engine passes over: payloads of points that are not there.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Keep points in memory, or also in the folder `path`."""
        remember_filters()
        self._path = path
        self._lock = threading.RLock()
        self._client = self._open()

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

    def cluster_telemetry(self, **_: object) -> models.DistributedTelemetryData:
        """Tell what vectors take, as a cluster does, of this one node."""
        with self._lock:
            collections = self._client.get_collections().collections
            return telemetry({one.name: self._vector_bytes(one.name) for one in collections})

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

    def _vector_bytes(self, name: str) -> int:
        params = self._client.get_collection(name).config.params.vectors
        assert isinstance(params, models.VectorParams)
        width = 2 if params.datatype == models.Datatype.FLOAT16 else 4
        return self._client.count(name).count * params.size * width

    def _update(self, collection: str, operation: Any, options: dict[str, Any]) -> Any:
        if isinstance(operation, models.OverwritePayloadOperation):
            for point_id in operation.overwrite_payload.points or ():
                if not self.retrieve(collection, [point_id], with_payload=False):
                    raise refused(404, f"Not found: No point with id {point_id} found")
        [result] = self.__getattr__("batch_update_points")(collection, [operation], **options)
        return result


def telemetry(sizes: Mapping[str, int | None]) -> models.DistributedTelemetryData:
    """What a cluster of one node tells of collections of so many bytes, None for untold."""
    told = {
        name: {
            "id": name,
            "shards": [
                {
                    "id": 0,
                    "replicas": [{"peer_id": 1, "state": "Active", "vectors_size_bytes": size}],
                }
            ],
        }
        for name, size in sizes.items()
    }
    return models.DistributedTelemetryData.model_validate({"collections": told})


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
