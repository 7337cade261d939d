"""Reads what was measured: recall by filter shape, over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import groupby

from sqlalchemy import extract, func, select

from lookalike.services.db import Database
from lookalike.services.models import RecallSample, SampledQuery
from lookalike.services.shapes import Shape


class Step(StrEnum):
    """How much time one point of a history stands for. Days are those of UTC."""

    HOUR = "hour"
    DAY = "day"

    @property
    def seconds(self) -> int:
        """The same in seconds."""
        return 3600 if self is Step.HOUR else 86_400


@dataclass(frozen=True, slots=True)
class Point:
    """The mean recall, 0 to 1, of so many queries, at least one, in the step that began `at`."""

    at: datetime
    recall: float
    queries: int


@dataclass(frozen=True, slots=True)
class ShapeHistory:
    """One shape's recall over time. `points` come in order, without the steps with no query."""

    shape: Shape
    points: Sequence[Point]

    @property
    def queries(self) -> int:
        """Queries in all points."""
        return sum(point.queries for point in self.points)

    @property
    def recall(self) -> float:
        """The mean over all queries."""
        return sum(point.recall * point.queries for point in self.points) / self.queries


@dataclass(frozen=True, slots=True)
class Overall:
    """The mean recall of all queries of some time, whatever their shape; None without any."""

    recall: float | None
    queries: int


class Recall:
    """What became of the searches that were sampled."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def history(self, since: datetime, step: Step) -> list[ShapeHistory]:
        """Recall from `since` on, of each shape that was searched with, in the order of `Shape`.

        Queries count at the time they were asked. The first point holds only those from `since`.
        """
        # Seconds since 1970 are the one way to say it that both databases have.
        second = extract("epoch", RecallSample.asked_at)
        start = (second - second % step.seconds).label("start")
        query = (
            select(RecallSample.shape, start, func.avg(RecallSample.recall), func.count())
            .where(RecallSample.asked_at >= since)
            .group_by(RecallSample.shape, start)
            .order_by(RecallSample.shape, start)
        )
        with self._db.read() as session:
            rows = session.execute(query).all()
        points = {
            shape: [Point(_moment(at), float(mean), count) for _, at, mean, count in group]
            for shape, group in groupby(rows, key=lambda row: row[0])
        }
        return [ShapeHistory(shape, points[shape]) for shape in Shape if shape in points]

    def overall(self, since: datetime) -> Overall:
        """Recall from `since` on, of all shapes together."""
        query = select(func.avg(RecallSample.recall), func.count())
        with self._db.read() as session:
            mean, count = session.execute(query.where(RecallSample.asked_at >= since)).one()
        return Overall(mean, count)

    def waiting(self) -> int:
        """How many sampled queries wait to be replayed."""
        with self._db.read() as session:
            return session.scalar(select(func.count(SampledQuery.id))) or 0


def _moment(second: float) -> datetime:
    return datetime.fromtimestamp(int(second), UTC)
