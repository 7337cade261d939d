"""A VectorStore in a folder of this machine, on Qdrant Edge: the engine runs in this process."""

from __future__ import annotations

import re
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from lookalike.services.adapters.edge.builder import REBUILD_FROM, GraphBuilder
from lookalike.services.adapters.edge.collection import EdgeCollection
from lookalike.services.adapters.edge.errors import translated
from lookalike.services.adapters.edge.folder import ShardFolder
from lookalike.services.adapters.edge.live import LiveShard
from lookalike.services.adapters.edge.shard import Shard
from lookalike.services.errors import BusyError
from lookalike.services.file_locks import take
from lookalike.services.records import CollectionSpec, Storage

LOCK = "store.lock"

HOLD_SECONDS = 2.0
"""How long to try for a folder: a process that was killed may leave a child that still dies."""

NAME = re.compile(r"[A-Za-z0-9_-]+")


class EdgeStore:
    """See VectorStore. One process holds the folder at a time, and one store in it."""

    def __init__(self, root: Path, rebuild_from: int = REBUILD_FROM) -> None:
        """Take the folder `root`, making it if needed.

        `rebuild_from` is the least number of changes that is worth rebuilding a search graph.
        Raises BusyError when the folder is taken, UnavailableError when it cannot be used.
        """
        self._root = root
        self._rebuild_from = rebuild_from
        self._lock = threading.Lock()
        self._open: dict[str, EdgeCollection] = {}
        self._held = _hold(root)

    def open(self, name: str, spec: CollectionSpec) -> EdgeCollection:
        """See VectorStore. Raises ValueError for a name or a spec that does not fit."""
        folder = self._folder(name)
        with self._lock:
            if name not in self._open:
                self._open[name] = self._load(folder, spec)
            collection = self._open[name]
        if collection.spec != spec:
            raise ValueError(f"the collection {name} was opened for {collection.spec}")
        return collection

    def drop(self, name: str) -> None:
        """See VectorStore. The collection's object must not be used any more."""
        folder = self._folder(name)
        with self._lock:
            if name in self._open:
                self._open.pop(name).close()
            folder.remove()

    @translated("listing collections")
    def names(self) -> list[str]:
        """See VectorStore."""
        return sorted(path.name for path in self._root.iterdir() if ShardFolder(path).exists())

    def storages(self) -> tuple[Storage, ...]:
        """See VectorStore: all of them."""
        return tuple(Storage)

    def point_alias(self, alias: str, name: str) -> None:
        """See VectorStore. Nobody else can open the folder."""

    def close(self) -> None:
        """See VectorStore. May be called twice."""
        with self._lock, ExitStack() as closing:
            closing.callback(self._held.close)
            while self._open:
                closing.callback(self._open.popitem()[1].close)

    def _folder(self, name: str) -> ShardFolder:
        if not NAME.fullmatch(name):
            raise ValueError(f"a collection's name is letters, digits, - and _, not {name!r}")
        return ShardFolder(self._root / name)

    def _load(self, folder: ShardFolder, spec: CollectionSpec) -> EdgeCollection:
        folder.clean()
        if not folder.exists():
            _create(folder, spec)
        path, changes = folder.current()
        shard = Shard.load(path, spec)
        live = LiveShard(folder, shard, max(changes, shard.outside_graph()))
        return EdgeCollection(spec, live, GraphBuilder(live, self._rebuild_from))


def _create(folder: ShardFolder, spec: CollectionSpec) -> None:
    path = folder.unused()
    shard = Shard.create(path, spec)
    shard.flush()
    shard.close()
    folder.point_to(path, changes=0)


@translated("opening its folder")
def _hold(root: Path) -> IO[str]:
    root.mkdir(parents=True, exist_ok=True)
    file = (root / LOCK).open("w")
    if not take(file, HOLD_SECONDS):
        file.close()
        raise BusyError(
            f"The vectors in {str(root)!r} are in use by another process. Stop that one, or "
            "name another data folder."
        )
    return file
