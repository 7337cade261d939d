"""How well pictures that share a tag find each other, in an index and in the live one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import numpy as np
from sqlalchemy import func, select

from lookalike.services.db import Database
from lookalike.services.models import Picture, PictureTag
from lookalike.services.ports import VectorCollection
from lookalike.services.ranking import average_precision
from lookalike.services.records import Vector
from lookalike.services.reindexing.comparing import query_of, vectors_of
from lookalike.services.reindexing.figures import Quality
from lookalike.services.reindexing.queries import Question
from lookalike.services.reindexing.steps import Steps

QUERIES = 200
"""Queries of one label. Both indexes get the same ones, so that their difference is steadier than
either mean."""

DEPTH = 1_000
"""Results that are looked at, which is also how deep a person can page."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A tag as a class: queries that have it, and how many pictures in each library do."""

    tag: str
    questions: Sequence[Question]
    pictures: Mapping[str, int]


def labelled(db: Database, tag: str, library: str | None) -> Labelled:
    """The class of this tag, in `library` or all; a fair sample of it, the same each time, asks."""
    having = select(Picture.id, Picture.library).join(PictureTag).where(PictureTag.tag == tag)
    if library is not None:
        having = having.where(Picture.library == library)
    sizes = having.with_only_columns(Picture.library, func.count()).group_by(Picture.library)
    some = having.order_by(Picture.sha256, Picture.library).limit(QUERIES)
    with db.read() as session:
        pictures = dict(session.execute(sizes).all())
        rows = session.execute(some).all()
    asked = [Question(row.id, row.library) for row in rows if pictures[row.library] > 1]
    return Labelled(tag, asked, pictures)


def quality(
    db: Database,
    collection: VectorCollection,
    live: VectorCollection | None,
    labelled: Labelled,
    steps: Steps,
) -> Quality | None:
    """Mean average precision of the class over the first DEPTH results; None with no queries.

    Searches are exact: how much of that the graph finds is what recall tells.
    """
    collections = [collection] if live is None else [collection, live]
    vectors = vectors_of(collections, labelled.questions)
    measured = [
        [
            _average_precision(db, one, question, its[question.id], labelled)
            for one, its in zip(collections, vectors, strict=True)
        ]
        for question in steps.each(labelled.questions)
        if question.id in vectors[0]
    ]
    if not measured:
        return None
    means = np.mean(measured, axis=0)
    return Quality(len(measured), float(means[0]), None if live is None else float(means[1]))


def _average_precision(
    db: Database,
    collection: VectorCollection,
    question: Question,
    vector: Vector,
    labelled: Labelled,
) -> float:
    query = replace(query_of(question, vector, DEPTH), exact=True)
    ids = [hit.id for hit in collection.search(query)]
    having = _having(db, labelled.tag, ids)
    relevant = np.array([[one in having for one in ids]], dtype=np.bool_)
    # More than there were when it began, if tags are being given right now.
    others = max(labelled.pictures[question.library] - 1, int(relevant.sum()))
    return float(average_precision(relevant, np.array([min(others, DEPTH)]))[0])


def _having(db: Database, tag: str, ids: Sequence[UUID]) -> set[UUID]:
    query = select(PictureTag.picture_id).where(
        PictureTag.tag == tag, PictureTag.picture_id.in_(ids)
    )
    with db.read() as session:
        return set(session.scalars(query))
