"""Checking and repairing the platform over HTTP."""

from __future__ import annotations

import threading
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from lookalike.services.consistency.checking import PATIENCE
from lookalike.services.consistency.report import IndexCounts, Kind, Report
from lookalike.services.errors import BusyError
from lookalike.services.models import IndexState, State
from lookalike.web.api import Api
from lookalike.web.context import platform

api = Api("check")

_ONE = threading.Lock()
"""A check holds its thread for minutes: the others are for everybody else."""


class CheckRequest(BaseModel):
    """What to do besides comparing SQL, files and vectors.

    `deep` reads and hashes every original, `repair` mends what can be mended. What looks wrong is
    looked at again after `patience` seconds; 0 is enough when nobody uses the platform.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    repair: bool = False
    deep: bool = False
    patience: float = Field(default=PATIENCE, ge=0, le=60, allow_inf_nan=False)


class DifferenceAnswer(BaseModel):
    """One thing that does not agree: a picture's id, a file's SHA-256 or a collection's name."""

    kind: Kind
    id: str
    index: UUID | None
    message: str
    repaired: bool | None


class CheckedIndex(BaseModel):
    """An index: its pictures by state, and its points. Each pending picture may have a point."""

    id: UUID
    model: str
    state: IndexState
    pending: int
    indexed: int
    failed: int
    points: int


class CheckAnswer(BaseModel):
    """What was found; `remaining` counts the differences that are not repaired."""

    pictures: int
    deep: bool
    indexes: list[CheckedIndex]
    counts: dict[Kind, int]
    remaining: int
    differences: list[DifferenceAnswer]


@api.operation(
    "POST /check",
    "Compare SQL, files and vectors; takes minutes for a million pictures",
    body=CheckRequest,
    answer=CheckAnswer,
)
def check(body: CheckRequest) -> CheckAnswer:
    """Check everything and, if asked, repair it. Uploads and searches go on meanwhile."""
    if not _ONE.acquire(blocking=False):
        raise BusyError("A check is under way already. Wait for its end, then start yours.")
    try:
        report = platform().checking.run(deep=body.deep, patience=body.patience)
        if body.repair:
            report = platform().repairing.run(report)
    finally:
        _ONE.release()
    return _answer(report)


def _answer(report: Report) -> CheckAnswer:
    return CheckAnswer(
        pictures=report.pictures,
        deep=report.deep,
        indexes=[_index(one) for one in report.indexes],
        counts=report.counts,
        remaining=len(report.remaining),
        differences=[
            DifferenceAnswer(
                kind=one.kind,
                id=one.id,
                index=one.index,
                message=one.message,
                repaired=one.repaired,
            )
            for one in report.differences
        ],
    )


def _index(counts: IndexCounts) -> CheckedIndex:
    entries = counts.entries
    return CheckedIndex(
        id=counts.id,
        model=counts.model,
        state=counts.state,
        pending=entries[State.PENDING],
        indexed=entries[State.INDEXED],
        failed=entries[State.FAILED],
        points=counts.points,
    )
