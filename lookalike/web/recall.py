"""How much searches find of what there is, over HTTP."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field

from lookalike.services.models import now
from lookalike.services.recall.reading import Overall, Point, Recall, ShapeHistory, Step
from lookalike.services.recall.replaying import KEPT
from lookalike.services.shapes import Shape
from lookalike.web.api import Api
from lookalike.web.context import platform

api = Api("recall")

DAY, WEEK = timedelta(days=1), timedelta(days=7)
MAX_HOURS = int(KEPT / timedelta(hours=1))


class RecallQuery(BaseModel):
    """How far to look back, and how much time a point stands for."""

    model_config = ConfigDict(extra="forbid")

    hours: int = Field(default=168, ge=1, le=MAX_HOURS)
    step: Step = Step.HOUR


class RecallPoint(BaseModel):
    """The mean of the queries asked in the hour or day (UTC) that began `at`."""

    at: datetime
    recall: float
    queries: int


class ShapeRecall(BaseModel):
    """Searches with one shape of filter: over the whole time, and over its hours or days.

    Points come in order; where nothing was replayed there is none.
    """

    shape: Shape
    recall: float
    queries: int
    points: list[RecallPoint]


class OverallRecall(BaseModel):
    """Searches of every shape together; `recall` is null where none was replayed."""

    recall: float | None
    queries: int


class RecallOverall(BaseModel):
    """The last 24 hours and the last 7 days, whatever was asked."""

    day: OverallRecall
    week: OverallRecall


class RecallAnswer(BaseModel):
    """Recall@10, 0 to 1: the share of the ten nearest that searches found.

    Measured on real searches, a few of which are replayed exactly. Shapes that nobody searched
    with are left out. `sampled` counts those that wait to be replayed.
    """

    shapes: list[ShapeRecall]
    overall: RecallOverall
    sampled: int


@api.operation(
    "GET /recall",
    "Show how much of the nearest searches found, by the shape of their filter, over time",
    query=RecallQuery,
    answer=RecallAnswer,
)
def show_recall(query: RecallQuery) -> RecallAnswer:
    """What was measured until this moment."""
    recall = platform().recall
    histories = recall.history(now() - timedelta(hours=query.hours), query.step)
    return RecallAnswer(
        shapes=[_shape(one) for one in histories],
        overall=RecallOverall(day=_since(recall, DAY), week=_since(recall, WEEK)),
        sampled=recall.waiting(),
    )


def _shape(history: ShapeHistory) -> ShapeRecall:
    return ShapeRecall(
        shape=history.shape,
        recall=history.recall,
        queries=history.queries,
        points=[_point(one) for one in history.points],
    )


def _point(point: Point) -> RecallPoint:
    return RecallPoint(at=point.at, recall=point.recall, queries=point.queries)


def _since(recall: Recall, length: timedelta) -> OverallRecall:
    found: Overall = recall.overall(now() - length)
    return OverallRecall(recall=found.recall, queries=found.queries)
