"""Decides when a collection's search graph is rebuilt, and has it done in the background."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import structlog

from lookalike.services.adapters.edge.live import LiveShard
from lookalike.services.adapters.edge.rebuild import RebuildStoppedError, rebuild

log = structlog.get_logger(__name__)

REBUILD_FROM = 5_000
"""Changes below which no graph is built: comparing with that many points takes 1 to 3 ms."""

QUIET_SHARE = 0.2
"""Rebuild when this share of the points has changed and updates have paused."""

BUSY_SHARE = 0.5
"""While updates keep coming, wait for this share, so that an import that goes on and on rebuilds
at 5,000, 10,000, 20,000, ... and no more than doubles the work of building once."""

QUIET_SECONDS = 5.0

FIRST_RETRY_SECONDS = 30.0
LAST_RETRY_SECONDS = 3600.0


class GraphBuilder:
    """A thread that keeps the graph of one LiveShard in good order until `close`."""

    def __init__(self, live: LiveShard, rebuild_from: int = REBUILD_FROM) -> None:
        """Start. `rebuild_from` is the least number of changes that is worth a rebuild."""
        self._live = live
        self._rebuild_from = rebuild_from
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._ended = threading.Condition()
        self._waiting = 0
        self._failures = 0
        self._retry_at = 0.0
        self._thread = threading.Thread(target=self._run, name="search graph", daemon=True)
        self._thread.start()

    def notice(self) -> None:
        """Points have changed."""
        if self._live.changes >= self._rebuild_from:
            self._wake.set()

    def wait(self, timeout: float) -> bool:
        """Have every point put into the graph; whether that was done within `timeout` seconds."""
        with self._ended:
            self._waiting += 1
            self._wake.set()
            try:
                self._ended.wait_for(self._is_settled, timeout)
                return not self._live.changes
            finally:
                self._waiting -= 1

    def close(self) -> None:
        """End the thread and the process it may be waiting for."""
        self._stop.set()
        self._wake.set()
        self._thread.join()
        self._tell()

    def _is_settled(self) -> bool:
        return self._stop.is_set() or not self._live.changes

    def _tell(self) -> None:
        with self._ended:
            self._ended.notify_all()

    def _run(self) -> None:
        pause: float | None = 0.0
        while not self._stop.is_set():
            self._wake.wait(pause)
            self._wake.clear()
            if not self._stop.is_set():
                pause = self._look()

    def _look(self) -> float | None:
        """Rebuild if it is time; return the seconds until to look again, None for no need."""
        if (wait := self._retry_at - time.monotonic()) > 0:
            return wait
        self._rebuild_if_due()
        if self._waiting and self._live.changes:
            return 0.0
        return QUIET_SECONDS if self._live.changes >= self._rebuild_from else None

    def _is_due(self) -> bool:
        changes = self._live.changes
        if self._waiting:
            return changes > 0
        busy = time.monotonic() - self._live.updated_at < QUIET_SECONDS
        share = BUSY_SHARE if busy else QUIET_SHARE
        points = self._live.read(lambda shard: shard.size())
        return changes >= max(self._rebuild_from, share * points)

    def _rebuild_if_due(self) -> None:
        try:
            if self._is_due():
                self._live.rebuild(self._build)
                self._failures = 0
        except RebuildStoppedError:
            return
        except Exception as error:  # whatever it was, searching goes on without the graph
            self._postpone(error)
        self._tell()

    def _build(self, path: Path) -> None:
        rebuild(path, self._stop)

    def _postpone(self, error: Exception) -> None:
        delay = min(LAST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2**self._failures)
        self._failures += 1
        self._retry_at = time.monotonic() + delay
        log.warning("graph_rebuild_failed", error=str(error), retry_seconds=delay, exc_info=error)
