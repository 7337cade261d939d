"""A whole platform on fakes: real services, SQL and files; vectors, network and queue in hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from lookalike.services.adapters.decoding.inline import InlineDecoder
from lookalike.services.adapters.folder_blobs import FolderBlobs
from lookalike.services.blobs import original_key
from lookalike.services.bootstrap import opener_of
from lookalike.services.db import Database
from lookalike.services.errors import ConfigurationError, UnavailableError
from lookalike.services.filters import parse_filter
from lookalike.services.indexes import live_index
from lookalike.services.intake import Accepted, Rejected, Upload
from lookalike.services.labels import Labels
from lookalike.services.models import State
from lookalike.services.pictures import Shown
from lookalike.services.platform import Parts, Platform, assemble, limits_of
from lookalike.services.ports import VectorQuery, Worker
from lookalike.services.records import CollectionSpec, Queue
from lookalike.services.search import Answer, SearchRequest
from lookalike.services.settings import Settings
from tests.factories import picture
from tests.fake_embedder import FakeEmbedder, FakeEmbedders
from tests.fakes import MemoryVectorStore

OUTAGE = UnavailableError("It is down.")


class HandQueue:
    """The queues of a platform; what is put waits until a test works it off. It may be down."""

    def __init__(self) -> None:
        self.batches: list[list[UUID]] = []
        self.queues: list[Queue] = []
        self.imports: list[tuple[UUID, UUID]] = []
        self.builds: list[tuple[UUID, UUID]] = []
        self.down = False
        self.problem = ""

    def put(self, picture_ids: Sequence[UUID], queue: Queue = Queue.INTERACTIVE) -> None:
        """As the port promises."""
        self._answer()
        if picture_ids:
            self.batches.append(list(picture_ids))
            self.queues.append(queue)

    def put_import(self, import_id: UUID, ticket: UUID, delay: float, /) -> None:
        """As `WorkQueue` promises."""
        self._answer()
        self.imports.append((import_id, ticket))

    def put_build(self, index_id: UUID, ticket: UUID, delay: float, /) -> None:
        """As `WorkQueue` promises."""
        self._answer()
        self.builds.append((index_id, ticket))

    def waiting(self) -> dict[Queue, int]:
        """As the port promises."""
        self._answer()
        return {Queue.INTERACTIVE: len(self.batches), Queue.BULK: 0}

    def workers(self) -> list[Worker]:
        """As the port promises."""
        self._answer()
        return [Worker("hand@localhost", 100_000_000)]

    def check(self) -> None:
        """As the port promises."""
        if self.problem:
            raise ConfigurationError(self.problem)

    def close(self) -> None:
        """As the port promises."""

    def _answer(self) -> None:
        if self.down:
            raise OUTAGE


class Watched:
    """Passes every call on to `inner`.

    `before` and `after` name methods and what to do around the next call of them, once. While
    `failure` is set, every call raises it.
    """

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.before: dict[str, Callable[[], object]] = {}
        self.after: dict[str, Callable[[], object]] = {}
        self.failure: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self.inner, name)
        if not callable(attribute):
            return attribute

        def call(*arguments: Any, **options: Any) -> Any:
            if self.failure is not None:
                raise self.failure
            self.before.pop(name, bool)()
            result = attribute(*arguments, **options)
            self.after.pop(name, bool)()
            return result

        return call


class WatchedStore(MemoryVectorStore):
    """Vectors in memory, each collection watched."""

    def __init__(self) -> None:
        super().__init__()
        self.watched: dict[str, Watched] = {}

    def open(self, name: str, spec: CollectionSpec) -> Any:
        """As the port promises."""
        return self.watched.setdefault(name, Watched(super().open(name, spec)))


@dataclass(frozen=True)
class World:
    """A platform, and a hand on everything that stands behind its ports."""

    platform: Platform
    folder: Path
    db: Database
    queue: HandQueue
    blobs: Watched
    store: WatchedStore
    embedder: Watched

    @property
    def vectors(self) -> Watched:
        """The live index's collection."""
        with self.db.read() as session:
            return self.store.watched[live_index(session).collection]

    def offer(
        self, *files: bytes | tuple[str, bytes], library: str = "main", **labels: Any
    ) -> list[Accepted | Rejected]:
        """Offer files, or pairs of name and file, to the intake."""
        uploads = []
        for number, file in enumerate(files):
            name, data = (f"{number}.jpg", file) if isinstance(file, bytes) else file
            staged = self.platform.staging.new()
            staged.write(data)
            uploads.append(Upload(name, staged))
        try:
            return self.platform.intake.add(uploads, library, Labels(**labels))
        finally:
            for upload in uploads:
                upload.staged.close()

    def add(self, *files: bytes, **options: Any) -> list[UUID]:
        """Offer files that are all accepted; they are pending."""
        outcomes = self.offer(*files, **options)
        return [one.id for one in outcomes if isinstance(one, Accepted)]

    def work(self) -> None:
        """Index every batch that is queued."""
        while self.queue.batches:
            self.platform.indexing.index(self.queue.batches.pop(0))

    def carry(self) -> None:
        """Go on with imports, and index what they bring in, until nothing is queued."""
        while self.queue.imports or self.queue.batches:
            self.work()
            if self.queue.imports:
                self.platform.carrying.go_on(*self.queue.imports.pop(0))

    def step(self) -> None:
        """Index what is queued, and go on with each import once."""
        self.work()
        for ticket in [self.queue.imports.pop(0) for _ in list(self.queue.imports)]:
            self.platform.carrying.go_on(*ticket)

    def build(self) -> None:
        """Go on with what is to be done for indexes until nothing is queued."""
        for _ in range(1000):
            self.work()
            if not self.queue.builds:
                return
            self.platform.building.go_on(*self.queue.builds.pop(0))
        raise AssertionError("it does not come to an end")

    def indexed(self, *files: bytes, **options: Any) -> list[UUID]:
        """Offer files and index them."""
        ids = self.add(*files, **options)
        self.work()
        return ids

    def scenes(self, count: int, **options: Any) -> list[UUID]:
        """So many different pictures, indexed."""
        return self.indexed(*(small(seed) for seed in range(count)), **options)

    def search(self, **request: Any) -> Answer:
        """The answer to this search."""
        return self.platform.search.search(SearchRequest(**request))

    def show(self, picture_id: UUID) -> Shown:
        """The picture as the services show it."""
        return self.platform.pictures.get(picture_id)

    def state(self, picture_id: UUID) -> State:
        """How far the picture is."""
        return self.show(picture_id).state

    def matches(self, picture_id: UUID, library: str = "main", **asked: Any) -> bool:
        """Whether the vector index believes that the picture meets this filter."""
        query = VectorQuery(
            library,
            like=list(self.vectors.vectors([picture_id]).values()),
            conditions=parse_filter(json.dumps(asked, default=str)).conditions(),
            limit=1000,
        )
        return any(hit.id == picture_id for hit in self.vectors.search(query))

    def has_point(self, picture_id: UUID) -> bool:
        """Whether the vector index holds the picture."""
        return bool(self.vectors.vectors([picture_id]))

    def lose_original(self, picture_id: UUID) -> None:
        """Remove the picture's file behind everybody's back."""
        self.blobs.delete(original_key(self.show(picture_id).picture.sha256))

    def blob_names(self) -> set[str]:
        """Every file in the blob store, as kind and hash: `originals/0123...`."""
        root = self.folder / "blobs"
        files = [path for path in root.rglob("*") if path.is_file()]
        return {f"{path.relative_to(root).parts[0]}/{path.stem}" for path in files}

    def staged_files(self) -> list[Path]:
        """What lies in the staging folder."""
        return [path for path in (self.folder / "staging").glob("*/*") if path.is_file()]


def make_world(folder: Path, **settings: Any) -> World:
    """A platform in `folder` with the default settings but these."""
    chosen = Settings(_env_file=None, data_dir=folder, **{"model": "fake", **settings})
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "lookalike.db").exists():
        (folder / "lookalike.db").write_bytes(empty_database())
    db, queue, store = Database(chosen.sql_url), HandQueue(), WatchedStore()
    blobs, embedder = Watched(FolderBlobs(folder / "blobs")), Watched(FakeEmbedder("fake"))
    embedder.inner.forward_batch = chosen.forward_batch or FakeEmbedder.forward_batch
    embedders = FakeEmbedders(embedder, FakeEmbedder("coarse", cells=2))
    decoder = InlineDecoder(limits_of(chosen))
    platform = assemble(
        chosen, Parts(db, blobs, store, queue, embedders, decoder, opener_of(chosen))
    )
    return World(platform, folder, db, queue, blobs, store, embedder)


@cache
def empty_database() -> bytes:
    """A database file with all tables and nothing in them, migrated once for all."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "lookalike.db")
        db = Database(f"sqlite:///{path}")
        db.migrate()
        db.close()
        return path.read_bytes()


def small(seed: int = 0, size: tuple[int, int] = (64, 48), **options: Any) -> bytes:
    """A little picture file, quick to make and to decode."""
    return picture(seed, size, **options)
