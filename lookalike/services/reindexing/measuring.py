"""Measures an index: counts, bytes, recall and search times by shape of filter, and quality."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from lookalike.services.db import Database
from lookalike.services.indexes import Indexes, OpenIndex
from lookalike.services.models import Index
from lookalike.services.ports import VectorCollection
from lookalike.services.reindexing.comparing import overlap, searches
from lookalike.services.reindexing.counting import count
from lookalike.services.reindexing.figures import Counts, Figures, Searches
from lookalike.services.reindexing.quality import labelled, quality
from lookalike.services.reindexing.queries import Question, questions
from lookalike.services.reindexing.steps import Progress, Steps
from lookalike.services.shapes import Shape

__all__ = ["Counts", "Figures", "Measuring"]


class Measuring:
    """Measures indexes. Changes nothing, and holds nothing while it searches."""

    def __init__(self, db: Database, indexes: Indexes) -> None:
        self._db = db
        self._indexes = indexes

    def measure(
        self,
        index: OpenIndex,
        live: OpenIndex | None,
        library: str | None,
        labels: Sequence[str],
        progress: Progress,
    ) -> Figures:
        """Measure `index`, and compare it with the `live` one where that is another.

        Queries are stored pictures of `library`, or of all, the same ones each time; those that
        are removed meanwhile are passed over. `labels` are tags whose pictures belong together.
        `progress` is told before each query how many of how many are done, and may raise to stop.
        Raises UnavailableError when a part is down.
        """
        other = None if live is None or live.id == index.id else live
        mine, beside = index.collection, None if other is None else other.collection
        asked = questions(self._db, library)
        tagged = {label: labelled(self._db, label, library) for label in labels}
        compared = asked[Shape.UNFILTERED] if beside is not None else []
        parts = [*asked.values(), compared, *(one.questions for one in tagged.values())]
        steps = Steps(progress, sum(map(len, parts)))
        return Figures(
            searches=dict(_searches(mine, asked, steps)),
            overlap=None if beside is None else overlap(mine, beside, compared, steps),
            quality={
                label: quality(self._db, mine, beside, one, steps) for label, one in tagged.items()
            },
            bytes_per_picture=_bytes_per_picture(mine),
            counts=self.count(index, other),
            compared_with=None if other is None else other.id,
        )

    def count(self, index: OpenIndex, live: OpenIndex | None) -> Counts:
        """The counts of this moment. Raises UnavailableError."""
        return count(self._db, index, live)

    def counts_now(self, index_id: UUID) -> Counts:
        """The counts beside the live index, for right before a switch. Raises UnavailableError."""
        with self._db.read() as session:
            row = session.get_one(Index, index_id)
        return self.count(self._indexes.open(row), self._indexes.live())


def _searches(
    collection: VectorCollection, asked: Mapping[Shape, Sequence[Question]], steps: Steps
) -> Iterator[tuple[Shape, Searches]]:
    for shape, questions_of_it in asked.items():
        measured = searches(collection, questions_of_it, steps)
        if measured is not None:
            yield shape, measured


def _bytes_per_picture(collection: VectorCollection) -> float | None:
    used, points = collection.bytes_used(), collection.count()
    return used / points if used is not None and points else None
