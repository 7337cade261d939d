"""Settings become services. The only file that knows which adapter stands behind which port."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

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
from lookalike.services.db import Database
from lookalike.services.errors import UnavailableError
from lookalike.services.importing.reading import Opener
from lookalike.services.platform import Parts, Platform, assemble, limits_of
from lookalike.services.ports import (
    BlobStore,
    Embedders,
    VectorStore,
)
from lookalike.services.settings import Settings
from lookalike.services.sources.opening import open_source
from lookalike.services.sources.ports import Tools
from lookalike.services.sources.records import SourceLimits

log = structlog.get_logger(__name__)

MOST_READS = 8
"""Searches of one process that the vector store has in hand at once."""

START_SECONDS = 40.0
"""Less than gunicorn gives a process to start, and than supervisors wait to start another."""


def embedders_of(settings: Settings, *, background: bool = False) -> Embedders:
    """The models that can be used with these settings; loads none. See `bootstrap`."""
    return ModelRegistry(
        precision=settings.precision,
        forward_batch=settings.forward_batch,
        cache_dir=settings.cache_dir or settings.data_dir / "cache",
        device=settings.device,
        weights=settings.weights,
        weights_url=settings.weights_url,
        background=background,
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
        bucket=partial(_bucket, settings, setting="LOOKALIKE_IMPORT_BUCKETS"),
        buckets=settings.import_buckets,
    )
    return partial(open_source, roots=settings.import_roots, limits=limits, tools=tools)


def bootstrap(settings: Settings, *, background: bool = False) -> Platform:
    """Connect to the servers that the settings name, or open the data folder, and wire it all.

    In the `background` are processes that index: what they compute steps aside for whoever wants
    the machine, their own searches first. Whoever runs everything in one process must own the data
    folder. Raises a LookalikeError that says what to do when a part cannot be had.
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
            embedders=embedders_of(settings, background=background),
            decoder=ProcessDecoder(
                limits_of(settings),
                settings.decode_processes,
                settings.decode_seconds,
                settings.decode_megabytes,
                background=background,
            ),
            opener=opener_of(settings),
        ),
    )


def bootstrap_patiently(
    settings: Settings, seconds: float = START_SECONDS, *, background: bool = False
) -> Platform:
    """`bootstrap`, waiting so long for servers that start at the same time or are restarted."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return bootstrap(settings, background=background)
        except UnavailableError as error:
            if time.monotonic() > deadline:
                raise
            log.warning("not_started_yet", reason=error.message)
            time.sleep(1)


def _bucket(settings: Settings, url: str, setting: str = "LOOKALIKE_BLOB_URL") -> S3Blobs:
    return S3Blobs(
        url,
        endpoint=settings.s3_endpoint,
        region=settings.s3_region,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key.get_secret_value(),
        setting=setting,
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
            # Half of the threads stay free when the store is slow.
            reads_at_once=max(1, min(MOST_READS, settings.web_threads // 2)),
            write_seconds=settings.qdrant_write_seconds,
        )
    )
