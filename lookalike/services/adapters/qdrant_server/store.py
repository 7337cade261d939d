"""A VectorStore on a Qdrant server or cluster."""

from __future__ import annotations

import re
import threading
from functools import partial

from qdrant_client import QdrantClient, models

from lookalike.services.adapters.qdrant_server.collection import QdrantCollection
from lookalike.services.adapters.qdrant_server.errors import MissingError
from lookalike.services.adapters.qdrant_server.making import Making
from lookalike.services.adapters.qdrant_server.options import QdrantOptions
from lookalike.services.adapters.qdrant_server.requests import collection_names, offering
from lookalike.services.adapters.qdrant_server.server import Call, Connect, Server
from lookalike.services.errors import UnavailableError
from lookalike.services.records import CollectionSpec, Storage

NAME = re.compile(r"[A-Za-z0-9_-]+")


class QdrantStore:
    """See VectorStore. Any number of processes may use one server.

    Neither making it nor `open` sends anything: a process starts while the server is down. A
    collection is made on the server by the first `upsert`, and until then is as if empty.
    """

    def __init__(self, options: QdrantOptions, connect: Connect | None = None) -> None:
        """Prepare. `connect` takes the place of the usual client, given its time-out in seconds."""
        self._options = options
        self._server = Server(options, connect)
        self._lock = threading.Lock()
        self._open: dict[str, QdrantCollection] = {}
        self._closed = False

    def open(self, name: str, spec: CollectionSpec) -> QdrantCollection:
        """See VectorStore. Raises ValueError for a name or a spec that does not fit.

        Whether the server has the storage shows when the collection is made on it.
        """
        with self._lock:
            if name not in self._open:
                self._open[name] = self._collection(name, spec)
            collection = self._open[name]
        if collection.spec != spec:
            raise ValueError(f"the collection {name} was opened for {collection.spec}")
        return collection

    def drop(self, name: str) -> None:
        """See VectorStore. The collection's object must not be used any more."""

        def call(client: QdrantClient, seconds: int) -> None:
            client.delete_collection(name, timeout=seconds)

        with self._lock:
            self._open.pop(name, None)
        try:
            self._server.write("removing a collection", call)
        except MissingError:
            return

    def names(self) -> list[str]:
        """See VectorStore: those on the server, and those opened here that are yet to be made."""
        there = self._server.read("listing collections", collection_names)
        with self._lock:
            return sorted(there | self._open.keys())

    def storages(self) -> tuple[Storage, ...]:
        """See VectorStore. The server is asked for its version: older ones have no TURBO."""
        return self._server.read("looking at the server's version", offering)

    def point_alias(self, alias: str, name: str) -> None:
        """Make `alias` another name of the collection `name`, instead of what it named before.

        In one step: who searches under the alias finds the older collection or the new one.
        Nothing happens if it does already. A collection that is open here is made if it is
        missing. Raises UnavailableError when there is no such collection.
        """
        with self._lock:
            collection = self._open.get(name)
        if name == self._server.read("looking at aliases", partial(_named, alias)):
            return
        if collection is not None:
            collection.make()
        try:
            self._server.write("naming the live collection", _pointing(alias, name))
        except MissingError as error:
            raise UnavailableError(
                f"There is no collection {name} on the Qdrant server that could go live."
            ) from error

    def close(self) -> None:
        """See VectorStore. May be called twice."""
        if not self._closed:
            self._closed = True
            self._server.close()

    def _collection(self, name: str, spec: CollectionSpec) -> QdrantCollection:
        if not NAME.fullmatch(name):
            raise ValueError(f"a collection's name is letters, digits, - and _, not {name!r}")
        making = Making(name, spec, self._server, self._options)
        return QdrantCollection(name, spec, self._server, making)


def _named(alias: str, client: QdrantClient, _seconds: int) -> str | None:
    """The collection that the alias names, if any."""
    named = {one.alias_name: one.collection_name for one in client.get_aliases().aliases}
    return named.get(alias)


def _pointing(alias: str, name: str) -> Call[None]:
    create = models.CreateAlias(alias_name=alias, collection_name=name)
    delete = models.DeleteAlias(alias_name=alias)

    def call(client: QdrantClient, seconds: int) -> None:
        changes: list[models.AliasOperations] = [models.CreateAliasOperation(create_alias=create)]
        if _named(alias, client, seconds) is not None:
            changes.insert(0, models.DeleteAliasOperation(delete_alias=delete))
        client.update_collection_aliases(changes, timeout=seconds)

    return call
