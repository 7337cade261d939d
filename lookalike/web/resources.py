"""What the platform takes of its machines, over HTTP."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from lookalike.services.resources import ResourcesReport
from lookalike.web.api import Api
from lookalike.web.context import platform

api = Api("resources")


class StoredBytes(BaseModel):
    """Bytes that each part takes on disk; null for what lives on a server."""

    sql: int | None
    blobs: int | None
    vectors: int | None
    staging: int | None
    cache: int | None


class WorkerMemory(BaseModel):
    """The main memory that a worker and its decoding processes hold, by its node's name.

    Null where it does not tell.
    """

    name: str
    memory: int | None


class ResourcesAnswer(BaseModel):
    """Disk use by part as of `measured_at`; the rest is of this moment. All in bytes.

    `stored` is null until it was measured for the first time, which takes a while for a million
    pictures. `free` and `total` are of the disk that holds the data folder, `memory` is the main
    memory that the processes of the server that answers hold, those that decode too; null where
    the system does not tell.

    `workers` are those that are processes of their own, 200 at most, by name; null while the queue
    does not answer. In one process there is none: its worker is a thread of it, so that `memory`
    has all.
    """

    stored: StoredBytes | None
    measured_at: datetime | None
    free: int | None
    total: int | None
    memory: int | None
    workers: list[WorkerMemory] | None


@api.operation(
    "GET /resources",
    "Disk use by part, free disk, memory of web and workers, in bytes",
    answer=ResourcesAnswer,
)
def show_resources() -> ResourcesAnswer:
    """Look at the disk, at most once a minute, and ask the workers, once in five seconds."""
    return answer_of(platform().resources.report())


def answer_of(report: ResourcesReport) -> ResourcesAnswer:
    """The API's view of resources."""
    usage = report.usage
    return ResourcesAnswer(
        stored=StoredBytes(**usage.parts) if usage else None,
        measured_at=usage.measured_at if usage else None,
        free=report.free,
        total=report.total,
        memory=report.memory,
        workers=_workers(report),
    )


def _workers(report: ResourcesReport) -> list[WorkerMemory] | None:
    if report.workers is None:
        return None
    return [WorkerMemory(name=one.name, memory=one.memory) for one in report.workers]
