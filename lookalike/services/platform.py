"""All services of one process, wired to the parts behind their ports."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from lookalike.services.archive.backup import Backup
from lookalike.services.archive.restore import Restore, Stores
from lookalike.services.consistency.checking import Checking
from lookalike.services.consistency.repairing import Repairing
from lookalike.services.courtesy import Courtesy
from lookalike.services.db import Database
from lookalike.services.failures import Failures
from lookalike.services.garbage import keep_what_is_loaded
from lookalike.services.imaging.limits import Limits
from lookalike.services.importing.bringing import Bringing
from lookalike.services.importing.carrying import Carrying
from lookalike.services.importing.claims import Claims
from lookalike.services.importing.files import Files
from lookalike.services.importing.jobs import Imports
from lookalike.services.importing.judging import Judging
from lookalike.services.importing.reading import Opener, Readers
from lookalike.services.importing.receiving import Receiving
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
from lookalike.services.staging import Staging
from lookalike.services.status import Status
from lookalike.services.sweeping import Sweeping
from lookalike.services.thumbnails import Thumbnails


class TaskQueue(IndexQueue, WorkQueue, Protocol):
    """What hands every kind of work to workers."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What stands behind the ports, and the database."""

    db: Database
    blobs: BlobStore
    store: VectorStore
    queue: TaskQueue
    embedders: Embedders
    decoder: Decoder
    opener: Opener


@dataclass(frozen=True, slots=True)
class Platform:
    """Every service of one process, wired."""

    settings: Settings
    limits: Limits
    courtesy: Courtesy
    embedders: Embedders
    staging: Staging
    indexes: Indexes
    reindexing: Reindexing
    building: Building
    libraries: Libraries
    intake: Intake
    imports: Imports
    receiving: Receiving
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
        """Start what the first picture would otherwise wait for, without waiting for it."""
        self._parts.decoder.warm()
        keep_what_is_loaded()

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


def assemble(settings: Settings, parts: Parts) -> Platform:
    """Wire every service to these parts.

    Brings the database up to date and makes the default library and the live index if they are
    not there.
    """
    db, blobs, store = parts.db, parts.blobs, parts.store
    db.migrate()
    ground = _ground(settings, parts)
    imports, receiving, carrying, import_files = _importing(settings, parts, ground)
    reindexing, building = _reindexing(settings, parts, ground)
    indexes, outbox, thumbnails = ground.indexes, ground.outbox, ground.thumbnails
    ground.libraries.ensure_default()
    indexes.ensure_live(settings.model)
    return Platform(
        settings=settings,
        limits=ground.limits,
        courtesy=ground.courtesy,
        embedders=parts.embedders,
        staging=ground.staging,
        indexes=indexes,
        reindexing=reindexing,
        building=building,
        libraries=ground.libraries,
        intake=ground.intake,
        imports=imports,
        receiving=receiving,
        carrying=carrying,
        pictures=ground.pictures,
        thumbnails=thumbnails,
        indexing=Indexing(
            db,
            blobs,
            indexes,
            outbox,
            parts.decoder,
            ground.limits,
            ground.courtesy,
            ground.workload,
        ),
        search=_search(parts, ground),
        recall=Recall(db),
        failures=Failures(db, parts.queue),
        status=Status(db, ground.pictures, indexes, parts.queue, blobs),
        resources=Resources(settings, parts.queue),
        sweeping=Sweeping(
            db,
            parts.queue,
            outbox,
            indexes,
            carrying,
            building,
            import_files,
            Replaying(db, indexes),
            forgotten=2 * ground.workload.lease,
        ),
        checking=Checking(db, blobs, store),
        repairing=Repairing(
            db, blobs, store, parts.queue, outbox, thumbnails, owns_vectors=not settings.qdrant_url
        ),
        backup=Backup(db, blobs, indexes),
        restore=Restore(
            Stores(db, blobs, store, parts.queue, parts.embedders),
            indexes,
            outbox,
            thumbnails,
            settings.data_dir / "staging",
        ),
        _outbox=outbox,
        _sampling=ground.sampling,
        _parts=parts,
    )


@dataclass(frozen=True, slots=True)
class _Ground:
    """What several services stand on."""

    limits: Limits
    courtesy: Courtesy
    workload: Workload
    indexes: Indexes
    outbox: Outbox
    libraries: Libraries
    pictures: Pictures
    thumbnails: Thumbnails
    staging: Staging
    intake: Intake
    sampling: Sampling
    slot: threading.Lock = field(default_factory=threading.Lock)


def _ground(settings: Settings, parts: Parts) -> _Ground:
    db, blobs, limits = parts.db, parts.blobs, limits_of(settings)
    indexes = Indexes(db, parts.store, parts.embedders, settings.storage)
    outbox = Outbox(db, indexes, blobs)
    return _Ground(
        limits=limits,
        courtesy=Courtesy(),
        workload=_workload(settings),
        indexes=indexes,
        outbox=outbox,
        libraries=Libraries(db),
        pictures=Pictures(db, blobs, outbox),
        thumbnails=Thumbnails(blobs, parts.decoder, limits, settings.thumbnail_side),
        staging=Staging(settings.data_dir / "staging", limits.max_bytes),
        intake=Intake(db, blobs, parts.queue, limits),
        sampling=Sampling(db, settings.recall_sample_seconds),
    )


def _workload(settings: Settings) -> Workload:
    # One thread more than processes, so that none of these waits for its next picture.
    threads, lease = settings.decode_processes + 1, timedelta(seconds=settings.lease_seconds)
    return Workload(threads, settings.thumbnail_side, lease)


def _search(parts: Parts, ground: _Ground) -> Search:
    return Search(
        ground.indexes,
        ground.pictures,
        ground.libraries,
        parts.blobs,
        parts.decoder,
        ground.limits,
        ground.sampling,
    )


def _importing(
    settings: Settings, parts: Parts, ground: _Ground
) -> tuple[Imports, Receiving, Carrying, Files]:
    db, staging, workload = parts.db, ground.staging, ground.workload
    judging = Judging(db, ground.indexes, parts.decoder, ground.limits, ground.courtesy, workload)
    files, readers = Files(db, parts.blobs), Readers(parts.opener, parts.blobs)
    claims = Claims(db, workload.lease)
    carrying = Carrying(
        claims,
        parts.queue,
        readers,
        files,
        Bringing(
            db,
            claims,
            readers,
            staging,
            ground.intake,
            ground.courtesy,
            settings.import_pending,
        ),
        Rehearsing(db, claims, readers, staging, judging),
        Undoing(db, claims, ground.outbox),
        ground.slot,
    )
    imports = Imports(db, parts.queue, parts.queue, parts.opener, files)
    return imports, Receiving(db, ground.intake, judging), carrying, files


def _reindexing(settings: Settings, parts: Parts, ground: _Ground) -> tuple[Reindexing, Building]:
    db, indexes, threads = parts.db, ground.indexes, ground.workload.decode_threads
    claims = IndexClaims(db, ground.workload.lease)
    feeding = Feeding(db, claims, parts.queue, settings.import_pending)
    fitting = Fitting(db, parts.blobs, parts.decoder, ground.limits, threads)
    measuring = Measuring(db, indexes)
    switching = Switching(db, claims, indexes, measuring)
    reindexing = Reindexing(
        db,
        claims,
        parts.queue,
        parts.store,
        parts.embedders,
        feeding,
        switching,
        settings.storage,
    )
    building = Building(
        db,
        claims,
        parts.queue,
        indexes,
        feeding,
        fitting,
        measuring,
        switching,
        ground.courtesy,
        ground.slot,
    )
    return reindexing, building
