"""What a collection takes, part by part, as the server tells it since Qdrant 1.18.

The client has no method for `GET /collections/NAME/memory`, nor types for its answer, which is
described at https://qdrant.tech/documentation/ops-monitoring/memory-usage/.
"""

from __future__ import annotations

from pydantic import BaseModel
from qdrant_client import QdrantClient

from lookalike.services.adapters.qdrant_server.schema import QUANTIZATIONS
from lookalike.services.adapters.qdrant_server.server import Call
from lookalike.services.records import CollectionSpec


class PartUsage(BaseModel):
    """A part's bytes on the disks of all nodes: what it takes wherever it is kept in memory."""

    disk_bytes: int


class VectorsUsage(BaseModel):
    """Full vectors, their graph, and small copies where there are any."""

    storage: PartUsage
    index: PartUsage
    quantized: PartUsage | None = None

    def searched(self, by_copies: bool) -> int:
        """Bytes that searches read: the graph, and small copies or else the full vectors."""
        vectors = (by_copies and self.quantized) or self.storage
        return vectors.disk_bytes + self.index.disk_bytes


class CollectionUsage(BaseModel):
    """The parts that searches read; those of payloads and ids are passed over."""

    vectors: list[VectorsUsage]


class MemoryAnswer(BaseModel):
    """The server's envelope."""

    result: CollectionUsage


def measuring(name: str, spec: CollectionSpec) -> Call[int]:
    """Bytes that searches in the collection read, on all nodes together."""

    def call(client: QdrantClient, _seconds: int) -> int:
        answer = client.http.client.request(
            type_=MemoryAnswer,
            method="GET",
            url="/collections/{collection_name}/memory",
            path_params={"collection_name": name},
        )
        by_copies = spec.storage in QUANTIZATIONS
        return sum(vectors.searched(by_copies) for vectors in answer.result.vectors)

    return call
