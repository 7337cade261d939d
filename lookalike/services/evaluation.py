"""How good the neighbours are, measured on pictures that people have sorted into folders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from lookalike.services import reranking
from lookalike.services.errors import InvalidRequestError
from lookalike.services.imaging.limits import Limits
from lookalike.services.labelled import (
    Embedded,
    Failure,
    LabelledFile,
    embed_files,
    labelled_files,
)
from lookalike.services.models import DEFAULT_LIBRARY
from lookalike.services.ports import Embedder, VectorCollection, VectorQuery, VectorStore
from lookalike.services.ranking import Scores, leave_one_out
from lookalike.services.records import (
    CollectionSpec,
    Distance,
    Hit,
    ModelDefinition,
    Orientation,
    Payload,
    Point,
    Vector,
    Vectors,
)

Searching: TypeAlias = Callable[[VectorCollection, VectorQuery, Distance], list[Hit]]

EXAMPLES = 24
SHOWN = 8

_PAYLOAD = Payload(DEFAULT_LIBRARY, (), "jpeg", Orientation.SQUARE, 1, 1, 1, None, 0.0, {})


@dataclass(frozen=True, slots=True)
class ClassQuality:
    """How well the pictures of one class find each other. `mean_average_precision` is 0 to 1."""

    name: str
    pictures: int
    mean_average_precision: float


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A picture that was found, and how alike it is by the score of `records.Distance`."""

    file: LabelledFile
    score: float


@dataclass(frozen=True, slots=True)
class Example:
    """A picture that searched, and its first neighbours, best first."""

    file: LabelledFile
    neighbours: tuple[Neighbour, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What `evaluate` measured. Precisions are means over the queries, 0 to 1.

    `pictures` were embedded; `queries` of them searched among all others; `alone` did not,
    because they are the only one of their class. `classes` are those with queries, by name.
    `pictures_per_second` counts decoding and the forward pass, not loading the model.
    `examples` are the first picture of each class, the same whatever the model.
    """

    model: str
    reranked: bool
    recipe: str
    distance: str
    bytes_per_vector: int
    pictures_per_second: float
    pictures: int
    queries: int
    alone: int
    precision_at_1: float
    precision_at_5: float
    precision_at_10: float
    mean_average_precision: float
    classes: tuple[ClassQuality, ...]
    failures: tuple[Failure, ...]
    examples: tuple[Example, ...]

    @property
    def title(self) -> str:
        """The model, and whether its neighbours were re-ranked."""
        return f"{self.model}, re-ranked" if self.reranked else self.model

    def as_dict(self) -> dict[str, object]:
        """The report as JSON-ready values, with the measures under their usual names."""
        return {
            "model": self.model,
            "reranked": self.reranked,
            "recipe": self.recipe,
            "distance": self.distance,
            "bytes_per_vector": self.bytes_per_vector,
            "pictures_per_second": round(self.pictures_per_second, 1),
            "pictures": self.pictures,
            "queries": self.queries,
            "alone": self.alone,
            "P@1": self.precision_at_1,
            "P@5": self.precision_at_5,
            "P@10": self.precision_at_10,
            "mAP": self.mean_average_precision,
            "classes": {
                one.name: {"pictures": one.pictures, "mAP": one.mean_average_precision}
                for one in self.classes
            },
            "failures": [
                {"filename": one.filename, "code": one.code, "message": one.message}
                for one in self.failures
            ],
        }


def evaluate(
    folder: Path,
    embedder: Embedder,
    limits: Limits,
    store: VectorStore,
    progress: Callable[[int, int], None],
    rerank: bool = False,
) -> list[Report]:
    """Let every picture below `folder` search among all others; a hit is one of its class.

    The searches go through a collection of `store`, as those of the platform do, comparing with
    every picture; it is dropped at the end. With `rerank`, a second report is of the same searches
    with re-ranking. Folder, failures and `progress` are those of
    `labelled`. Raises InvalidRequestError if the folder is not laid out so, or if no class has
    two pictures that can be read; UnavailableError if the model cannot be used.
    """
    embedded = embed_files(labelled_files(folder), embedder, limits, progress)
    names, classes = np.unique([file.label for file in embedded.files], return_inverse=True)
    if len(names) == len(classes):
        raise InvalidRequestError(
            "No class has two pictures that can be read, so there is nothing to measure. Put at "
            "least two pictures into each sub-folder.",
            unread=len(embedded.failures),
        )
    made_by = embedder.definition
    collection = store.open("evaluated", CollectionSpec(made_by.dimensions, made_by.distance))
    try:
        collection.upsert(list(_points(embedded.vectors)))
        searches = [_plainly, _reranked] if rerank else [_plainly]
        return [_report(made_by, embedded, classes, collection, one) for one in searches]
    finally:
        store.drop("evaluated")


def _points(vectors: Vectors) -> Iterator[Point]:
    """A point for each row. Its id is the row's number, so that ties come in their order."""
    return (Point(UUID(int=row), vector, _PAYLOAD) for row, vector in enumerate(vectors))


def _report(
    model: ModelDefinition,
    embedded: Embedded,
    classes: NDArray[np.intp],
    collection: VectorCollection,
    search: Searching,
) -> Report:
    def others(row: int, limit: int = len(classes)) -> list[Hit]:
        query = _query(embedded.vectors[row], row, limit)
        return search(collection, query, model.distance)

    scores = leave_one_out(classes, lambda row: np.array([hit.id.int for hit in others(row)]))
    asked = [
        int(scores.queries[classes[scores.queries] == one][0]) for one in _seen(scores, classes)
    ]
    return Report(
        model=model.name,
        reranked=search is _reranked,
        recipe=model.steps,
        distance=model.distance,
        bytes_per_vector=model.dimensions * embedded.vectors.itemsize,
        pictures_per_second=len(embedded.files) / embedded.seconds,
        pictures=len(embedded.files),
        queries=len(scores.queries),
        alone=len(embedded.files) - len(scores.queries),
        precision_at_1=float(scores.precision_at_1.mean()),
        precision_at_5=float(scores.precision_at_5.mean()),
        precision_at_10=float(scores.precision_at_10.mean()),
        mean_average_precision=float(scores.average_precision.mean()),
        classes=tuple(_classes(embedded.files, scores)),
        failures=embedded.failures,
        examples=tuple(_example(embedded.files, row, others(row, SHOWN)) for row in asked),
    )


def _query(vector: Vector, row: int, limit: int) -> VectorQuery:
    itself = frozenset({UUID(int=row)})
    return VectorQuery(DEFAULT_LIBRARY, [vector], without=itself, limit=limit, exact=True)


def _plainly(collection: VectorCollection, query: VectorQuery, _: Distance) -> list[Hit]:
    return collection.search(query)


_reranked = reranking.search


def _seen(scores: Scores, classes: NDArray[np.intp]) -> NDArray[np.intp]:
    """The first classes that searched."""
    return np.unique(classes[scores.queries])[:EXAMPLES]


def _example(files: Sequence[LabelledFile], row: int, hits: Sequence[Hit]) -> Example:
    return Example(files[row], tuple(Neighbour(files[hit.id.int], hit.score) for hit in hits))


def _classes(files: Sequence[LabelledFile], scores: Scores) -> Iterator[ClassQuality]:
    """One row a query in, one item a class out: all pictures of a class search, or none."""
    labels = np.array([files[row].label for row in scores.queries])
    for name in np.unique(labels):
        own = scores.average_precision[labels == name]
        yield ClassQuality(str(name), len(own), float(own.mean()))
