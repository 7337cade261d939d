"""How good the neighbours are, measured on pictures that people have sorted into folders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from lookalike.services import centring, reranking
from lookalike.services.errors import InvalidRequestError
from lookalike.services.imaging.limits import Limits
from lookalike.services.labelled import (
    Embedded,
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
from lookalike.services.reports import ClassQuality, Example, Neighbour, Report

Searching: TypeAlias = Callable[[VectorCollection, VectorQuery, Distance], list[Hit]]

EXAMPLES = 24
SHOWN = 8

_PAYLOAD = Payload(DEFAULT_LIBRARY, (), "jpeg", Orientation.SQUARE, 1, 1, 1, None, 0.0, {})


def evaluate(
    folder: Path,
    embedder: Embedder,
    limits: Limits,
    store: VectorStore,
    progress: Callable[[int, int], None],
    rerank: bool = False,
    centred: bool = False,
) -> list[Report]:
    """Let every picture below `folder` search among all others; a hit is one of its class.

    The searches go through a collection of `store`, as those of the platform do, comparing with
    every picture; it is dropped at the end. With `rerank`, a second report is of the same searches
    with re-ranking. With `centred`, more reports are of the vectors without their mean. Folder,
    failures and `progress` are those of `labelled`. Raises InvalidRequestError if the folder is
    not laid out so, if no class has two pictures that can be read, or if `centring` refuses the
    model or so few pictures; UnavailableError if the model cannot be used.
    """
    plain = embedder.definition
    models = [plain, centring.centred(plain)] if centred else [plain]
    embedded = embed_files(labelled_files(folder), embedder, limits, progress)
    searches = [_plainly, _reranked] if rerank else [_plainly]
    return [
        report
        for model in models
        for report in _reports(model, _vectors_of(model, embedded), store, searches)
    ]


def _vectors_of(model: ModelDefinition, embedded: Embedded) -> Embedded:
    if not model.centred:
        return embedded
    mean = centring.fit(embedded.vectors)
    return replace(embedded, vectors=centring.centre(embedded.vectors, mean))


def _reports(
    model: ModelDefinition, embedded: Embedded, store: VectorStore, searches: Sequence[Searching]
) -> list[Report]:
    """One report for each way of searching."""
    classes = _classes_of(embedded)
    collection = store.open("evaluated", CollectionSpec(model.dimensions, model.distance))
    try:
        collection.upsert(list(_points(embedded.vectors)))
        return [_report(model, embedded, classes, collection, one) for one in searches]
    finally:
        store.drop("evaluated")


def _classes_of(embedded: Embedded) -> NDArray[np.intp]:
    """The class of each row, as a number. Raises InvalidRequestError if all are different."""
    names, classes = np.unique([file.label for file in embedded.files], return_inverse=True)
    if len(names) == len(classes):
        raise InvalidRequestError(
            "No class has two pictures that can be read, so there is nothing to measure. Put at "
            "least two pictures into each sub-folder.",
            unread=len(embedded.failures),
        )
    return classes


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
        centred=model.centred,
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
