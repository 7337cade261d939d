"""The platform's status over HTTP."""

from __future__ import annotations

from lookalike.services.models import Index, IndexState, IndexTask
from lookalike.services.records import Storage
from lookalike.services.status import StatusReport
from lookalike.web.api import Api
from lookalike.web.context import platform
from lookalike.web.schemas import (
    IndexName,
    IndexStatus,
    QueueAnswer,
    QueueDepth,
    StateCounts,
    StatusAnswer,
)

api = Api("status")


@api.operation(
    "GET /status", "Count pictures by state; queues, workers, indexes", answer=StatusAnswer
)
def show_status() -> StatusAnswer:
    """The figures of this moment."""
    report = platform().status.report()
    return StatusAnswer(
        images=StateCounts(**{str(state): count for state, count in report.pictures.items()}),
        queue=_queue(report),
        index=IndexName(id=report.index_id, model=report.model),
        indexes=[_index(row) for row in report.indexes],
    )


def _queue(report: StatusReport) -> QueueAnswer:
    depths = [
        QueueDepth(name=name, waiting=waiting, oldest_seconds=report.oldest_seconds[name])
        for name, waiting in report.waiting.items()
    ]
    waiting = sum(report.waiting.values())
    return QueueAnswer(waiting=waiting, workers=report.workers, queues=depths)


def _index(row: Index) -> IndexStatus:
    return IndexStatus(
        id=row.id,
        model=row.model,
        recipe=row.recipe,
        storage=Storage(row.storage),
        state=IndexState(row.state),
        task=IndexTask(row.task) if row.task else None,
        paused=row.paused,
    )
