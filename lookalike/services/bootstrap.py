"""Settings become services. The only file that knows which adapter stands behind which port."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import structlog

from lookalike.services.adapters.celery_queue import CeleryQueue
from lookalike.services.adapters.decoding.processes import ProcessDecoder
from lookalike.services.adapters.edge.store import EdgeStore
from lookalike.services.adapters.embedding.registry import ModelRegistry
from lookalike.services.adapters.folder_blobs import FolderBlobs
from lookalike.services.adapters.qdrant_server.options import QdrantOptions
from lookalike.services.adapters.qdrant_server.store import QdrantStore
from lookalike.services.adapters.s3_blobs import S3Blobs
from lookalike.services.adapters.tables.parquet import ParquetTables
from lookalike.services.adapters.url_fetching.fetcher import UrlFetcher
from lookalike.services.archive.backup import Backup
from lookalike.services.archive.restore import Restore, Stores
from lookalike.services.consistency.checking import Checking
from lookalike.services.consistency.repairing import Repairing
from lookalike.services.db import Database
from lookalike.services.errors import UnavailableError
from lookalike.services.failures import Failures
from lookalike.services.imaging.limits import Limits
from lookalike.services.importing.bringing import Bringing
from lookalike.services.importing.carrying import Carrying
from lookalike.services.importing.claims import Claims
from lookalike.services.importing.files import Files
from lookalike.services.importing.jobs import Imports
from lookalike.services.importing.reading import Opener, Readers
from lookalike.services.importing.rehearsing import Rehearsing
from lookalike.services.importing.undoing import Undoing
from lookalike.services.indexes import Indexes
from lookalike.services.indexing import Indexing, Workload
from lookalike.services.intake import Intake
from lookalike.services.libraries import Libraries
from lookalike.services.outbox import Outbox
from lookalike.services.pictures import Pictures
from lookalike.services.ports import (
    BlobStore,
    Decoder,
    Embedders,
    IndexQueue,
    VectorStore,
    WorkQueue,
)
from lookalike.services.recall.reading import Recall
from lookalike.services.recall.replaying import Replaying
from lookalike.services.recall.sampling import Sampling
from lookalike.services.reindexing.building import Building
from lookalike.services.reindexing.claims import Claims as IndexClaims
from lookalike.services.reindexing.feeding import Feeding
from lookalike.services.reindexing.fitting import Fitting
from lookalike.services.reindexing.lifecycle import Reindexing
from lookalike.services.reindexing.measuring import Measuring
from lookalike.services.reindexing.switching import Switching
from lookalike.services.resources import Resources
from lookalike.services.search import Search
from lookalike.services.settings import Settings
from lookalike.services.sources.opening import open_source
from lookalike.services.sources.ports import Tools
from lookalike.services.sources.records import SourceLimits
from lookalike.services.staging import Staging
from lookalike.services.status import Status
from lookalike.services.sweeping import Sweeping
from lookalike.services.thumbnails import Thumbnails


class TaskQueue(IndexQueue, WorkQueue, Protocol):
    """What hands every kind of work to workers."""


log = structlog.get_logger(__name__)

START_SECONDS = 40.0
"""Less than gunicorn gives a process to start, and than supervisors wait to start another."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What stands behind the ports, and the database."""

    db: Database
    blobs: BlobStore
    store: VectorStore
    queue: TaskQueue
    embedders: Embedders
    decoder: Decoder


@dataclass(frozen=True, slots=True)
class Platform:
    """Every service of one process, wired."""

    settings: Settings
    limits: Limits
    embedders: Embedders
    staging: Staging
    indexes: Indexes
    reindexing: Reindexing
    building: Building
    libraries: Libraries
    intake: Intake
    imports: Imports
    carrying: Carrying
    pictures: Pictures
    thumbnails: Thumbnails
    indexing: Indexing
    search: Search
    recall: Recall
    failures: Failures
    status: Status
    resources: Resources
    sweeping: Sweeping
    checking: Checking
    repairing: Repairing
    backup: Backup
    restore: Restore
    _outbox: Outbox
    _sampling: Sampling
    _parts: Parts

    def warm(self) -> None:
        """Start what the first picture would otherwise wait for; returns at once."""
        self._parts.decoder.warm()

    def close(self) -> None:
        """Release files, threads and connections."""
        self.carrying.close()
        self.staging.close()
        self._outbox.close()
        self._sampling.close()
        self._parts.decoder.close()
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
        device=settings.device,
        weights=settings.weights,
        weights_url=settings.weights_url,
    )


@contextmanager
def scratch_vectors() -> Iterator[VectorStore]:
    """An empty vector store of the embedded kind, which is gone afterwards."""
    with TemporaryDirectory(prefix="lookalike-") as folder:
        store = EdgeStore(Path(folder))
        with closing(store):
            yield store


def opener_of(settings: Settings) -> Opener:
    """What opens the sources of imports within the folders and limits of these settings."""
    limits = SourceLimits(max_bytes=settings.max_file_bytes)
    tools = Tools(
        fetcher=UrlFetcher(limits, settings.import_networks),
        tables=ParquetTables(),
        bucket=partial(_bucket, settings),
        buckets=settings.import_buckets,
    )
    return partial(open_source, roots=settings.import_roots, limits=limits, tools=tools)


def bootstrap(settings: Settings) -> Platform:
    """Connect to the servers that the settings name, or open the data folder, and wire it all.

    Whoever runs everything in one process must own the data folder. Raises a LookalikeError that
    says what to do when a part cannot be had.
    """
    if not settings.is_embedded:
        settings.check_servers()
    queue = CeleryQueue(settings.broker_url, settings.task_batch, settings.lease_seconds)
    queue.check()
    return assemble(
        settings,
        Parts(
            db=Database(settings.sql_url),
            blobs=_blobs(settings),
            store=_store(settings),
            queue=queue,
            embedders=embedders_of(settings),
            decoder=ProcessDecoder(
                limits_of(settings),
                settings.decode_processes,
                settings.decode_seconds,
                settings.decode_megabytes,
            ),
        ),
    )


def bootstrap_patiently(settings: Settings, seconds: float = START_SECONDS) -> Platform:
    """`bootstrap`, waiting so long for servers that start at the same time or are restarted."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return bootstrap(settings)
        except UnavailableError as error:
            if time.monotonic() > deadline:
                raise
            log.warning("not_started_yet", reason=error.message)
            time.sleep(1)


def _bucket(settings: Settings, url: str) -> S3Blobs:
    return S3Blobs(
        url,
        endpoint=settings.s3_endpoint,
        region=settings.s3_region,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key.get_secret_value(),
    )


def _blobs(settings: Settings) -> BlobStore:
    if settings.blob_url.startswith("s3:"):
        return _bucket(settings, settings.blob_url)
    return FolderBlobs(Path(settings.blob_url or settings.data_dir / "blobs"))


def _store(settings: Settings) -> VectorStore:
    if not settings.qdrant_url:
        return EdgeStore(settings.data_dir / "vectors")
    return QdrantStore(
        QdrantOptions(
            url=settings.qdrant_url,
            api_key=settings.qdrant_api_key.get_secret_value(),
            shards=settings.qdrant_shards,
            replicas=settings.qdrant_replicas,
            write_consistency=settings.qdrant_write_consistency,
            on_disk=settings.qdrant_on_disk,
            search_seconds=settings.qdrant_search_seconds,
            write_seconds=settings.qdrant_write_seconds,
        )
    )


def assemble(settings: Settings, parts: Parts) -> Platform:
    """Wire every service to these parts.

    Brings the database up to date and makes the default library and the live index if they are
    not there.
    """
    db, blobs, decoder, limits = parts.db, parts.blobs, parts.decoder, limits_of(settings)
    db.migrate()
    indexes = Indexes(db, parts.store, parts.embedders, settings.storage)
    outbox = Outbox(db, indexes, blobs)
    sampling = Sampling(db, settings.recall_sample_seconds)
    libraries = Libraries(db)
    pictures = Pictures(db, blobs, outbox)
    lease = timedelta(seconds=settings.lease_seconds)
    # One thread more than processes, so that none of these waits for its next picture.
    workload = Workload(settings.decode_processes + 1, settings.thumbnail_side, lease)
    thumbnails = Thumbnails(blobs, decoder, limits, settings.thumbnail_side)
    staging = Staging(settings.data_dir / "staging", limits.max_bytes)
    intake = Intake(db, blobs, parts.queue, limits)
    opener, import_files = opener_of(settings), Files(db, blobs)
    claims, readers = Claims(db, lease), Readers(opener, blobs)
    carrying = Carrying(
        claims,
        parts.queue,
        readers,
        import_files,
        Bringing(db, claims, readers, staging, intake, settings.import_pending),
        Rehearsing(db, claims, readers, staging, indexes, decoder, limits, workload),
        Undoing(db, claims, outbox),
    )
    index_claims = IndexClaims(db, lease)
    feeding = Feeding(db, index_claims, parts.queue, settings.import_pending)
    measuring = Measuring(db, indexes)
    switching = Switching(db, index_claims, indexes, measuring)
    building = Building(
        db,
        index_claims,
        parts.queue,
        indexes,
        feeding,
        Fitting(db, blobs, decoder, limits, workload.decode_threads),
        measuring,
        switching,
    )
    libraries.ensure_default()
    indexes.ensure_live(settings.model)
    return Platform(
        settings=settings,
        limits=limits,
        embedders=parts.embedders,
        staging=staging,
        indexes=indexes,
        reindexing=Reindexing(
            db,
            index_claims,
            parts.queue,
            parts.store,
            parts.embedders,
            feeding,
            switching,
            settings.storage,
        ),
        building=building,
        libraries=libraries,
        intake=intake,
        imports=Imports(db, parts.queue, parts.queue, opener, import_files),
        carrying=carrying,
        pictures=pictures,
        thumbnails=thumbnails,
        indexing=Indexing(db, blobs, indexes, outbox, decoder, limits, workload),
        search=Search(indexes, pictures, libraries, blobs, decoder, limits, sampling),
        recall=Recall(db),
        failures=Failures(db, parts.queue),
        status=Status(db, pictures, indexes, parts.queue, blobs),
        resources=Resources(settings),
        sweeping=Sweeping(
            db,
            parts.queue,
            outbox,
            indexes,
            carrying,
            building,
            import_files,
            Replaying(db, indexes),
            forgotten=2 * lease,
        ),
        checking=Checking(db, blobs, parts.store),
        repairing=Repairing(
            db,
            blobs,
            parts.store,
            parts.queue,
            outbox,
            thumbnails,
            owns_vectors=not settings.qdrant_url,
        ),
        backup=Backup(db, blobs, indexes),
        restore=Restore(
            Stores(db, blobs, parts.store, parts.queue, parts.embedders),
            indexes,
            outbox,
            thumbnails,
            settings.data_dir / "staging",
        ),
        _outbox=outbox,
        _sampling=sampling,
        _parts=parts,
    )
