"""The shard in force: short calls go through here, and a rebuilt one takes its place here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from lookalike.services.adapters.edge.folder import ShardFolder, copy_tree, remove
from lookalike.services.adapters.edge.shard import Shard
from lookalike.services.slices import sliced

Answer = TypeVar("Answer")

SLICE = 256
"""Points in one call to the engine: 20 ms, in which nothing else in this process can run."""

FLUSH_EVERY = 16_384
"""Changes after which the write-ahead log is cut: 100 MB by then, replayed in 2 s after a crash."""


class LiveShard:
    """Reads, updates and the replacement of one shard, in any number of threads.

    While a copy is being rebuilt, the ids that updates touch are noted. Before the copy takes
    over, the points of these ids are brought to it as they are by then, so nothing is lost and
    it does not matter how often or in what order they changed.
    """

    def __init__(self, folder: ShardFolder, shard: Shard, changes: int) -> None:
        """Serve `shard`, whose graph lacks about `changes` changes."""
        self._folder = folder
        self._shard = shard
        self._in_use = threading.Lock()  # held for one call: nobody uses a shard being replaced
        self._updating = threading.RLock()  # held by an update, and while files are copied
        self._touched: set[UUID] | None = None
        self._unflushed = 0
        self.changes = changes
        self.updated_at = 0.0

    def read(self, call: Callable[[Shard], Answer]) -> Answer:
        """Ask the shard in force. Never waits longer than for another call."""
        with self._in_use:
            return call(self._shard)

    def update(self, ids: Sequence[UUID], call: Callable[[Shard], None]) -> None:
        """Change the points with these ids. Waits while files are copied or shards switched."""
        with self._updating:
            if self._touched is not None:
                self._touched.update(ids)
            self.read(call)
            self.changes += len(ids)
            self.updated_at = time.monotonic()
            self._unflushed += len(ids)
            if self._unflushed >= FLUSH_EVERY:
                self._flush()

    def rebuild(self, build: Callable[[Path], None]) -> None:
        """Put a copy in force whose graph `build` has built, given its folder.

        Searches go on throughout; updates wait while files are copied and for the switch.
        Whatever goes wrong is raised, and the shard that was in force stays.
        """
        path = self._folder.unused()
        try:
            self._copy_to(path)
            build(path)
            old = self._replace_by(path)
        except BaseException:
            remove(path)
            raise
        finally:
            self._touched = None
        old.close()
        self._folder.retire(old.path)

    def close(self) -> None:
        """Write everything to disk and release files."""
        with self._updating, self._in_use:
            try:
                self._shard.flush()
                self._folder.point_to(self._shard.path, self.changes)
            finally:
                self._shard.close()

    def _flush(self) -> None:
        self._shard.flush()
        self._unflushed = 0

    def _copy_to(self, path: Path) -> None:
        with self._updating:
            self._flush()
            copy_tree(self._shard.path, path)
            self._touched = set()

    def _replace_by(self, path: Path) -> Shard:
        fresh = Shard.load(path)
        try:
            caught_up = self._catch_up(fresh)
            fresh.flush()
            with self._updating:
                caught_up += self._bring_touched(fresh)
                return self._switch(fresh, caught_up)
        except BaseException:
            fresh.close()
            raise

    def _catch_up(self, fresh: Shard) -> int:
        brought = 0
        while len(self._touched or ()) > SLICE:
            brought += self._bring_touched(fresh)
        return brought

    def _bring_touched(self, fresh: Shard) -> int:
        with self._updating:
            ids, self._touched = list(self._touched or ()), set()
        for part in sliced(ids, SLICE):
            self._bring(part, fresh)
        return len(ids)

    def _bring(self, ids: Sequence[UUID], fresh: Shard) -> None:
        points = self.read(lambda shard: shard.points(ids))
        fresh.upsert(list(points.values()))
        fresh.delete([point_id for point_id in ids if point_id not in points])

    def _switch(self, fresh: Shard, changes: int) -> Shard:
        with self._in_use:
            self._folder.point_to(fresh.path, changes)
            old, self._shard = self._shard, fresh
            self.changes = changes
        return old
