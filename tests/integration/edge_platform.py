"""A platform on SQLite, Qdrant Edge and a folder, with a network and a queue in hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from lookalike.services.adapters.decoding.inline import InlineDecoder
from lookalike.services.adapters.edge.store import EdgeStore
from lookalike.services.adapters.folder_blobs import FolderBlobs
from lookalike.services.bootstrap import opener_of
from lookalike.services.db import Database
from lookalike.services.intake import Upload
from lookalike.services.labels import Labels
from lookalike.services.platform import Parts, Platform, assemble, limits_of
from lookalike.services.ports import BlobStore, VectorCollection, VectorStore
from lookalike.services.search import SearchRequest
from lookalike.services.settings import Settings
from tests.fake_embedder import FakeEmbedders
from tests.platforms import HandQueue, small

TOP = 10

Neighbours = list[tuple[UUID, float]]


@dataclass(frozen=True)
class EdgePlatform:
    """The services, and a hand on what stands behind their ports."""

    platform: Platform
    folder: Path
    db: Database
    blobs: BlobStore
    store: VectorStore
    queue: HandQueue

    @property
    def vectors(self) -> VectorCollection:
        """The live index's collection."""
        return self.platform.indexes.live().collection

    def add(self, seeds: Sequence[int], library: str = "main") -> list[UUID]:
        """Bring in and index the small pictures of these seeds, with tags and attributes."""
        ids = [self._add(seed, library) for seed in seeds]
        self.work()
        return ids

    def work(self) -> None:
        """Index every batch that is queued."""
        while self.queue.batches:
            self.platform.indexing.index(self.queue.batches.pop(0))

    def neighbours(self, ids: Sequence[UUID], library: str = "main") -> list[Neighbours]:
        """For each of these pictures the exact ten best, with their scores to six places."""
        answers = []
        for picture_id in ids:
            request = SearchRequest(library, like=[picture_id], limit=TOP, exact=True)
            results = self.platform.search.search(request).results
            answers.append([(one.shown.picture.id, round(one.score, 6)) for one in results])
        return answers

    def _add(self, seed: int, library: str) -> UUID:
        labels = Labels(
            title=f"Number {seed}",
            tags=[f"third {seed % 3}", "été"],
            attributes={"seed": seed, "half": seed / 2, "even": seed % 2 == 0, "word": str(seed)},
        )
        with self.platform.staging.new() as staged:
            staged.write(small(seed))
            [accepted] = self.platform.intake.add([Upload(f"{seed}.jpg", staged)], library, labels)
        return accepted.id


@contextmanager
def edge_platform(
    folder: Path,
    blobs: BlobStore | None = None,
    store: VectorStore | None = None,
    **settings: Any,
) -> Iterator[EdgePlatform]:
    """A platform for as long as the block lasts, in the data folder where nothing else is given."""
    chosen = Settings(_env_file=None, data_dir=folder, model="fake", **settings)
    folder.mkdir(parents=True, exist_ok=True)
    parts = Parts(
        db=Database(chosen.sql_url),
        blobs=blobs or FolderBlobs(folder / "blobs"),
        store=store or EdgeStore(folder / "vectors"),
        queue=HandQueue(),
        embedders=FakeEmbedders(),
        decoder=InlineDecoder(limits_of(chosen)),
        opener=opener_of(chosen),
    )
    platform = assemble(chosen, parts)
    try:
        yield EdgePlatform(platform, folder, parts.db, parts.blobs, parts.store, parts.queue)
    finally:
        platform.close()
