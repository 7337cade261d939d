"""The platform's status over HTTP."""

from __future__ import annotations

from lookalike.web.api import Api
from lookalike.web.context import platform
from lookalike.web.schemas import IndexName, QueueAnswer, StateCounts, StatusAnswer

api = Api("status")


@api.operation("GET /status", "Count pictures by state; queue and live index", answer=StatusAnswer)
def show_status() -> StatusAnswer:
    """The figures of this moment."""
    report = platform().status.report()
    return StatusAnswer(
        images=StateCounts(**{str(state): count for state, count in report.pictures.items()}),
        queue=QueueAnswer(waiting=sum(report.waiting.values()), workers=report.workers),
        index=IndexName(id=report.index_id, model=report.model),
    )
