"""What the platform takes: disk by part, free disk, memory of this server and of workers."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from lookalike.services.disk import disk_usage
from lookalike.services.errors import UnavailableError
from lookalike.services.memory import held_memory
from lookalike.services.models import now
from lookalike.services.ports import IndexQueue, Worker
from lookalike.services.settings import Settings

log = structlog.get_logger(__name__)

KEPT_SECONDS = 60.0
"""How long one look at the disk is good for."""

TIMES = 20
"""A look may take minutes for millions of files. The next comes so many times later than it took:
looking takes at most a twentieth of the time, however many files there are."""

PATIENCE_SECONDS = 2.0
"""How long whoever asks waits for a look; after that the answer is what the look before gave."""

MOST_WORKERS = 200
"""So many are named, however many there are."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes that each part takes on disk, as of a moment.

    None for a part that lives on a server.
    """

    parts: Mapping[str, int | None]
    measured_at: datetime


@dataclass(frozen=True, slots=True)
class ResourcesReport:
    """All figures are bytes. `usage` is None until the first look at the disk is done.

    `free` and `total` are of the disk with the data folder, `memory` is the main memory that this
    server's processes hold, those that decode too; None where the system does not tell.

    `workers` are processes of their own, `MOST_WORKERS` at most by name; None while the queue does
    not answer. A worker that is a thread of this process is not one of them, as `memory` has what
    it holds.
    """

    usage: Usage | None
    free: int | None
    total: int | None
    memory: int | None
    workers: Sequence[Worker] | None


class Resources:
    """Looks at the disk now and then, when somebody asks, and never twice at once."""

    def __init__(self, settings: Settings, queue: IndexQueue) -> None:
        self._folder = settings.data_dir
        self._parts = _parts(settings)
        self._queue = None if settings.is_embedded else queue
        self._changing = threading.Lock()
        self._usage: Usage | None = None
        self._looking: threading.Thread | None = None
        self._next = float("-inf")
        self._top: int | None = None

    def count_from(self, pid: int) -> None:
        """Let the process `pid`, which started this one, count as this server with all below it.

        For servers of several processes: else each would tell of itself alone.
        """
        self._top = pid

    def report(self, patience: float = PATIENCE_SECONDS) -> ResourcesReport:
        """The figures of this moment; disk use by part is those of a minute ago, or older."""
        with self._changing:
            looking = self._look_if_due()
        if looking is not None:
            looking.join(patience)
        free, total = _disk(self._folder)
        return ResourcesReport(self._usage, free, total, held_memory(self._top), self._workers())

    def _workers(self) -> Sequence[Worker] | None:
        if self._queue is None:
            return ()
        try:
            return self._queue.workers()[:MOST_WORKERS]
        except UnavailableError:
            return None

    def _look_if_due(self) -> threading.Thread | None:
        """The look under way, which begins now if the last one is too old."""
        if self._looking is not None and self._looking.is_alive():
            return self._looking
        if time.monotonic() < self._next:
            return None
        self._looking = threading.Thread(target=self._look, name="disk-usage", daemon=True)
        self._looking.start()
        return self._looking

    def _look(self) -> None:
        started = time.monotonic()
        parts = {
            name: None if paths is None else sum(map(disk_usage, paths))
            for name, paths in self._parts.items()
        }
        self._usage = Usage(parts, now())
        ended = time.monotonic()
        self._next = ended + max(KEPT_SECONDS, TIMES * (ended - started))


def _disk(folder: Path) -> tuple[int | None, int | None]:
    """Free and total bytes of the disk that a folder is, or is going to be, on."""
    try:
        there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
        usage = shutil.disk_usage(there)
    except OSError:
        return None, None
    return usage.free, usage.total


def _parts(settings: Settings) -> dict[str, Sequence[Path] | None]:
    """Where each part lies; None for what lives on a server."""
    folder = settings.data_dir
    database = [folder / f"lookalike.db{ending}" for ending in ("", "-wal", "-shm")]
    blobs = Path(settings.blob_url or folder / "blobs")
    return {
        "sql": None if settings.database_url else database,
        "blobs": None if settings.blob_url.startswith("s3:") else [blobs],
        "vectors": None if settings.qdrant_url else [folder / "vectors"],
        "staging": [folder / "staging"],
        "cache": [settings.cache_dir or folder / "cache"],
    }
