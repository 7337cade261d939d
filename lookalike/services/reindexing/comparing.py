"""Searches of an index beside exact ones, and beside those of the live index."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import numpy as np

from lookalike.services.ports import VectorCollection, VectorQuery
from lookalike.services.ranking import NEAREST, recall
from lookalike.services.records import Hit, Vector
from lookalike.services.reindexing.figures import Searches, Times
from lookalike.services.reindexing.queries import Question
from lookalike.services.reindexing.steps import Steps


@dataclass(frozen=True, slots=True)
class _Asked:
    """One query: the recall of its usual search, and how long both took, in milliseconds."""

    recall: float
    usual_ms: float
    exact_ms: float


def searches(
    collection: VectorCollection, questions: Sequence[Question], steps: Steps
) -> Searches | None:
    """Ask each question as usual and exactly; None when none could be asked.

    One that has no neighbour to be found at all says nothing, and is not among the queries.
    """
    asked = [
        measured
        for (query,) in _queries([collection], questions, steps)
        if (measured := _ask(collection, query)) is not None
    ]
    if not asked:
        return None
    return Searches(
        queries=len(asked),
        recall=float(np.mean([one.recall for one in asked])),
        usual=_times([one.usual_ms for one in asked]),
        exact=_times([one.exact_ms for one in asked]),
    )


def overlap(
    collection: VectorCollection,
    live: VectorCollection,
    questions: Sequence[Question],
    steps: Steps,
) -> float | None:
    """The mean share of the first ten results that `live` gives too, 0 to 1.

    None when no question could be asked of both.
    """
    shares = []
    for here, there in _queries([collection, live], questions, steps):
        ids, others = _ids(collection.search(here)), _ids(live.search(there))
        if ids or others:
            shares.append(len(ids & others) / max(len(ids), len(others)))
    return float(np.mean(shares)) if shares else None


def query_of(question: Question, vector: Vector, limit: int = NEAREST) -> VectorQuery:
    """What to ask a collection: neighbours of the picture, without itself."""
    return VectorQuery(
        question.library,
        like=[vector],
        conditions=question.conditions,
        without=frozenset({question.id}),
        limit=limit,
    )


def vectors_of(
    collections: Sequence[VectorCollection], questions: Sequence[Question]
) -> list[dict[UUID, Vector]]:
    """The vectors to ask each collection with, of the pictures that all of them hold."""
    found = [one.vectors([question.id for question in questions]) for one in collections]
    common = set.intersection(*(set(one) for one in found))
    return [{one: vectors[one] for one in common} for vectors in found]


def _queries(
    collections: Sequence[VectorCollection], questions: Sequence[Question], steps: Steps
) -> Iterator[list[VectorQuery]]:
    """For each question, what to ask each collection."""
    vectors = vectors_of(collections, questions)
    for question in steps.each(questions):
        if question.id in vectors[0]:
            yield [query_of(question, one[question.id]) for one in vectors]


def _ask(collection: VectorCollection, query: VectorQuery) -> _Asked | None:
    found, usual_ms = _timed(collection, query)
    exact, exact_ms = _timed(collection, replace(query, exact=True))
    share = recall(exact, found)
    return None if share is None else _Asked(share, usual_ms, exact_ms)


def _timed(collection: VectorCollection, query: VectorQuery) -> tuple[list[Hit], float]:
    started = time.perf_counter()
    hits = collection.search(query)
    return hits, (time.perf_counter() - started) * 1000


def _times(milliseconds: Sequence[float]) -> Times:
    median, p95 = np.percentile(milliseconds, [50, 95])
    return Times(float(median), float(p95))


def _ids(hits: Sequence[Hit]) -> set[UUID]:
    return {hit.id for hit in hits}
