"""Makes a collection on the server, once, however many processes try."""

from __future__ import annotations

import threading

from qdrant_client import QdrantClient

from lookalike.services.adapters.qdrant_server.errors import RefusedError
from lookalike.services.adapters.qdrant_server.options import QdrantOptions
from lookalike.services.adapters.qdrant_server.requests import offering
from lookalike.services.adapters.qdrant_server.schema import (
    FieldIndex,
    collection_settings,
    field_indexes,
)
from lookalike.services.adapters.qdrant_server.server import Server
from lookalike.services.adapters.qdrant_storages import check_offered
from lookalike.services.records import CollectionSpec, Storage


class Making:
    """How the collection `name` comes to be. Safe to use from several threads."""

    def __init__(
        self, name: str, spec: CollectionSpec, server: Server, options: QdrantOptions
    ) -> None:
        self._options = options
        self._name = name
        self._spec = spec
        self._server = server
        self._made = False
        self._lock = threading.Lock()

    def make_once(self) -> None:
        """Make the collection, unless this object has done so before.

        Raises InvalidRequestError for a storage that the server does not have.
        """
        with self._lock:
            if not self._made:
                self.make()
                self._made = True

    def make(self) -> None:
        """Make the collection if it is missing, and index its fields if they are not."""
        if not self._exists():
            self._create()
        # Also when it was there: who made it may have been killed, or not have come so far yet.
        for field, kind in field_indexes().items():
            self._index(field, kind)

    def _exists(self) -> bool:
        return self._server.write(
            "looking for a collection", lambda client, _: client.collection_exists(self._name)
        )

    def _index(self, field: str, kind: FieldIndex) -> None:
        def call(client: QdrantClient, seconds: int) -> None:
            client.create_payload_index(self._name, field, kind, wait=True, timeout=seconds)

        self._server.write("indexing what filters use", call)

    def _create(self) -> None:
        if self._spec.storage is Storage.TURBO:
            offers = self._server.write("looking at the server's version", offering)
            check_offered(self._spec.storage, offers)
        settings = collection_settings(self._spec, self._options)

        def call(client: QdrantClient, seconds: int) -> None:
            client.create_collection(self._name, **settings, timeout=seconds)

        try:
            self._server.write("making a collection", call)
        except RefusedError:
            if not self._exists():  # nobody else made it first: it is refused for a reason
                raise
