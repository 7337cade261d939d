"""The tasks: thin, named, repeatable. They take ids and leave the work to services."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from celery import Celery, Task
from structlog.contextvars import bound_contextvars

from lookalike.services.broker import BUILD_TASK, IMPORT_TASK, INDEX_TASK, SWEEP_TASK
from lookalike.services.errors import UnavailableError
from lookalike.services.platform import Platform
from lookalike.workers.telling import answer_questions

MAX_RETRIES = 5
"""With back-off this bridges half a minute. After longer outages a sweep queues what is left."""


def register(app: Celery, platform: Callable[[], Platform]) -> None:
    """Make the tasks known to `app`, and what its worker is asked."""

    def index(task: Task, picture_ids: list[str], request_id: str | None = None) -> None:
        with bound_contextvars(task_id=task.request.id, request_id=request_id):
            platform().indexing.index([UUID(picture_id) for picture_id in picture_ids])

    def carry_import(task: Task, import_id: str, ticket: str) -> None:
        followed = {"import_id": import_id, "request_id": f"import-{import_id}"}
        with bound_contextvars(task_id=task.request.id, **followed):
            platform().carrying.go_on(UUID(import_id), UUID(ticket))

    def build(task: Task, index_id: str, ticket: str) -> None:
        with bound_contextvars(task_id=task.request.id, index_id=index_id):
            platform().building.go_on(UUID(index_id), UUID(ticket))

    def sweep() -> None:
        platform().sweeping.run()

    app.task(
        name=INDEX_TASK,
        shared=False,  # it belongs to this platform, not to every Celery app of the process
        bind=True,
        autoretry_for=(UnavailableError,),
        retry_backoff=True,
        max_retries=MAX_RETRIES,
    )(index)
    app.task(name=IMPORT_TASK, shared=False, bind=True)(carry_import)
    app.task(name=BUILD_TASK, shared=False, bind=True)(build)
    app.task(name=SWEEP_TASK, shared=False)(sweep)
    answer_questions()
