"""Settings become services. The only file that knows which adapter stands behind which port."""

from __future__ import annotations

from dataclasses import dataclass

from lookalike.services.adapters.celery_queue import CeleryQueue
from lookalike.services.adapters.edge.store import EdgeStore
from lookalike.services.adapters.embedding.registry import ModelRegistry
from lookalike.services.adapters.folder_blobs import FolderBlobs
from lookalike.services.db import Database
from lookalike.services.imaging.limits import Limits
from lookalike.services.indexes import Indexes
from lookalike.services.indexing import Indexing, Workload
from lookalike.services.intake import Intake
from lookalike.services.libraries import Libraries
from lookalike.services.outbox import Outbox
from lookalike.services.pictures import Pictures
from lookalike.services.ports import BlobStore, Embedders, IndexQueue, VectorStore
from lookalike.services.recovery import Recovery
from lookalike.services.search import Search
from lookalike.services.settings import Settings
from lookalike.services.staging import Staging
from lookalike.services.status import Status
from lookalike.services.thumbnails import Thumbnails


@dataclass(frozen=True, slots=True)
class Parts:
    """What stands behind the ports, and the database."""

    db: Database
    blobs: BlobStore
    store: VectorStore
    queue: IndexQueue
    embedders: Embedders


@dataclass(frozen=True, slots=True)
class Platform:
    """Every service of one process, wired."""

    settings: Settings
    limits: Limits
    embedders: Embedders
    staging: Staging
    indexes: Indexes
    libraries: Libraries
    intake: Intake
    pictures: Pictures
    thumbnails: Thumbnails
    indexing: Indexing
    search: Search
    status: Status
    recovery: Recovery
    _parts: Parts

    def close(self) -> None:
        """Release files, threads and connections."""
        self._parts.store.close()
        self._parts.queue.close()
        self._parts.db.close()


def limits_of(settings: Settings) -> Limits:
    """How much picture these settings accept."""
    return Limits(
        max_bytes=settings.max_file_bytes,
        max_pixels=settings.max_megapixels * 1_000_000,
        min_side=settings.min_side,
    )


def embedders_of(settings: Settings) -> Embedders:
    """The models that can be used with these settings; loads none."""
    return ModelRegistry(
        precision=settings.precision,
        forward_batch=settings.forward_batch,
        cache_dir=settings.cache_dir or settings.data_dir / "cache",
    )


def bootstrap(settings: Settings) -> Platform:
    """Open the data folder, which the caller must own, and wire every service.

    Raises a LookalikeError that says what to do when a part cannot be had.
    """
    data = settings.data_dir
    return assemble(
        settings,
        Parts(
            db=Database(settings.sql_url),
            blobs=FolderBlobs(data / "blobs"),
            store=EdgeStore(data / "vectors"),
            queue=CeleryQueue(settings.broker_url, settings.task_batch),
            embedders=embedders_of(settings),
        ),
    )


def assemble(settings: Settings, parts: Parts) -> Platform:
    """Wire every service to these parts.

    Brings the database up to date and makes the default library and the live index if they are
    not there.
    """
    db, blobs, limits = parts.db, parts.blobs, limits_of(settings)
    db.migrate()
    indexes = Indexes(db, parts.store, parts.embedders)
    outbox = Outbox(db, indexes, blobs)
    libraries = Libraries(db)
    pictures = Pictures(db, blobs, outbox)
    workload = Workload(settings.forward_batch, settings.decode_threads, settings.thumbnail_side)
    libraries.ensure_default()
    indexes.ensure_live(settings.model)
    return Platform(
        settings=settings,
        limits=limits,
        embedders=parts.embedders,
        staging=Staging(settings.data_dir / "staging", limits.max_bytes),
        indexes=indexes,
        libraries=libraries,
        intake=Intake(db, blobs, parts.queue, limits),
        pictures=pictures,
        thumbnails=Thumbnails(blobs, limits, settings.thumbnail_side),
        indexing=Indexing(db, blobs, indexes, outbox, limits, workload),
        search=Search(indexes, pictures, libraries, blobs, limits),
        status=Status(db, pictures, indexes, parts.queue),
        recovery=Recovery(db, parts.queue, outbox),
        _parts=parts,
    )
