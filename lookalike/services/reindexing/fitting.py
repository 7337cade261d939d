"""Fits the mean of an index that is to be centred, on pictures from all over the library."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import structlog
from sqlalchemy import select

from lookalike.services.blobs import original_key
from lookalike.services.centring import LEAST, SAMPLE, fit
from lookalike.services.db import Database
from lookalike.services.decoding import read_picture
from lookalike.services.errors import PictureError
from lookalike.services.imaging.limits import Limits
from lookalike.services.indexes import OpenIndex
from lookalike.services.models import Picture
from lookalike.services.pipeline import batches
from lookalike.services.ports import BlobStore, Decoder
from lookalike.services.records import Pixels, Recipe, Vector, Vectors

log = structlog.get_logger(__name__)


class Fitting:
    """Computes means from stored pictures."""

    def __init__(
        self, db: Database, blobs: BlobStore, decoder: Decoder, limits: Limits, threads: int
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._decoder = decoder
        self._limits = limits
        self._threads = threads

    def fit(
        self, index: OpenIndex, library: str | None, progress: Callable[[int, int], None]
    ) -> Vector:
        """The mean of a sample of the pictures of `library`, or of all, as the model sees them.

        `progress` is told how many of how many are done, and may raise to stop. Pictures that
        cannot be read are passed over. Raises InvalidRequestError where too few can.
        """
        hashes = self.sample(library)
        parts: list[Vectors] = []
        for part in self._embedded(index, hashes):
            parts.append(part)
            progress(sum(map(len, parts)), len(hashes))
        return fit(np.concatenate(parts) if parts else np.empty((0, LEAST), np.float32))

    def sample(self, library: str | None) -> Sequence[str]:
        """Hashes of the pictures that are used: the same each time, and evenly from everywhere.

        By the order of their hashes, which has nothing to do with what they show.
        """
        query = select(Picture.sha256).order_by(Picture.sha256).limit(SAMPLE)
        if library is not None:
            query = query.where(Picture.library == library)
        with self._db.read() as session:
            return list(dict.fromkeys(session.scalars(query)))

    def _embedded(self, index: OpenIndex, hashes: Sequence[str]) -> Iterator[Vectors]:
        recipe = index.embedder.definition.recipe
        for batch in batches(
            hashes,
            lambda sha256: self._prepared(sha256, recipe),
            index.embedder.forward_batch,
            self._threads,
        ):
            yield index.embedder.embed([pixels for pixels in batch if pixels is not None])

    def _prepared(self, sha256: str, recipe: Recipe) -> Pixels | None:
        try:
            with self._blobs.open(original_key(sha256)) as file:
                data = read_picture(file, self._limits)
            return self._decoder.prepare_query(data, recipe, None)
        except PictureError as error:
            log.info("not_in_the_mean", sha256=sha256, code=error.code)
            return None
