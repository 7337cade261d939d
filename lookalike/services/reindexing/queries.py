"""Which searches an index is measured by: stored pictures, with filters made from their own rows.

Pictures are taken in the order of their SHA-256, which has nothing to do with what they show: a
fair sample, the same each time, that both databases read off an index. How many pictures a filter
leaves is estimated by that sample too, so that nothing is counted over all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from sqlalchemy import select

from lookalike.services.db import Database
from lookalike.services.filters import Condition
from lookalike.services.models import Picture
from lookalike.services.payloads import payload_of
from lookalike.services.records import Payload
from lookalike.services.reindexing.narrowing import Narrowing
from lookalike.services.shapes import Shape

QUERIES = 500
"""Queries of each shape. At a recall of 0.98 their mean is off by some 0.003 (one sigma)."""

SHARES = (0.2, 0.04)
"""Shares of a library that filters are to leave, in turns: graphs are hardest to walk there. With
more left most steps hit; with fewer, engines compare with every picture that is left."""


@dataclass(frozen=True, slots=True)
class Question:
    """A search with the stored picture `id` in its library, under conditions that it meets."""

    id: UUID
    library: str
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Sampled:
    """A stored picture, and what filters see of it."""

    id: UUID
    payload: Payload


_Making: TypeAlias = Callable[[Payload, float, int], tuple[Condition, ...] | None]


def questions(db: Database, library: str | None) -> dict[Shape, list[Question]]:
    """Up to QUERIES questions of each shape, from `library` or all; none where no picture fits."""
    everything, tagged = sample(db, library), sample(db, library, tagged=True)
    narrowing = Narrowing([one.payload for one in everything])
    return {
        Shape.UNFILTERED: [Question(one.id, one.payload.library) for one in everything],
        Shape.TAG: _made(tagged, narrowing.one_tag),
        Shape.TAGS: _made(tagged, narrowing.several_tags),
        Shape.RANGE: _made(everything, narrowing.range),
        Shape.MIXED: _made(everything, narrowing.mixed),
    }


def sample(db: Database, library: str | None, *, tagged: bool = False) -> list[Sampled]:
    """A fair sample of at most QUERIES pictures, all of them `tagged` if so asked."""
    query = select(Picture).order_by(Picture.sha256, Picture.library).limit(QUERIES)
    if library is not None:
        query = query.where(Picture.library == library)
    if tagged:
        query = query.where(Picture.tag_rows.any())
    with db.read() as session:
        return [Sampled(one.id, payload_of(one)) for one in session.scalars(query)]


def _made(pictures: Sequence[Sampled], make: _Making) -> list[Question]:
    made = (
        (one, make(one.payload, SHARES[turn % len(SHARES)], turn // len(SHARES)))
        for turn, one in enumerate(pictures)
    )
    return [
        Question(one.id, one.payload.library, conditions)
        for one, conditions in made
        if conditions is not None
    ]
