"""The tasks: thin, named, repeatable. They take ids and leave the work to services."""

from __future__ import annotations

from uuid import UUID

from celery import Celery

from lookalike.services.bootstrap import Platform
from lookalike.services.broker import INDEX_TASK
from lookalike.services.errors import UnavailableError

MAX_RETRIES = 20
"""With back-off to a minute this bridges a quarter of an hour; the next start queues the rest."""


def register(app: Celery, platform: Platform) -> None:
    """Make the tasks known to `app`."""

    def index(picture_ids: list[str]) -> None:
        platform.indexing.index([UUID(picture_id) for picture_id in picture_ids])

    app.task(
        name=INDEX_TASK,
        shared=False,  # it belongs to this platform, not to every Celery app of the process
        autoretry_for=(UnavailableError,),
        retry_backoff=True,
        retry_backoff_max=60,
        max_retries=MAX_RETRIES,
    )(index)
