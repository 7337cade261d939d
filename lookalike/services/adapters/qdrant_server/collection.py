"""A VectorCollection on a Qdrant server."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar
from uuid import UUID

import numpy as np
from qdrant_client import models

from lookalike.services.adapters.qdrant_answers import page
from lookalike.services.adapters.qdrant_payload import read_payload
from lookalike.services.adapters.qdrant_server.errors import FalteringError, MissingError
from lookalike.services.adapters.qdrant_server.filters import server_filter
from lookalike.services.adapters.qdrant_server.making import Making
from lookalike.services.adapters.qdrant_server.memory import measuring
from lookalike.services.adapters.qdrant_server.queries import request
from lookalike.services.adapters.qdrant_server.requests import (
    Slice,
    asking_if_optimized,
    collection_names,
    counting,
    deleting,
    existing,
    overwriting,
    querying,
    retrieving,
    scrolling,
    upserting,
)
from lookalike.services.adapters.qdrant_server.server import Call, Server
from lookalike.services.errors import UnavailableError
from lookalike.services.ports import StoredPayload, VectorQuery
from lookalike.services.records import CollectionSpec, Hit, Payload, Point, Vector, scored
from lookalike.services.slices import sliced

SLICE = 256
"""Points in one request: up to 20 MB of numbers in JSON, where a server takes 32 MB."""

SCAN_SLICE = 1_000
NO_SLICE: Slice = ([], None)
POLL_SECONDS = 0.1
RACES = 5
"""How often points may be deleted by others just while their payloads are set."""

Answer = TypeVar("Answer")


class QdrantCollection:
    """See VectorCollection. What is not on the server is empty, until the first write makes it."""

    def __init__(self, name: str, spec: CollectionSpec, server: Server, making: Making) -> None:
        self.spec = spec
        self._name = name
        self._server = server
        self._making = making

    def upsert(self, points: Sequence[Point]) -> None:
        """See VectorCollection. Raises ValueError for vectors that do not fit the spec."""
        for point in points:
            self._check(point.vector)
        for part in sliced(points, SLICE):
            self._upsert(upserting(self._name, part))

    def set_payload(self, payloads: Mapping[UUID, Payload]) -> None:
        """See VectorCollection."""
        for part in sliced(list(payloads), SLICE):
            self._set_payloads({point_id: payloads[point_id] for point_id in part})

    def delete(self, ids: Sequence[UUID]) -> None:
        """See VectorCollection."""
        try:
            for part in sliced(ids, SLICE):
                self._server.write("deleting vectors", deleting(self._name, part))
        except MissingError:
            return

    def search(self, query: VectorQuery) -> list[Hit]:
        """See VectorCollection."""

        def ask(limit: int) -> list[Hit]:
            asked = request(query, limit, self.spec)
            found: list[Hit] = self._read("searching", querying(self._name, asked), [])
            return scored(found, self.spec)

        return page(query, ask)

    def vectors(self, ids: Sequence[UUID]) -> dict[UUID, Vector]:
        """See VectorCollection."""
        records = [one for part in sliced(ids, SLICE) for one in self._known(part, True)]
        return {_id(one): np.asarray(one.vector, dtype=np.float32) for one in records}

    def scan(self) -> Iterator[Sequence[StoredPayload]]:
        """See VectorCollection."""
        after: models.ExtendedPointId | None = None
        while True:
            call = scrolling(self._name, after, SCAN_SLICE)
            records, after = self._read("listing pictures", call, NO_SLICE)
            if records:
                yield [
                    StoredPayload(_id(one), read_payload(_id(one), one.payload)) for one in records
                ]
            if after is None:
                return

    def count(self, library: str | None = None) -> int:
        """See VectorCollection."""
        wanted = None if library is None else server_filter(library)
        return self._read("counting vectors", counting(self._name, wanted), 0)

    def is_empty(self) -> bool:
        """See VectorCollection."""
        records, _ = self._read("looking for vectors", scrolling(self._name, None, 1), NO_SLICE)
        return not records

    def check(self) -> None:
        """See VectorCollection. The server has to answer, whether or not it has the collection."""
        self._server.read("looking for the collection", existing(self._name))

    def bytes_used(self) -> int | None:
        """See VectorCollection. None for a collection that is yet to be made."""
        try:
            return self._server.read("measuring vectors", measuring(self._name, self.spec))
        except MissingError:  # nor do servers before 1.18 know the question
            return None

    def wait_until_optimized(self, timeout: float) -> bool:
        """See VectorCollection.

        The server leaves points out of the graph while they are too few to need one.
        """
        deadline = time.monotonic() + timeout
        call = asking_if_optimized(self._name)
        while not self._read("looking at the search graph", call, True):
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def make(self) -> None:
        """Make it on the server, if it is missing."""
        self._making.make()

    def close(self) -> None:
        """See VectorCollection. The connections belong to the store."""

    def _check(self, vector: Vector) -> None:
        if vector.shape != (self.spec.dimensions,) or not np.isfinite(vector).all():
            raise ValueError(f"a vector of {self.spec.dimensions} finite numbers is needed")

    def _upsert(self, call: Call[None]) -> None:
        self._making.make_once()
        try:
            self._server.write("storing vectors", call)
        except MissingError:  # the server was emptied meanwhile
            self._making.make()
            self._server.write("storing vectors", call)

    def _set_payloads(self, payloads: Mapping[UUID, Payload]) -> None:
        """The server refuses to set the payload of a point it does not have: those stay out."""
        for _ in range(RACES):
            chosen = {_id(one): payloads[_id(one)] for one in self._known(list(payloads))}
            try:
                self._overwrite(chosen)
            except MissingError:
                continue
            return
        raise FalteringError(
            "Pictures kept vanishing while what is known about them was stored. Try again."
        )

    def _overwrite(self, payloads: Mapping[UUID, Payload]) -> None:
        if payloads:
            call = overwriting(self._name, payloads)
            self._server.write("changing what is known about a picture", call)

    def _known(self, ids: Sequence[UUID], with_vectors: bool = False) -> list[models.Record]:
        return self._read("reading vectors", retrieving(self._name, ids, with_vectors), [])

    def _read(self, doing: str, call: Call[Answer], missing: Answer) -> Answer:
        try:
            return self._server.read(doing, call)
        except MissingError:
            # Something else in between may say "not found" too, and must not pass for emptiness.
            if self._name in self._server.read("listing collections", collection_names):
                raise UnavailableError(
                    "The Qdrant server says that a collection is missing, and that it is there. "
                    "Look for a proxy in between, and try again."
                ) from None
            return missing


def _id(record: models.Record) -> UUID:
    return UUID(str(record.id))
